"""Cases: proposed from final verdicts only, closed when the verdict turns, decided by people."""

import hashlib
import re
import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, connections, transaction

from audit.access import stage_batch
from audit.models import AuditRow
from core.errors import BadInput, Conflict
from core.models import User
from enforcement.cases import services
from enforcement.cases.decisions import case_confirm, case_dismiss
from enforcement.cases.models import Case, CaseEvent, Evidence
from enforcement.cases.selectors import cases_queue
from enforcement.cases.services import cases_act
from enforcement.visits.models import VerdictVersion
from plates.models import PlateRead
from tests.integration.visits.world import World, at, car_park, city, motorway
from vault.models import DataClass

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

PICTURE = b"\xff\xd8 a picture of the vehicle"


@pytest.fixture
def operator() -> User:
    return User.objects.create_user("olga", "olga@example.org", "a long enough password")


def act(world: World) -> int:
    """What the worker does until nothing is left to act on."""
    done = 0
    while step := cases_act(now=world.now):
        done += step
        assert done < 200, "something is acted on for ever"
    return done


def unpaid_stay(park: World, plate: str = "1AB2345") -> PlateRead:
    read = park.read("in", plate, at("09:00"), picture=PICTURE)
    park.read("out", plate, at("10:00"), picture=PICTURE)
    park.settle(at("10:05"))
    return read


def test_an_unpaid_stay_becomes_a_candidate_with_sealed_evidence() -> None:
    park = car_park()
    read = unpaid_stay(park)
    assert act(park) == 1
    case = Case.objects.get()
    assert re.fullmatch(r"2026-\d{6}", case.number)
    assert (case.state, case.verdict, case.reason) == ("candidate", "unpaid", "no-right")
    assert case.subject_key == f"visit:{park.visit(read).pk}"
    assert (case.seen_from, case.seen_to) == (at("09:00"), at("10:00"))
    assert case.passage_ids == [
        str(park.visit(read).entry_passage_id),
        str(park.visit(read).exit_passage_id),
    ]
    assert [event.to_state for event in case.events.all()] == ["candidate"]
    evidence = list(case.evidence.all())
    assert [one.role for one in evidence] == ["entry", "exit"]
    with stage_batch("test") as access:
        assert access.text(case) == "1AB2345"
        for one in evidence:
            assert one.data_class == DataClass.CASE
            assert access.text(one) == "1AB2345"
            assert access.file(one, "picture") == PICTURE
            assert access.file(one, "crop") == PICTURE[:8]
            assert bytes(one.picture_sha256 or b"") == hashlib.sha256(PICTURE).digest()
            assert one.picture != PlateRead.objects.get(pk=read.pk).crop
    assert act(park) == 0
    assert Case.objects.count() == 1


def test_nothing_is_proposed_from_a_provisional_verdict() -> None:
    road = motorway()
    road.read("gantry", "1AB2345", at("10:00"))
    road.judge()
    assert VerdictVersion.objects.get().verdict == "unpaid"
    assert act(road) == 0
    assert not Case.objects.exists()
    road.settle(at("10:05"))
    act(road)
    assert Case.objects.get().state == "candidate"


def test_payments_are_looked_up_once_more_before_a_case_is_opened() -> None:
    park = car_park()
    read = unpaid_stay(park)
    # it is known, but the stage `rejudge` has not run yet
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("11:00"))
    act(park)
    assert not Case.objects.exists()
    assert park.says(read) == ("paid", "paid-late")


def test_a_late_payment_closes_the_case_by_itself() -> None:
    park = car_park()
    read = unpaid_stay(park)
    act(park)
    park.now = at("12:00")
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("11:00"))
    park.judge()
    act(park)
    case = Case.objects.get()
    assert (case.state, case.closed_at, case.decided_by) == ("closed", at("12:00"), None)
    event = case.events.last()
    assert event is not None
    assert (event.from_state, event.to_state, event.actor, event.reason) == (
        "candidate",
        "closed",
        "judge",
        "paid-late",
    )
    assert park.says(read) == ("paid", "paid-late")


def test_a_verdict_that_turns_after_confirmation_is_told_not_hidden(operator: User) -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    case = Case.objects.get()
    case_confirm(case_id=case.pk, user=operator, reason="plate-checked", note="", now=park.now)
    park.now = at("12:00")
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("11:00"))
    park.judge()
    act(park)
    case.refresh_from_db()
    assert case.state == "confirmed"
    event = case.events.last()
    assert event is not None
    assert (event.from_state, event.to_state, event.reason) == (
        "confirmed",
        "confirmed",
        "paid-late",
    )


def test_a_stay_that_pairs_differently_closes_the_case_of_the_visit_that_was_not() -> None:
    park = car_park()
    read = unpaid_stay(park)
    act(park)
    before = Case.objects.get()
    # the exit belonged to a later entry: the first one's exit was missed
    late = park.read("in", "1AB2345", at("09:30"))
    park.settle(at("10:10"))
    act(park)
    before.refresh_from_db()
    assert before.state == "closed"
    assert park.says(read) == ("none", "inferred-end")
    assert park.says(late) == ("unpaid", "no-right")
    assert Case.objects.exclude(pk=before.pk).get().state == "candidate"


def test_what_turns_out_to_be_another_vehicle_s_is_no_evidence_any_more() -> None:
    park = car_park()
    entry = park.read("in", "1AB2345", at("09:00"))
    stranger = park.read("out", "1AB2346", at("10:00"))
    park.settle(at("10:05"))
    act(park)
    case = Case.objects.get()
    assert (case.state, case.reason) == ("review", "fuzzy-pairing")
    assert case.evidence.shown().count() == 2
    own = park.read("out", "1AB2345", at("09:50"))  # it comes late
    park.settle(at("10:10"))
    act(park)
    case.refresh_from_db()
    assert (case.state, case.reason) == ("candidate", "no-right")
    shown = set(case.evidence.shown().values_list("capture_id", flat=True))
    assert shown == {entry.capture_id, own.capture_id}
    assert case.evidence.get(capture_id=stranger.capture_id).set_aside_at == park.now


def test_a_visit_that_dissolves_closes_its_case() -> None:
    park = car_park()
    entry = park.read("in", "1AB2345", at("09:00"), score=0.9, candidates=(("1AB2346", 0.6),))
    park.read("out", "1AB2345", at("10:00"))
    park.settle(at("10:05"))
    act(park)
    assert Case.objects.get().state == "candidate"
    # a passage that is forgotten takes its visit along
    visit = park.visit(entry)
    gone = visit.pk
    type(park.passage(entry)).objects.filter(pk=visit.entry_passage_id).delete()
    VerdictVersion.objects.filter(visit_id=gone).update(current=False)
    visit.delete()
    VerdictVersion.objects.filter(visit_id=gone, verdict="unpaid").update(act_due=True)
    act(park)
    case = Case.objects.get()
    assert (case.state, case.decision_reason) == ("closed", "visit-changed")


def test_a_dismissed_case_is_never_proposed_again(operator: User) -> None:
    park = car_park()
    read = unpaid_stay(park)
    act(park)
    case = Case.objects.get()
    case_dismiss(
        case_id=case.pk, user=operator, reason="goodwill", note="first time here", now=park.now
    )
    case.refresh_from_db()
    assert (case.state, case.decided_by, case.closed_at) == ("dismissed", operator, park.now)
    # the verdict changes its reason and asks again
    park.right("payment", "1AB2345", country="CZ", from_=at("10:30"), to=at("11:00"))
    park.judge()
    assert park.says(read) == ("unpaid", "right-not-started")
    assert VerdictVersion.objects.filter(act_due=True).exists()
    act(park)
    assert Case.objects.count() == 1


def test_a_case_closed_by_the_judge_may_come_back() -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    park.right("payment", "1AB2346", country="CZ", from_=at("09:00"), to=at("12:00"))
    park.judge()
    act(park)
    assert Case.objects.get().state == "closed"
    # the vehicle the payment names was there itself: it was no keying error
    park.read("in", "1AB2346", at("11:00"))
    park.settle(at("11:05"))
    act(park)
    assert sorted(Case.objects.values_list("state", flat=True)) == ["candidate", "closed"]


def test_a_review_is_a_case_for_a_person() -> None:
    park = car_park()
    park.read("in", "1AB2345", at("09:00"), country="")
    park.read("out", "1AB2345", at("10:00"), country="")
    park.settle(at("10:05"))
    act(park)
    case = Case.objects.get()
    assert (case.state, case.reason) == ("review", "country-unknown")


def test_reads_of_one_day_in_a_zone_share_a_case() -> None:
    zone = city()
    zone.read("north", "1AB2345", at("10:00"))
    zone.read("north", "1AB2345", at("12:00"))
    zone.read("north", "1AB2345", at("10:00", 1))
    zone.settle(at("11:00", 1))
    act(zone)
    assert not Case.objects.exists()
    zone.settle(at("00:00", 5))
    act(zone)
    monday, tuesday = Case.objects.order_by("seen_from")
    assert (monday.seen_from, monday.seen_to) == (at("10:00"), at("12:00"))
    assert len(monday.passage_ids) == monday.evidence.count() == 2
    assert len(tuesday.passage_ids) == 1
    assert len(monday.subject_key) <= 80


def test_a_person_needs_a_reason_from_the_list_and_comes_first_or_not_at_all(
    operator: User,
) -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    case = Case.objects.get()
    with pytest.raises(BadInput, match="reason_required"):
        case_confirm(case_id=case.pk, user=operator, reason="because", note="", now=park.now)
    with pytest.raises(BadInput, match="reason_required"):
        case_dismiss(case_id=case.pk, user=operator, reason="plate-checked", now=park.now)
    with pytest.raises(BadInput, match="names_plate"):
        case_confirm(
            case_id=case.pk,
            user=operator,
            reason="plate-checked",
            note="the plate 1AB 2345 is clear",
            now=park.now,
        )
    park.now = at("10:30")
    case_confirm(case_id=case.pk, user=operator, reason="plate-checked", note="clear", now=park.now)
    with pytest.raises(Conflict, match="case_decided"):
        case_confirm(case_id=case.pk, user=operator, reason="plate-checked", now=park.now)
    row = AuditRow.objects.filter(action="change", case_ref=case.number).get()
    assert (row.actor, row.purpose, row.detail["to"]) == ("olga", "case-review", "confirmed")
    assert row.tokens == [case.token_exact]
    park.now = at("11:00")
    case_dismiss(case_id=case.pk, user=operator, reason="misread", now=park.now)
    with pytest.raises(Conflict, match="case_decided"):
        case_dismiss(case_id=case.pk, user=operator, reason="misread", now=park.now)
    assert [event.to_state for event in case.events.all()] == [
        "candidate",
        "confirmed",
        "dismissed",
    ]


def test_nobody_confirms_what_the_judge_has_taken_back(operator: User) -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("11:00"))
    park.judge()  # the stage `act` has not closed the case yet
    case = Case.objects.get()
    with pytest.raises(Conflict, match="verdict_turned"):
        case_confirm(case_id=case.pk, user=operator, reason="plate-checked", now=park.now)


def test_one_that_fails_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    park = car_park()
    broken = unpaid_stay(park, "1AB2345")
    unpaid_stay(park, "3CD4567")
    copy = services.evidence_copy
    poison = str(park.visit(broken).pk)

    def fragile(case: Case, *rest: object, **more: object) -> object:
        if case.subject_key.endswith(poison):
            raise OSError("disk")
        return copy(case, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "evidence_copy", fragile)
    assert cases_act(now=park.now) == 1
    assert Case.objects.count() == 1
    assert VerdictVersion.objects.filter(act_due=True).count() == 1
    monkeypatch.setattr(services, "evidence_copy", copy)
    assert cases_act(now=park.now) == 1
    assert Case.objects.count() == 2


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
@pytest.mark.parametrize("make", [city, car_park])
def test_two_workers_open_one_case(make: Callable[..., World]) -> None:
    world = make()
    if world.site.kind == "zone":
        for minute in range(0, 40, 5):
            world.read("north", "1AB2345", at(f"10:{minute:02}"))
        world.settle(at("00:00", 4))
    else:
        unpaid_stay(world)
    start = threading.Barrier(3)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            start.wait(timeout=30)
            while cases_act(now=world.now):
                pass
        except BaseException as error:  # a thread's failure must fail the test
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not failures
    case = Case.objects.get()
    assert case.evidence.count() == len(case.passage_ids) == len(set(case.passage_ids))
    assert len(case.passage_ids) == VerdictVersion.objects.filter(verdict="unpaid").count() * (
        1 if world.site.kind == "zone" else 2
    )
    assert not VerdictVersion.objects.filter(act_due=True).exists()


def test_no_plate_lies_in_a_case(operator: User) -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    case_dismiss(
        case_id=Case.objects.get().pk,
        user=operator,
        reason="goodwill",
        note="1AB 9999 was the neighbour",
        now=park.now,
    )
    with connection.cursor() as cursor:
        for table in ("cases_case", "cases_caseevent", "cases_evidence", "audit_auditrow"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            text = cursor.fetchone()[0]
            assert "1AB2345" not in text.replace(" ", "")
            if table in ("cases_case", "cases_caseevent"):
                assert "1AB9999" in text.replace(" ", ""), "the search finds what lies in clear"


# --- what the database itself refuses ------------------------------------------------------------


def _raw(statement: str, *values: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


ALLOWED = {
    "candidate": {"review", "confirmed", "closed", "dismissed"},
    "review": {"candidate", "confirmed", "closed", "dismissed"},
    "confirmed": {"dismissed", "notice-issued"},
    "notice-issued": {"paid", "appealed", "cancelled", "written-off"},
    "appealed": {"upheld", "cancelled", "paid", "written-off"},
    "upheld": {"paid", "cancelled", "written-off"},
    "paid": {"cancelled"},
    "cancelled": set(),
    "written-off": set(),
    "dismissed": set(),
    "closed": set(),
}
WAY = {
    "candidate": (),
    "review": ("review",),
    "confirmed": ("confirmed",),
    "notice-issued": ("confirmed", "notice-issued"),
    "appealed": ("confirmed", "notice-issued", "appealed"),
    "upheld": ("confirmed", "notice-issued", "appealed", "upheld"),
    "paid": ("confirmed", "notice-issued", "paid"),
    "cancelled": ("confirmed", "notice-issued", "cancelled"),
    "written-off": ("confirmed", "notice-issued", "written-off"),
    "dismissed": ("dismissed",),
    "closed": ("closed",),
}
CLOSING = {"paid", "cancelled", "written-off", "dismissed", "closed"}


def _go(case: Case, state: str, operator: User) -> None:
    before = Case.objects.values_list("state", flat=True).get(pk=case.pk)
    _raw(
        "UPDATE cases_case SET state = %s, decided_at = now(), decided_by_id = %s,"
        " decision_reason = 'goodwill', closed_at = CASE WHEN %s THEN now() END,"
        " issued_at = CASE WHEN %s THEN now() END, currency = 'GBP', amount = 1,"
        " due_on = now()::date WHERE id = %s;"
        "INSERT INTO cases_caseevent"
        " (id, case_id, at, from_state, to_state, actor, reason, note, turn)"
        " VALUES (gen_random_uuid(), %s, now(), %s, %s, 'olga', 'goodwill', '', 0)",
        state,
        operator.pk,
        state in CLOSING,
        state not in ("candidate", "review", "confirmed", "dismissed", "closed"),
        case.pk,
        case.pk,
        before,
        state,
    )


@pytest.mark.parametrize("start", list(WAY))
def test_the_database_refuses_every_other_way(start: str, operator: User) -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    case = Case.objects.get()
    for step in WAY[start]:
        _go(case, step, operator)
    for state in Case.State.values:
        case.refresh_from_db()
        assert case.state == start
        if state == start:
            continue
        if state in ALLOWED[start]:
            with pytest.raises(_Undone), transaction.atomic():
                _go(case, state, operator)
                raise _Undone
        else:
            with pytest.raises(DatabaseError, match="can't go from"):
                _go(case, state, operator)


class _Undone(Exception):
    """Takes a step back that was allowed."""


def test_a_case_begins_open_and_keeps_its_name() -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    case = Case.objects.get()
    with pytest.raises(DatabaseError, match="keeps its number"):
        _raw("UPDATE cases_case SET number = '2026-999999' WHERE id = %s", case.pk)
    with pytest.raises(DatabaseError, match="begins as"):
        Case(
            number="2026-999998",
            site=case.site,
            subject_key="visit:other",
            state="confirmed",
            verdict="unpaid",
            reason="no-right",
            verdict_id=case.verdict_id,
            seen_from=case.seen_from,
            seen_to=case.seen_to,
            text=case.text,
            token_exact=case.token_exact,
            confidence=1.0,
            opened_at=case.opened_at,
            decided_at=case.opened_at,
            data_class=case.data_class,
            data_key=case.data_key,
        ).save()


def test_the_database_refuses_a_second_live_case_and_a_decision_without_who() -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    case = Case.objects.get()
    with pytest.raises(DatabaseError, match="decided_case_says_who_when_why"):
        _raw("UPDATE cases_case SET state = 'dismissed', closed_at = now() WHERE id = %s", case.pk)
    with pytest.raises(DatabaseError, match="nothing is confirmed without a person"):
        _raw("UPDATE cases_case SET state = 'confirmed' WHERE id = %s", case.pk)
    case.pk = None
    case.id = case._meta.get_field("id").get_default()
    case.number = "2026-999997"
    with pytest.raises(DatabaseError, match="one_live_case_per_subject"), transaction.atomic():
        case.save(force_insert=True)


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_history_is_append_only_and_goes_only_with_its_case() -> None:
    park = car_park()
    unpaid_stay(park)
    act(park)
    event = CaseEvent.objects.get()
    with pytest.raises(DatabaseError, match="append-only"):
        _raw("UPDATE cases_caseevent SET actor = 'somebody' WHERE id = %s", event.pk)
    with pytest.raises(DatabaseError, match="append-only"):
        _raw("DELETE FROM cases_caseevent WHERE id = %s", event.pk)
    assert CaseEvent.objects.count() == 1
    Case.objects.get().delete()
    assert not CaseEvent.objects.exists()
    assert not Evidence.objects.exists()


def test_the_queue_is_of_ones_own_sites_oldest_first() -> None:
    park, other = car_park(), car_park("other")
    unpaid_stay(park)
    act(park)
    unpaid_stay(other, "3CD4567")
    other.now = at("11:00")
    act(other)
    sites = type(park.site).objects.all()
    assert [case.site for case in cases_queue(sites)] == [park.site, other.site]
    mine = sites.filter(pk=other.site.pk)
    assert [case.site for case in cases_queue(mine)] == [other.site]
    assert not cases_queue(sites, state="confirmed").exists()
