"""Correcting a read makes a new record and keeps the original; nobody is accused by the way."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from audit.access import stage_batch
from audit.models import AuditRow
from cameras.access import person_actor
from core.errors import BadInput, Conflict, NotFound
from core.models import User
from enforcement.cases.chain import chain_verify
from enforcement.cases.checking import records_differ
from enforcement.cases.corrections import evidence_correct
from enforcement.cases.decisions import case_confirm, case_dismiss
from enforcement.cases.models import Case, ChainEntry, Correction, Evidence
from enforcement.cases.packs import pack_make
from enforcement.cases.services import cases_act
from enforcement.cases.verifying import verify_bytes
from enforcement.retention.leftovers import SEALED_MODELS
from enforcement.retention.services import forget
from tests.integration.visits.world import World, at, car_park
from vault import blind, keyring

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def olga() -> User:
    return User.objects.create_user("olga", "olga@example.org", "a long enough password")


@pytest.fixture
def park() -> World:
    world = car_park()
    world.read("in", "1AB2345", at("09:00"))
    world.read("out", "1AB2345", at("10:00"))
    world.settle(at("10:05"))
    cases_act(now=world.now)
    return world


def the_read() -> Evidence:
    found = Evidence.objects.order_by("captured_at").first()
    assert found is not None
    return found


def correct(park: World, user: User, plate: str = "1AH 2345", **changes: str) -> Correction:
    given = {"reason": "seen-otherwise"} | changes
    return evidence_correct(
        evidence_id=the_read().pk, user=user, plate=plate, now=park.now, **given
    )


def texts(*rows: Case | Evidence | Correction) -> list[str]:
    with stage_batch("test") as access:
        return [access.text(row) for row in rows]


def test_the_read_stays_and_the_case_goes_by_the_correction(park: World, olga: User) -> None:
    before = AuditRow.objects.count()
    correction = correct(park, olga, note="the H is dirty")
    case = Case.objects.get()
    assert texts(the_read(), correction, case) == ["1AB2345", "1AH2345", "1AH2345"]
    assert case.token_exact == blind.exact("1AH2345")
    assert case.state == "review"
    event = case.events.last()
    assert event is not None
    assert (event.from_state, event.to_state, event.actor, event.reason, event.note) == (
        "candidate",
        "review",
        "olga",
        "seen-otherwise",
        "the H is dirty",
    )
    row = AuditRow.objects.order_by("id")[before]
    assert (row.action, row.actor, row.purpose) == ("change", "olga", "case-review")
    assert set(row.tokens) == {blind.exact("1AB2345"), blind.exact("1AH2345")}
    assert list(ChainEntry.objects.order_by("-seq").values_list("kind", flat=True)[:2]) == [
        "decision",
        "correction",
    ]
    assert chain_verify(park.site.pk).broken_at is None
    assert list(records_differ(park.site, person_actor(olga))) == []


def test_a_corrected_case_is_confirmed_only_where_no_right_names_the_corrected_plate(
    park: World, olga: User
) -> None:
    correct(park, olga)
    case = Case.objects.get()
    park.right("payment", "1AH2345", country="CZ", from_=at("08:00"), to=at("12:00"))
    with pytest.raises(Conflict) as refused:
        case_confirm(case_id=case.pk, user=olga, reason="evidence-complete", now=park.now)
    assert refused.value.code == "right_found"


def test_a_corrected_case_without_a_right_can_be_confirmed(park: World, olga: User) -> None:
    correct(park, olga)
    park.right("payment", "1AH2345", country="CZ", from_=at("08:00", 1), to=at("12:00", 1))
    case = case_confirm(
        case_id=Case.objects.get().pk, user=olga, reason="plate-checked", now=park.now
    )
    assert case.state == "confirmed"


def test_correcting_again_goes_on_from_the_last(park: World, olga: User) -> None:
    correct(park, olga)
    park.now += timedelta(minutes=1)
    correct(park, olga, "1AH2346")
    assert texts(Case.objects.get()) == ["1AH2346"]
    park.now += timedelta(minutes=1)
    correct(park, olga, "1AB2345")  # it was right after all
    assert texts(Case.objects.get(), the_read()) == ["1AB2345", "1AB2345"]
    assert Correction.objects.count() == 3


def test_correcting_one_read_to_what_the_case_goes_by_leaves_the_case(olga: User) -> None:
    park = car_park()
    park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2348", at("10:00"))
    park.settle(at("10:05"))
    cases_act(now=park.now)
    last = Evidence.objects.order_by("captured_at").last()
    assert last is not None
    before = Case.objects.get()
    evidence_correct(
        evidence_id=last.pk, user=olga, plate="1AB2345", reason="seen-otherwise", now=park.now
    )
    case = Case.objects.get()
    assert texts(case) == ["1AB2345"]
    assert case.state == before.state


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"plate": "1AB 2345"}, "not_changed"),
        ({"plate": " "}, "plate_empty"),
        ({"plate": "1AB2345" * 9}, "plate_too_long"),
        ({"reason": "because"}, "reason_required"),
        ({"country": "Czechia!"}, "unknown_country"),
        ({"note": "it says 1AH 2345"}, "names_plate"),
        ({"note": "it says 1AB-2345"}, "names_plate"),
        ({"note": "x" * 501}, "too_long"),
    ],
)
def test_bad_input_changes_nothing(
    park: World, olga: User, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        correct(park, olga, **changes)
    assert refused.value.code == code
    assert not Correction.objects.exists()
    assert Case.objects.get().state == "candidate"


def test_only_an_undecided_case_is_corrected(park: World, olga: User) -> None:
    case_dismiss(case_id=Case.objects.get().pk, user=olga, reason="misread", now=park.now)
    with pytest.raises(Conflict):
        correct(park, olga)
    with pytest.raises(NotFound):
        evidence_correct(
            evidence_id=park.site.pk, user=olga, plate="X", reason="seen-otherwise", now=park.now
        )


def test_a_country_alone_can_be_corrected(park: World, olga: User) -> None:
    correction = correct(park, olga, "1AB2345", country="SK", reason="country-seen")
    case = Case.objects.get()
    assert (correction.country, case.country, case.state) == ("SK", "SK", "review")
    assert texts(case) == ["1AB2345"]


def test_the_database_keeps_corrections(park: World, olga: User) -> None:
    correction = correct(park, olga)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Correction.objects.update(country="DE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        correction.delete()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert Correction in SEALED_MODELS  # its data key lives as long as it does


def test_a_correction_is_in_the_pack_and_goes_with_its_case(
    park: World, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEWARDEN_SIGNING_KEY", "k1:" + "AAAA" * 10 + "AAA=")
    keyring.signing.cache_clear()
    correct(park, olga)
    case = Case.objects.get()
    pack = pack_make(case_id=case.pk, actor=person_actor(olga), purpose="case-review", now=park.now)
    keyring.signing.cache_clear()
    assert verify_bytes(pack.data).problems == []
    assert b'"text": "1AH2345"' in pack.data
    assert b'"text": "1AB2345"' in pack.data
    case_dismiss(case_id=case.pk, user=olga, reason="misread", now=park.now)
    entries = ChainEntry.objects.count()
    forget(now=park.now + timedelta(days=400))
    assert (Case.objects.count(), Correction.objects.count()) == (0, 0)
    assert ChainEntry.objects.count() == entries
    assert chain_verify(park.site.pk).broken_at is None
