"""Forgetting neither too early, nor too late, nor without a trace, whatever else goes on."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError, transaction

from audit.models import AuditRow
from cameras.models import Capture
from core.errors import BadInput
from core.models import User
from enforcement.cases.history import JUDGE, event_add
from enforcement.cases.models import Case
from enforcement.retention import selection, services
from enforcement.retention.leftovers import NAMING, SEALED_MODELS
from enforcement.retention.models import ErasureReport, Policy
from enforcement.retention.services import (
    forget,
    hold_place,
    passages_erase,
    policy_set,
    strays_erase,
)
from enforcement.rights.models import Right
from enforcement.visits.models import VerdictVersion
from enforcement.watchlist.models import Alert, Entry
from plates.gathering import reads_gather
from plates.models import Passage, PlateRead
from plates.services import captures_recognise
from tests.integration.road import ROBOT, Road
from vault import blind
from vault.models import DataClass, DataKey, Sealed, SealedRow

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
JPEG = b"\xff\xd8\xff\xe0 not looked at by a finished read \xff\xd9"
WINDOW = {
    "days": [1, 2, 3, 4, 5],
    "from": "07:00",
    "to": "18:00",
    "holidays": [],
    "pay_until": "P3D midnight",
}


@pytest.fixture
def gantry() -> Road:
    return Road("vignette", {"north": "passing"}, T, scheme="CZ")


def vignette(road: Road, plate: str) -> None:
    road.right(
        T, kind="vignette", scheme="CZ", product="annual", plate=plate, country="CZ",
        first_day="2026-01-01", bought_at="2025-12-30T10:00:00+00:00",
    )  # fmt: skip


def settled(road: Road, plate: str, at: datetime = T) -> Capture:
    """Seen, judged, every camera heard past it."""
    capture = road.send(plate, "north", at, picture=JPEG)
    road.turn(at)
    road.report(at + 5 * MINUTE)
    road.turn(at + 5 * MINUTE)
    return capture


def keep(road: Road, data_class: str, minutes: int) -> None:
    policy_set(site=road.site, data_class=data_class, keep_minutes=minutes, why="a test",
               actor=ROBOT)  # fmt: skip


# --- not too early --------------------------------------------------------------------------------


def test_a_late_read_that_comes_while_forgetting_is_not_forgotten_with_the_rest(
    gantry: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    vignette(gantry, "1AB2345")
    settled(gantry, "1AB2345")
    real: Callable[..., selection.Facts] = selection.facts_of

    def meanwhile(passages: list[Passage]) -> selection.Facts:
        facts = real(passages)
        gantry.send("1AB2345", "north", T + 10 * SECOND, now=T + HOUR)
        captures_recognise(now=T + HOUR)
        reads_gather(now=T + HOUR)
        return facts

    with monkeypatch.context() as patch:
        patch.setattr(selection, "facts_of", meanwhile)
        forget(now=T + HOUR)
    passage = Passage.objects.get()
    assert (passage.reads, passage.status) == (2, "open")
    assert PlateRead.objects.count() == 2
    gantry.turn(T + HOUR)
    forget(now=T + HOUR)
    assert not PlateRead.objects.exists()


def test_a_vehicle_that_a_late_read_reopened_is_pending_again(gantry: Road) -> None:
    keep(gantry, DataClass.COMPLIANT, 10)
    vignette(gantry, "1AB2345")
    settled(gantry, "1AB2345")
    forget(now=T + 6 * MINUTE)
    assert Passage.objects.get().data_class == DataClass.COMPLIANT
    gantry.send("1AB2345", "north", T + 10 * SECOND, now=T + 7 * MINUTE)
    captures_recognise(now=T + 7 * MINUTE)
    reads_gather(now=T + 7 * MINUTE)  # … and the judge is busy
    forget(now=T + 20 * MINUTE)
    assert Passage.objects.get().data_class == DataClass.PENDING
    assert {read.data_class for read in PlateRead.objects.all()} == {DataClass.PENDING}
    gantry.turn(T + 21 * MINUTE)
    forget(now=T + 21 * MINUTE)
    assert {read.data_class for read in PlateRead.objects.all()} == {DataClass.COMPLIANT}
    forget(now=T + 32 * MINUTE)
    assert not PlateRead.objects.exists()


def test_a_charged_day_is_kept_until_it_can_no_longer_be_paid_and_a_day_more() -> None:
    zone = Road("zone", {"north": "passing"}, T, window=WINDOW)
    zone.send("1AB2345", "north", T, picture=JPEG)
    zone.turn(T)
    verdict = VerdictVersion.objects.get(current=True)
    deadline = datetime(2026, 3, 5, 23, 0, tzinfo=UTC)  # Friday's midnight in Prague
    assert (verdict.verdict, verdict.due_at) == ("pending", deadline)
    for now in (T + 2 * DAY, T + 3 * DAY, deadline, deadline + DAY - SECOND):
        forget(now=now)
        assert PlateRead.objects.exists(), now
    forget(now=deadline + DAY)
    assert not PlateRead.objects.exists()


def test_an_unpaid_day_becomes_a_case_before_it_is_forgotten() -> None:
    zone = Road("zone", {"north": "passing"}, T, window=WINDOW)
    zone.send("1AB2345", "north", T, picture=JPEG)
    zone.turn(T)
    deadline = datetime(2026, 3, 5, 23, 0, tzinfo=UTC)
    for hours in range(0, 90, 6):
        forget(now=T + hours * HOUR)
    zone.report(deadline + MINUTE)
    zone.turn(deadline + MINUTE)
    case = Case.objects.get()
    assert (case.verdict, case.evidence.count()) == ("unpaid", 1)


def test_a_read_that_nobody_watched_is_not_forgotten_before_it_is(gantry: Road) -> None:
    vignette(gantry, "6C28157")
    gantry.watch("6C28157", T - DAY, T + 90 * DAY)
    settled(gantry, "6C28157")
    Alert.objects.all().delete()
    PlateRead.objects.update(watched_at=None)  # the stage `watch` is behind
    forget(now=T + HOUR)
    assert PlateRead.objects.exists()
    gantry.turn(T + HOUR)
    forget(now=T + HOUR)
    assert Alert.objects.exists()
    assert PlateRead.objects.get().data_class == DataClass.WATCHLIST


def test_a_hit_whose_verdict_never_came_is_kept_as_long_as_any_hit(gantry: Road) -> None:
    gantry.watch("6C28157", T - DAY, T + 90 * DAY)
    gantry.send("6C28157", "north", T, picture=JPEG)
    gantry.turn(T)  # no camera ever reports past it
    forget(now=T + 2 * DAY)
    forget(now=T + 3 * DAY - SECOND)
    assert PlateRead.objects.get().data_class == DataClass.WATCHLIST
    forget(now=T + 3 * DAY)
    assert not PlateRead.objects.exists()


# --- not too late ---------------------------------------------------------------------------------


def test_what_matched_nothing_is_counted_from_its_receipt(gantry: Road) -> None:
    keep(gantry, DataClass.UNMATCHED, 3 * 24 * 60)
    settled(gantry, "1AB2345")
    VerdictVersion.objects.filter(current=True).update(verdict="none")
    Passage.objects.update(final_at=T + DAY)
    with transaction.atomic():
        case = Case.objects.get()
        before, case.state, case.closed_at = case.state, "closed", T
        case.save()
        event_add(case, before, JUDGE, "paid-late", "", T)
    forget(now=T + DAY)
    assert PlateRead.objects.get().data_class == DataClass.UNMATCHED
    assert Passage.objects.get().class_since == T
    forget(now=T + 3 * DAY - SECOND)
    assert PlateRead.objects.exists()
    forget(now=T + 3 * DAY)
    assert not PlateRead.objects.exists()


def test_that_a_listed_plate_was_here_is_forgotten_with_the_hit(gantry: Road) -> None:
    vignette(gantry, "6C28157")
    gantry.watch("6C28157", T - DAY, T + 90 * DAY)
    settled(gantry, "6C28157")
    forget(now=T + 3 * DAY - SECOND)
    assert Alert.objects.exists()
    forget(now=T + 3 * DAY)
    assert not Alert.objects.exists(), "its entry, and so the plate, is known for 90 days more"
    assert Entry.objects.exists()


def test_one_broken_row_or_site_keeps_nothing_else_from_being_forgotten(
    gantry: Road, sealed_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(gantry, DataClass.COMPLIANT, 10)
    for plate, at in (("1AB2345", T), ("2CD3456", T + HOUR)):
        vignette(gantry, plate)
        settled(gantry, plate, at)
    lost = Capture.objects.order_by("captured_at")[0]
    (sealed_store / lost.picture).unlink()
    forget(now=T + 2 * HOUR)
    by_class = dict(Passage.objects.values_list("first_at", "data_class"))
    assert by_class == {T: DataClass.PENDING}, "compliant since long: gone; the broken one waits"
    forget(now=T + 2 * DAY)
    assert not Passage.objects.exists()

    other = Road("vignette", {"north": "passing"}, T, scheme="CZ")
    settled(other, "1AB2345", T + 3 * DAY)
    real = services._site
    broken = other.site.pk

    def trips(site: Any, *rest: Any) -> Any:
        if site.pk == broken:
            raise RuntimeError("tripped")
        return real(site, *rest)

    monkeypatch.setattr(services, "_site", trips)
    settled(gantry, "1AB2345", T + 3 * DAY)
    forget(now=T + 4 * DAY)
    assert set(Passage.objects.values_list("site_id", flat=True)) == {broken}


def test_a_picture_that_could_not_be_read_for_days_is_not_kept_for_ever(
    gantry: Road, sealed_store: Path
) -> None:
    keep(gantry, DataClass.DEVICE_IMAGE, 0)
    waiting = gantry.send("1AB2345", "north", T, picture=JPEG)
    forget(now=T + 2 * DAY - SECOND)
    assert Capture.objects.get(pk=waiting.pk).picture
    forget(now=T + 2 * DAY)
    emptied = Capture.objects.get(pk=waiting.pk)
    assert (emptied.picture, emptied.read, emptied.status) == ("", None, "received")
    assert not list(sealed_store.rglob("*.sealed"))
    captures_recognise(now=T + 2 * DAY)
    failed = Capture.objects.get(pk=waiting.pk)
    assert (failed.status, failed.failure) == ("failed", "picture_gone")


def test_a_read_that_could_never_be_gathered_goes_with_the_pending_ones(
    gantry: Road, sealed_store: Path
) -> None:
    capture = gantry.send("1AB2345", "north", T, picture=JPEG)
    captures_recognise(now=T)
    PlateRead.objects.update(text=Sealed(b"\1" + bytes(60)))
    gantry.turn(T)
    assert strays_erase(now=T + 2 * DAY - SECOND) == 0
    assert strays_erase(now=T + 2 * DAY) == 1
    assert not PlateRead.objects.exists()
    assert Capture.objects.get(pk=capture.pk).picture == ""
    assert not list(sealed_store.rglob("*.sealed"))
    assert ErasureReport.objects.get().reads == 1


def test_a_held_stray_stays(gantry: Road) -> None:
    user = User.objects.create(username="hana", email="hana@x.invalid")
    hold_place(
        reference="court 12/26", reason="ordered", user=user, actor=ROBOT, now=T,
        token_exact=blind.exact("1AB2345"),
    )  # fmt: skip
    gantry.send("1AB2345", "north", T)
    captures_recognise(now=T)
    assert strays_erase(now=T + 9 * DAY) == 0


# --- not without a trace --------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["ErasureReport.objects.create", "record"])
def test_nothing_goes_without_its_report_and_its_audit_row(
    gantry: Road, sealed_store: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    vignette(gantry, "1AB2345")
    settled(gantry, "1AB2345")

    def dies(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the process was killed here")

    with monkeypatch.context() as patch:
        patch.setattr(f"enforcement.retention.erasing.{where}", dies)
        with pytest.raises(OperationalError):
            forget(now=T + HOUR)
    assert PlateRead.objects.count() == 1
    assert len(list(sealed_store.rglob("*.sealed"))) == 1
    forget(now=T + HOUR)
    assert not PlateRead.objects.exists()
    assert not list(sealed_store.rglob("*.sealed"))
    report = ErasureReport.objects.get()
    assert (report.data_class, report.reads, report.passages, report.pictures) == (
        "compliant", 1, 1, 1,
    )  # fmt: skip
    row = AuditRow.objects.get(action="erase")
    assert (row.actor, row.purpose, row.subject, row.count) == (
        "forget",
        "retention",
        "compliant",
        1,
    )
    assert row.detail == {"reads": 1, "passages": 1, "pictures": 1}


def test_erasing_by_hand_is_written_down_too(gantry: Road) -> None:
    settled(gantry, "1AB2345")
    passages_erase([Passage.objects.get().pk], site=gantry.site, now=T + HOUR)
    assert ErasureReport.objects.get().passages == 1
    assert AuditRow.objects.filter(action="erase").count() == 1
    passages_erase([uuid.uuid4()], site=gantry.site, now=T + HOUR)
    assert ErasureReport.objects.count() == 1


def test_rights_and_entries_that_go_are_written_down(gantry: Road) -> None:
    vignette(gantry, "1AB2345")
    gantry.watch("6C28157", T - DAY, T + DAY)
    forget(now=T + 30 * DAY)
    assert AuditRow.objects.filter(action="erase").count() == 0
    forget(now=T + 31 * DAY)
    assert not Entry.objects.exists()
    ended = Right.objects.get().ends_at
    assert ended is not None
    forget(now=ended + 30 * DAY)
    assert not Right.objects.exists()
    gone = AuditRow.objects.filter(action="erase").order_by("id")
    assert [(row.subject, row.count) for row in gone] == [
        ("watchlist.entry", 1),
        ("rights.right", 1),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_class": DataClass.RIGHT},
        {"data_class": DataClass.ENTRY},
        {"keep_minutes": -1},
        {"keep_minutes": 2**31 - 1},
    ],
)
def test_a_policy_that_would_have_no_effect_or_stop_all_forgetting_is_refused(
    gantry: Road, wrong: dict[str, Any]
) -> None:
    asked = {"data_class": DataClass.CASE, "keep_minutes": 10, **wrong}
    with pytest.raises(BadInput) as refused:
        policy_set(site=gantry.site, why="law", actor=ROBOT, **asked)
    assert refused.value.field in wrong
    assert not Policy.objects.exists()


# --- keys -----------------------------------------------------------------------------------------


def test_every_sealed_table_is_asked_before_a_key_is_destroyed() -> None:
    sealed = {model for model in apps.get_models() if issubclass(model, SealedRow)}
    assert set(SEALED_MODELS) == sealed


def test_every_row_that_names_a_file_is_asked_before_it_counts_as_an_orphan() -> None:
    naming = {
        (model, field.name)
        for model in apps.get_models()
        if issubclass(model, SealedRow)
        for field in model._meta.concrete_fields
        if field.name in ("picture", "crop", "pdf")
    }
    assert {(model, name) for model, names in NAMING for name in names} == naming


def test_a_key_in_use_anywhere_lives(gantry: Road) -> None:
    settled(gantry, "7U15392")  # unpaid: a case, its evidence
    gantry.watch("6C28157", T, T + 90 * DAY)
    waiting = gantry.send("1AB2345", "north", T + HOUR)  # not recognised yet
    vignette(gantry, "1AB2345")
    for days in (1, 2, 20):
        services.keys_destroy_unused(now=T + days * DAY)
    live = set(DataKey.objects.using("keys").filter(destroyed_at=None).values_list("pk", flat=True))
    used = {
        key
        for model in SEALED_MODELS
        for key in model._default_manager.values_list("data_key", flat=True)
    }
    assert live == used
    assert waiting.data_key in live


def test_asking_for_unused_keys_takes_few_queries_however_many_keys_there_are(
    gantry: Road, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        DataKey.objects.using("keys").create(
            scope=f"s{number}", day=T.date(), data_class="right", master_key=1, wrapped=b"x"
        )
    settled(gantry, "7U15392")
    in_use = Passage.objects.get().data_key
    DataKey.objects.using("keys").filter(pk=in_use).update(day=T.date())
    with django_assert_max_num_queries(len(SEALED_MODELS)):
        assert services.keys_destroy_unused(now=T + 9 * DAY) >= 30
