"""The last look before a case is opened: providers that answer, lie, dawdle or are away."""

import ipaddress
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from audit.models import AuditRow
from core.errors import BadInput
from core.models import User
from enforcement.cases.decisions import case_dismiss
from enforcement.cases.models import Case
from enforcement.cases.services import cases_act
from enforcement.rights.asking import AskFailed, Reach, addresses_of, place_of
from enforcement.rights.channels import Lookup, LookupService
from enforcement.rights.lookups import FRESH, GIVE_UP, KEEP, lookups_ask, lookups_tidy
from enforcement.rights.models import Provider, Right
from enforcement.rights.tasks import lookup
from enforcement.rights.webhooks import signature, webhook_secret_create
from enforcement.visits.models import VerdictVersion
from plates.models import Passage
from tests.integration.rights.providers import (
    AskedProvider,
    asked_provider,
    breaks_off,
    drips,
    drips_headers,
    is_silent,
    never_ends,
    redirects,
    says,
    says_raw,
    secret_key,
)
from tests.integration.rights.rightsmaker import ADMIN
from tests.integration.visits.world import World, at, car_park, city

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

PLATE = "1AB2345"


@pytest.fixture
def asked(settings: Any) -> Iterator[AskedProvider]:
    with asked_provider(says([])) as provider:
        settings.LOOKUP_HOSTS = [f"127.0.0.1:{provider.port}"]
        settings.LOOKUP_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
        yield provider


def unpaid(asked: AskedProvider, timeout: int = 5, **rules: Any) -> World:
    """A car park with an unpaid stay that ended, whose provider can be asked."""
    park = car_park(**rules)
    LookupService.objects.create(provider=park.provider, url=asked.url, timeout_seconds=timeout)
    park.read("in", PLATE, at("09:00"))
    park.read("out", PLATE, at("10:00"))
    park.settle(at("10:05"))
    return park


def act(world: World) -> None:
    for _ in range(50):
        if not cases_act(now=world.now):
            return
    raise AssertionError("something is acted on for ever")


def round_of(world: World, minutes: float = 0) -> None:
    """What the workers do, some time later."""
    world.now += timedelta(minutes=minutes)
    act(world)
    lookups_ask(now=world.now)
    world.judge()
    act(world)


def payment(**change: Any) -> dict[str, Any]:
    return {
        "kind": "payment",
        "id": "late-1",
        "plate": PLATE,
        "country": "CZ",
        "from": at("09:00").isoformat(),
        "to": at("11:00").isoformat(),
    } | change


# --- answers --------------------------------------------------------------------------------------


def test_no_case_is_opened_before_the_provider_has_answered(asked: AskedProvider) -> None:
    park = unpaid(asked)
    act(park)
    assert not Case.objects.exists()
    lookup = Lookup.objects.get()
    assert (lookup.state, lookup.subject_key[:6]) == ("waiting", "visit:")
    assert VerdictVersion.objects.filter(act_due=True).count() == 1
    assert asked.questions == []
    lookups_ask(now=park.now)
    act(park)
    case = Case.objects.get()
    assert (case.state, case.verdict, case.reason) == ("candidate", "unpaid", "no-right")
    assert case.explanation[-1]["code"] == "providers-asked"
    assert asked.questions == [
        {
            "id": str(lookup.pk),
            "site": "parking",
            "plates": [PLATE],
            "country": "CZ",
            "from": at("09:00").isoformat(),
            "to": at("10:00").isoformat(),
        }
    ]
    act(park)
    assert Case.objects.count() == 1


def test_a_payment_that_only_the_provider_knew_of_keeps_the_case_from_being_opened(
    asked: AskedProvider,
) -> None:
    park = unpaid(asked)
    asked.answer = says([payment()])
    round_of(park)
    assert not Case.objects.exists()
    right = Right.objects.get()
    assert (right.provider, right.site, right.kind) == (park.provider, park.site, "payment")
    verdict = VerdictVersion.objects.get(current=True)
    assert (verdict.verdict, verdict.reason, verdict.act_due) == ("paid", "paid-late", False)
    assert Lookup.objects.get().found == 1


def test_a_payment_for_part_of_the_stay_is_taken_into_account(asked: AskedProvider) -> None:
    park = unpaid(asked)
    asked.answer = says([payment(to=at("09:30").isoformat())])
    round_of(park)
    case = Case.objects.get()
    assert (case.state, case.verdict, case.reason, case.overstay_minutes) == (
        "candidate",
        "overstay",
        "right-ended",
        15,
    )


def test_nothing_is_asked_where_no_provider_can_be(asked: AskedProvider) -> None:
    park = unpaid(asked)
    LookupService.objects.update(active=False)
    act(park)
    assert Case.objects.get().state == "candidate"
    assert not Lookup.objects.exists()


def test_a_provider_of_another_site_is_not_asked(asked: AskedProvider) -> None:
    other = car_park("elsewhere")
    park = unpaid(asked)
    park.provider.sites.set([other.site])
    act(park)
    assert Case.objects.exists()
    assert not Lookup.objects.exists()


def test_a_provider_that_is_switched_off_meanwhile_is_not_waited_for(asked: AskedProvider) -> None:
    park = unpaid(asked)
    act(park)
    park.provider.active = False
    park.provider.save()
    act(park)
    assert Case.objects.get().state == "candidate"


def test_reads_of_one_day_in_a_zone_are_one_question(asked: AskedProvider) -> None:
    zone = city()
    LookupService.objects.create(provider=zone.provider, url=asked.url)
    zone.read("north", PLATE, at("10:00"))
    zone.read("north", PLATE, at("12:00"))
    zone.settle(at("00:00", 5))
    act(zone)
    assert len(Lookup.objects.get().verdict_ids) == 2
    assert cases_act(now=zone.now) == 0, "what waits is left alone"
    round_of(zone)
    case = Case.objects.get()
    assert (case.state, len(case.passage_ids), len(asked.questions)) == ("candidate", 2, 1)


def test_the_stage_itself_asks_and_the_overview_says_what_waits(
    asked: AskedProvider, admin_client: Client
) -> None:
    park = unpaid(asked)
    act(park)
    now = timezone.now()
    Lookup.objects.update(asked_at=now, hold_until=now + timedelta(hours=1))
    page = admin_client.get("/").content.decode()
    assert "1 more waits for a payment provider" in page
    lookup()
    assert Lookup.objects.get().state == "answered"
    assert "for a payment provider" not in admin_client.get("/").content.decode()
    act(park)
    assert Case.objects.exists()


# --- no answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (says_raw(b"<html>welcome</html>"), "answer_garbage"),
        (says_raw(b""), "answer_garbage"),
        (says_raw(b"{}"), "answer_garbage"),
        (says_raw(b'{"rights": []}'), "answer_garbage"),
        (says_raw(b'{"id": "another", "rights": []}'), "answer_garbage"),
        (says_raw(b"[" * 200_000), "answer_garbage"),
        (says_raw(b"\xff\xfe\x00"), "answer_garbage"),
        (says({}), "answer_garbage"),
        (says(None), "answer_garbage"),
        (says([{}] * 51), "answer_garbage"),
        (says([None]), "not_an_object"),
        (says([payment(plate=" ")]), "plate_empty"),
        (says([payment(to=at("08:00").isoformat())]), "ends_before_start"),
        (says([payment(site="nowhere")]), "unknown_site"),
        (says_raw(b"", 204), "answer_204"),
        (says_raw(b"busy", 500), "answer_500"),
        (redirects, "answer_307"),
        (breaks_off, "answer_broken"),
        (never_ends, "answer_too_large"),
    ],
)
def test_garbage_is_neither_paid_nor_unpaid(asked: AskedProvider, answer: Any, code: str) -> None:
    park = unpaid(asked)
    asked.answer = answer
    round_of(park)
    assert not Case.objects.exists()
    assert not Right.objects.exists()
    lookup = Lookup.objects.get()
    assert (lookup.state, lookup.last_error, lookup.attempts) == ("waiting", code, 1)
    assert lookup.next_try_at > park.now
    assert LookupService.objects.get().failures == 1
    assert len(asked.questions) == 1, "no redirect is followed"
    asked.answer = says([payment()])
    round_of(park, 1)
    assert not Case.objects.exists()
    assert Lookup.objects.get().state == "answered"
    assert LookupService.objects.get().failures == 0


@pytest.mark.parametrize("answer", [is_silent, drips, drips_headers])
def test_a_provider_that_never_ends_is_left_at_its_time_out(
    asked: AskedProvider, answer: Any
) -> None:
    park = unpaid(asked, timeout=1)
    asked.answer = answer
    round_of(park)
    assert Lookup.objects.get().last_error == "no_answer"
    assert not Case.objects.exists()


def test_a_good_right_beside_a_bad_one_counts_but_is_no_answer(asked: AskedProvider) -> None:
    park = unpaid(asked)
    asked.answer = says([payment(to=at("09:30").isoformat()), payment(id="b", plate=" ")])
    round_of(park)
    assert Right.objects.count() == 1
    assert not Case.objects.exists()
    round_of(park, 61)
    case = Case.objects.get()
    assert (case.state, case.verdict) == ("review", "overstay")


def test_a_case_whose_provider_stays_silent_is_for_a_person_never_a_candidate(
    asked: AskedProvider,
) -> None:
    park = unpaid(asked, lookup_wait_minutes=30)
    asked.answer = says_raw(b"down", 503)
    round_of(park)
    round_of(park, 29)
    assert not Case.objects.exists()
    round_of(park, 1)
    case = Case.objects.get()
    assert (case.state, case.verdict, case.reason) == ("review", "unpaid", "no-right")
    assert case.explanation[-1]["code"] == "providers-unheard"
    # it is asked on, and a payment still closes the case
    asked.answer = says([payment()])
    LookupService.objects.update(open_until=None)
    round_of(park, 10)
    case.refresh_from_db()
    assert (case.state, case.decision_reason) == ("closed", "paid-late")


def test_a_silent_provider_does_not_let_a_later_read_make_a_candidate(
    asked: AskedProvider,
) -> None:
    zone = city(lookup_wait_minutes=10)
    LookupService.objects.create(provider=zone.provider, url=asked.url)
    asked.answer = says_raw(b"down", 503)
    zone.read("north", PLATE, at("10:00"))
    zone.settle(at("00:00", 5))
    round_of(zone)
    round_of(zone, 11)
    assert Case.objects.get().state == "review"
    zone.read("north", PLATE, at("12:00"))
    zone.settle(zone.now)
    round_of(zone)
    case = Case.objects.get()
    assert (case.state, len(case.passage_ids)) == ("review", 2)


def test_nobody_is_asked_about_what_was_paid_meanwhile(asked: AskedProvider) -> None:
    park = unpaid(asked)
    act(park)
    park.right("payment", PLATE, country="CZ", from_=at("09:00"), to=at("11:00"))
    park.judge()
    act(park)
    assert not Lookup.objects.exists()
    assert lookups_ask(now=park.now) == 0
    assert not Case.objects.exists()


def test_nobody_is_asked_about_what_a_person_has_decided(asked: AskedProvider) -> None:
    park = unpaid(asked, lookup_wait_minutes=10)
    asked.answer = says_raw(b"down", 503)
    round_of(park)
    round_of(park, 11)
    olga = User.objects.create_user("olga", "olga@example.org", "a long enough password")
    case_dismiss(case_id=Case.objects.get().pk, user=olga, reason="goodwill", now=park.now)
    assert not Lookup.objects.exists()


def test_after_a_day_nobody_asks_any_more(asked: AskedProvider) -> None:
    park = unpaid(asked)
    asked.answer = says_raw(b"down", 503)
    round_of(park)
    park.now += GIVE_UP
    lookups_tidy(now=park.now)
    assert Lookup.objects.get().state == "given-up"
    before = len(asked.questions)
    lookups_ask(now=park.now)
    assert len(asked.questions) == before
    lookups_tidy(now=park.now + KEEP)
    assert not Lookup.objects.exists()


def test_an_old_answer_does_not_speak_for_a_new_case(asked: AskedProvider) -> None:
    park = unpaid(asked)
    round_of(park)
    park.right("payment", "1AB2346", country="CZ", from_=at("09:00"), to=at("12:00"))
    park.judge()
    act(park)
    assert Case.objects.get().state == "closed"
    # the vehicle the payment names was there itself: it was no keying error
    park.now += FRESH
    park.read("in", "1AB2346", at("11:00"))
    park.settle(at("11:05"))
    act(park)
    assert Case.objects.count() == 1
    round_of(park)
    assert Case.objects.filter(state="candidate").count() == 1
    assert len(asked.questions) == 2


# --- the breaker ----------------------------------------------------------------------------------


def test_a_provider_that_keeps_failing_is_left_alone_and_tried_by_one_question(
    asked: AskedProvider,
) -> None:
    park = car_park()
    LookupService.objects.create(provider=park.provider, url=asked.url)
    asked.answer = says_raw(b"down", 500)
    for number in range(8):
        park.read("in", f"1AB23{number}5", at("09:00") + timedelta(seconds=number))
        park.read("out", f"1AB23{number}5", at("10:00") + timedelta(seconds=number))
    park.settle(at("10:05"))
    round_of(park)
    assert len(asked.questions) == 8
    service = LookupService.objects.get()
    assert service.open_until is not None
    assert service.open_until > park.now
    park.now = service.open_until - timedelta(seconds=1)
    assert lookups_ask(now=park.now) == 0, "nobody knocks while it is shut"
    park.now = service.open_until
    assert lookups_ask(now=park.now) == 1, "one tries"
    later = LookupService.objects.get().open_until
    assert later is not None
    assert later > park.now, "in vain: it is shut again, for longer"
    asked.answer = says([])
    park.now = later
    assert lookups_ask(now=park.now) == 1
    assert LookupService.objects.get().open_until is None
    park.now += timedelta(minutes=5)
    assert lookups_ask(now=park.now) == 7
    act(park)
    assert Case.objects.filter(state="candidate").count() == 8


def test_a_crowd_before_one_provider_keeps_no_other_waiting(asked: AskedProvider) -> None:
    park = car_park()
    LookupService.objects.create(provider=park.provider, url=asked.url)
    for number in range(6):
        park.read("in", f"1AB23{number}5", at("09:00") + timedelta(seconds=number))
        park.read("out", f"1AB23{number}5", at("10:00") + timedelta(seconds=number))
    park.settle(at("10:05"))
    act(park)
    other = Provider.objects.create(name="Other", organisation=park.site.organisation)
    LookupService.objects.create(provider=other, url=asked.url)
    lookup_ = Lookup.objects.order_by("pk").last()
    assert lookup_ is not None
    Lookup.objects.filter(pk=lookup_.pk).update(provider=other)
    assert lookups_ask(now=park.now, limit=4) == 3
    assert Lookup.objects.get(provider=other).state == "answered"


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_two_workers_ask_each_question_once(asked: AskedProvider) -> None:
    park = car_park()
    LookupService.objects.create(provider=park.provider, url=asked.url)
    for number in range(6):
        park.read("in", f"1AB23{number}5", at("09:00") + timedelta(seconds=number))
        park.read("out", f"1AB23{number}5", at("10:00") + timedelta(seconds=number))
    park.settle(at("10:05"))
    act(park)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while lookups_ask(now=park.now, limit=2):
                pass
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures
    assert len(asked.questions) == len({question["id"] for question in asked.questions}) == 6


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_http_is_never_spoken_inside_a_transaction(asked: AskedProvider) -> None:
    park = unpaid(asked)
    seen: list[int] = []

    def look(handler: Any, question: dict[str, Any]) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state = 'idle in transaction'"
            )
            seen.append(cursor.fetchone()[0])
        connections.close_all()
        says([])(handler, question)

    asked.answer = look
    round_of(park)
    assert seen == [0]


def test_a_worker_killed_while_it_asked_loses_nothing(
    asked: AskedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    park = unpaid(asked)
    act(park)
    with monkeypatch.context() as patched:
        patched.setattr(
            "enforcement.rights.lookups._settle",
            lambda *rest: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            lookups_ask(now=park.now)
    assert lookups_ask(now=park.now) == 0, "it is leased"
    assert not Case.objects.exists()
    round_of(park, 2)
    assert Case.objects.get().state == "candidate"
    assert len(asked.questions) == 2


# --- whom we may ask ------------------------------------------------------------------------------

PUBLIC = Reach(["pay.example", "127.0.0.1", "10.0.0.7", "localhost", "[::1]:8443"])


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://pay.example/ask", "url_not_https"),
        ("ftp://pay.example/ask", "url_not_https"),
        ("file:///etc/passwd", "url_unreadable"),
        ("https:///ask", "url_unreadable"),
        ("https://user:word@pay.example/ask", "url_unreadable"),
        ("https://pay.example:port/", "url_unreadable"),
        ("https://pay.example/a b", "url_unreadable"),
        ("https://pay.example/\r\nX: y", "url_unreadable"),
        ("https://evil.example/ask", "host_not_allowed"),
        ("https://pay.example.evil.example/", "host_not_allowed"),
        ("https://evil.example\\@pay.example/", "url_unreadable"),
        ("https://evil.example#@pay.example/", "url_unreadable"),
    ],
)
def test_addresses_that_are_refused(url: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        place_of(url, PUBLIC)
    assert refused.value.code in (code, "url_unreadable", "host_not_allowed")
    assert refused.value.field == "url"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://10.0.0.7/", "https://localhost/"])
def test_private_addresses_are_refused_unless_their_network_is_allowed(url: str) -> None:
    with pytest.raises(AskFailed, match="address_refused"):
        addresses_of(place_of(url, PUBLIC), PUBLIC)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:7",
        "::127.0.0.1",
        "fec0::1",
        "2002:7f00:1::",
        "fe80::1%eth0",
        "fd00::1",
        "0.0.0.0",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
    ],
)
def test_private_addresses_in_disguise_are_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "socket.getaddrinfo",
        lambda *rest, **more: [
            (0, 0, 0, "", ("93.184.216.34", 443)),
            (0, 0, 0, "", (address, 443)),
        ],
    )
    with pytest.raises(AskFailed, match="address_refused"):
        addresses_of(place_of("https://pay.example/", PUBLIC), PUBLIC)


def test_a_public_address_is_allowed_by_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda *rest, **more: [(0, 0, 0, "", ("93.184.216.34", 443))]
    )
    assert addresses_of(place_of("https://pay.example/", PUBLIC), PUBLIC) == ["93.184.216.34"]
    mixed = Reach(PUBLIC.hosts, [ipaddress.ip_network("10.0.0.0/8")])
    with pytest.raises(AskFailed, match="address_refused"):
        addresses_of(place_of("http://pay.example/", mixed), mixed)


def test_an_address_that_may_no_longer_be_asked_is_a_failure_not_an_answer(
    asked: AskedProvider, settings: Any
) -> None:
    park = unpaid(asked)
    settings.LOOKUP_HOSTS = []
    round_of(park)
    assert Lookup.objects.get().last_error == "not_allowed"
    assert asked.questions == []


# --- what is told, and to whom --------------------------------------------------------------------


def test_every_plate_that_leaves_is_written_down_as_the_provider_s_look(
    asked: AskedProvider,
) -> None:
    park = unpaid(asked)
    asked.answer = says_raw(b"", 500)
    round_of(park)
    round_of(park, 1)
    rows = AuditRow.objects.filter(action="look-up")
    token = Passage.objects.order_by("first_at")[0].token_exact
    assert [(row.actor_kind, row.actor, row.purpose, row.tokens) for row in rows] == [
        ("provider", "App", "payment-lookup", [token])
    ] * 2
    assert len(asked.questions) == 2


def test_both_texts_of_a_stay_are_asked_for(asked: AskedProvider) -> None:
    park = car_park()
    LookupService.objects.create(provider=park.provider, url=asked.url)
    park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2346", at("10:00"))
    park.settle(at("10:05"))
    round_of(park)
    assert [question["plates"] for question in asked.questions] == [["1AB2345", "1AB2346"]]


def test_no_plate_lies_in_a_question_that_waits(asked: AskedProvider) -> None:
    park = unpaid(asked)
    asked.answer = says_raw(PLATE.encode(), 500)
    round_of(park)
    with connection.cursor() as cursor:
        for table in ("rights_lookup", "rights_lookupservice", "audit_auditrow"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            assert PLATE not in cursor.fetchone()[0]


def test_a_question_is_signed_with_the_provider_s_secret(asked: AskedProvider) -> None:
    park = unpaid(asked)
    _, shown = webhook_secret_create(provider=park.provider, actor=ADMIN, now=park.now)
    round_of(park)
    said, body = asked.headers[0], asked.bodies[0]
    assert said["webhook-id"] == asked.questions[0]["id"]
    assert said["webhook-signature"] == signature(
        secret_key(shown), said["webhook-id"], said["webhook-timestamp"], body
    )
