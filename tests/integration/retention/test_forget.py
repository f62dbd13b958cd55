"""Forgetting on time: compliant vehicles at once, others by their class's clock, holds excepted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command

from cameras.models import Capture
from core.models import User
from enforcement.cases.decisions import case_dismiss
from enforcement.cases.models import Case, Evidence
from enforcement.retention.models import ErasureReport, Policy
from enforcement.retention.services import (
    forget,
    hold_lift,
    hold_place,
    orphans_remove,
    policy_set,
)
from enforcement.visits.models import VerdictVersion, Visit
from plates.models import Passage, PlateRead
from tests.integration.road import ROBOT, Road, outcome
from vault import blind, files, keys
from vault.models import DataClass, DataKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
JPEG = b"\xff\xd8\xff\xe0 not looked at by a finished read \xff\xd9"


@pytest.fixture
def gantry() -> Road:
    return Road("vignette", {"north": "passing"}, T, scheme="CZ")


def vignette(road: Road, plate: str) -> None:
    road.right(
        T, kind="vignette", scheme="CZ", product="annual", plate=plate, country="CZ",
        first_day="2026-01-01", bought_at="2025-12-30T10:00:00+00:00",
    )  # fmt: skip


def seen_and_final(road: Road, plate: str, at: datetime = T) -> Capture:
    capture = road.send(plate, "north", at, picture=JPEG)
    road.turn(at)
    road.report(at + 5 * MINUTE)
    road.turn(at + 5 * MINUTE)
    return capture


def files_in(store: Path) -> int:
    return len(list(store.rglob("*.sealed")))


def test_a_compliant_vehicle_is_gone_as_soon_as_nothing_can_change_it(
    gantry: Road, sealed_store: Path
) -> None:
    vignette(gantry, "1AB2345")
    capture = gantry.send("1AB2345", "north", T, picture=JPEG)
    gantry.turn(T)
    forget(now=T + MINUTE)
    assert PlateRead.objects.count() == 1, "a camera may still report: pending, not compliant"
    gantry.report(T + 5 * MINUTE)
    gantry.turn(T + 5 * MINUTE)
    forget(now=T + 5 * MINUTE)
    assert not PlateRead.objects.exists()
    assert not Passage.objects.exists()
    assert files_in(sealed_store) == 0
    kept = Capture.objects.get(pk=capture.pk)
    assert (kept.picture, kept.crop, kept.read) == ("", "", None)
    assert kept.outcome["verdicts"]["0"]["verdict"] == "paid"
    assert kept.outcome["forgotten"] is True
    verdict = VerdictVersion.objects.get(current=True)
    assert (verdict.verdict, verdict.right_id, verdict.explanation) == ("paid", None, [])
    report = ErasureReport.objects.get()
    assert (report.data_class, report.reads, report.passages) == ("compliant", 1, 1)


def test_a_site_that_keeps_compliant_reads_seals_them_anew_and_keeps_them_that_long(
    gantry: Road, sealed_store: Path
) -> None:
    policy_set(
        site=gantry.site, data_class=DataClass.COMPLIANT, keep_minutes=10, why="a demo", actor=ROBOT
    )
    vignette(gantry, "1AB2345")
    seen_and_final(gantry, "1AB2345")
    forget(now=T + 5 * MINUTE)
    read = PlateRead.objects.get()
    assert read.data_class == DataClass.COMPLIANT
    key = DataKey.objects.using("keys").get(pk=read.data_key)
    assert key.data_class == DataClass.COMPLIANT
    assert Capture.objects.get().data_key == read.data_key
    forget(now=T + 14 * MINUTE)
    assert PlateRead.objects.exists()
    forget(now=T + 15 * MINUTE)
    assert not PlateRead.objects.exists()
    assert files_in(sealed_store) == 0


def test_a_dry_run_shows_the_same_and_changes_nothing(
    gantry: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    vignette(gantry, "1AB2345")
    seen_and_final(gantry, "1AB2345")
    now = T + 5 * MINUTE
    shown = forget(now=now, dry_run=True)
    assert PlateRead.objects.count() == 1
    assert not ErasureReport.objects.exists()
    done = forget(now=now)
    assert [(x.data_class, x.counts["reads"]) for x in shown] == [("compliant", 1)]
    assert [(x.data_class, x.counts["reads"]) for x in done] == [("compliant", 1)]
    call_command("forget", "--dry-run")
    assert "nothing is due" in capsys.readouterr().out


def test_what_a_case_needs_stays_until_the_case_is_over(gantry: Road, sealed_store: Path) -> None:
    seen_and_final(gantry, "7U15392")
    case = Case.objects.get()
    assert case.state == "candidate"
    for later in (HOUR, 5 * DAY, 80 * DAY):
        forget(now=T + later)
    assert Evidence.objects.filter(case=case).count() == 1
    assert PlateRead.objects.get().data_class == DataClass.CASE
    user = User.objects.create(username="ola", email="ola@x.invalid")
    over = T + 81 * DAY
    case_dismiss(case_id=case.pk, user=user, reason="picture-unclear", note="", now=over)
    forget(now=over)
    forget(now=over + 4 * DAY)
    assert not PlateRead.objects.exists()
    assert Evidence.objects.exists(), "evidence is kept 90 days after the case closed"
    forget(now=over + 90 * DAY)
    assert not Case.objects.exists()
    assert not Evidence.objects.exists()
    assert files_in(sealed_store) == 0


def test_a_watchlist_hit_is_kept_by_its_own_clock(gantry: Road) -> None:
    vignette(gantry, "6C28157")
    gantry.watch("6C28157", T - DAY, T + 90 * DAY)
    seen_and_final(gantry, "6C28157")
    forget(now=T + 5 * MINUTE)
    assert PlateRead.objects.get().data_class == DataClass.WATCHLIST
    forget(now=T + 2 * DAY)
    assert PlateRead.objects.exists()
    forget(now=T + 3 * DAY + 5 * MINUTE)
    assert not PlateRead.objects.exists()


def test_a_pending_read_ends_with_its_deadline(gantry: Road) -> None:
    vignette(gantry, "1AB2345")
    gantry.send("1AB2345", "north", T, picture=JPEG)
    gantry.turn(T)  # the camera never reports past it
    forget(now=T + DAY)
    assert PlateRead.objects.exists()
    forget(now=T + 2 * DAY)  # longest stay (a day) and 24 h
    assert not PlateRead.objects.exists()


def test_an_unreadable_picture_goes_by_the_clock_of_device_images(
    gantry: Road, sealed_store: Path
) -> None:
    capture = gantry.send("1AB2345", "north", T, picture=JPEG)
    Capture.objects.filter(pk=capture.pk).update(status="unreadable")
    forget(now=T + 2 * DAY)
    assert files_in(sealed_store) == 1
    forget(now=T + 3 * DAY)
    assert files_in(sealed_store) == 0
    assert Capture.objects.get(pk=capture.pk).read is None


def test_a_legal_hold_exempts_a_plate_until_it_is_lifted(gantry: Road) -> None:
    user = User.objects.create(username="hana", email="hana@x.invalid")
    hold = hold_place(
        reference="court 12/26", reason="ordered", user=user, actor=ROBOT, now=T,
        token_exact=blind.exact("1AB2345"),
    )  # fmt: skip
    for plate in ("1AB2345", "2AC6789"):
        vignette(gantry, plate)
    seen_and_final(gantry, "1AB2345")
    seen_and_final(gantry, "2AC6789", T + HOUR)
    forget(now=T + 2 * DAY)
    assert [read.token_exact for read in PlateRead.objects.all()] == [blind.exact("1AB2345")]
    hold_lift(hold_id=hold.pk, user=user, actor=ROBOT, now=T + 2 * DAY)
    forget(now=T + 2 * DAY)
    assert not PlateRead.objects.exists()


def test_a_paid_stay_is_forgotten_with_its_visit() -> None:
    road = Road("parking", {"in": "entry", "out": "exit"}, T)
    road.right(
        T, kind="payment", site=road.site.slug, plate="1AB2345", country="CZ",
        **{"from": T.isoformat(), "to": (T + HOUR).isoformat()},
    )  # fmt: skip
    road.send("1AB2345", "in", T)
    road.turn(T)
    last = road.send("1AB2345", "out", T + 50 * MINUTE)
    road.turn(T + 50 * MINUTE)
    road.report(T + HOUR)
    road.turn(T + HOUR)
    assert outcome(last)["verdicts"]["0"]["verdict"] == "paid"
    forget(now=T + HOUR)
    assert not Passage.objects.exists()
    assert not Visit.objects.exists()


def test_keys_of_past_days_that_seal_nothing_are_destroyed(gantry: Road) -> None:
    vignette(gantry, "1AB2345")
    gantry.send("1AB2345", "north", T, picture=JPEG)
    gantry.turn(T)
    key = PlateRead.objects.get().data_key
    gantry.report(T + 5 * MINUTE)
    gantry.turn(T + 5 * MINUTE)
    forget(now=T + 5 * MINUTE)
    assert DataKey.objects.using("keys").get(pk=key).wrapped is not None, "it may seal again today"
    forget(now=T + 2 * DAY)
    assert DataKey.objects.using("keys").get(pk=key).wrapped is None
    with pytest.raises(keys.KeyDestroyed):
        keys.raw_key(key)
    vignette_key = DataKey.objects.using("keys").get(data_class=DataClass.RIGHT)
    assert vignette_key.destroyed_at is None, "the vignette is still sealed with it"


def test_forgetting_twice_or_never_interrupted_is_the_same(gantry: Road) -> None:
    vignette(gantry, "1AB2345")
    seen_and_final(gantry, "1AB2345")
    forget(now=T + HOUR)
    assert forget(now=T + HOUR) == []
    assert ErasureReport.objects.count() == 1


def test_policies_without_a_reason_are_refused(gantry: Road) -> None:
    from core.errors import BadInput

    for wrong in ({"why": " "}, {"data_class": "everything"}):
        asked = {"data_class": "pending", "why": "law", **wrong}
        with pytest.raises(BadInput):
            policy_set(site=gantry.site, keep_minutes=1, actor=ROBOT, **asked)
    assert not Policy.objects.exists()


def test_a_file_without_a_row_is_found_and_one_with_a_row_is_not_touched(
    gantry: Road, sealed_store: Path
) -> None:
    gantry.send("1AB2345", "north", T, picture=JPEG)
    files.put(b"left behind by a crash", now=T)
    assert orphans_remove(now=T + HOUR) == 0, "its row may be about to commit"
    assert orphans_remove(now=T + 3 * DAY) == 1
    assert files_in(sealed_store) == 1
    assert (sealed_store / Capture.objects.get().picture).exists()
