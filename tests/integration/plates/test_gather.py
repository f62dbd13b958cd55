"""Reads of one vehicle in view of one camera → one passage."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from audit.access import stage_batch
from audit.models import AuditRow
from cameras.intake import Sent
from cameras.models import Camera, Capture, Site
from cameras.services import capture_receive
from plates.gathering import passages_close, reads_gather
from plates.models import Passage, PlateRead
from plates.placing import MOST_READS, Placing
from plates.services import captures_recognise
from tests.integration.road import Road
from vault import blind
from vault.models import Sealed

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
VIEW = 45 * SECOND


@pytest.fixture
def road() -> Road:
    return Road("vignette", {"north": "passing", "south": "passing"}, T, scheme="CZ")


def see(
    road: Road,
    text: str,
    at: datetime = T,
    camera: str = "north",
    *,
    score: float = 0.95,
    now: datetime | None = None,
    quarantined: bool = False,
    **more: Any,
) -> PlateRead:
    """A recognised read that is not gathered yet."""
    read = {"text": text, "score": score, "country": "CZ", **more}
    sent = Sent(kind="read", captured_at=at, event=f"id:{uuid.uuid4()}", read=read)
    capture = capture_receive(camera=road.camera(camera), sent=sent, now=now or at)
    if quarantined:
        Capture.objects.filter(pk=capture.pk).update(quarantined=True)
    captures_recognise(now=now or at)
    return PlateRead.objects.get(capture_id=capture.pk)


def gather(now: datetime = T) -> int:
    done = 0
    while step := reads_gather(now=now):
        done += step
    return done


def through(road: Road, moment: datetime, camera: str = "north") -> None:
    Camera.objects.filter(pk=road.cameras[camera].pk).update(through=moment)


def says(passage: Passage) -> str:
    with stage_batch("test") as access:
        return access.text(passage)


def spans() -> list[tuple[int, int, int]]:
    """Every passage: its first and last second, and how many reads it has."""
    return [
        (
            int((one.first_at - T).total_seconds()),
            int((one.last_at - T).total_seconds()),
            one.reads,
        )
        for one in Passage.objects.order_by("first_at", "id")
    ]


def at_once(*works: Callable[[], Any]) -> list[Any]:
    gate, results = threading.Barrier(len(works)), []

    def run(work: Callable[[], Any]) -> None:
        try:
            gate.wait()
            results.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- what belongs together ------------------------------------------------------------------------


def test_one_read_is_a_passage_that_says_the_same(road: Road) -> None:
    read = see(road, "1AB2345", score=0.93)
    assert gather() == 1
    passage = Passage.objects.get()
    assert PlateRead.objects.get().passage_id == passage.pk
    assert says(passage) == "1AB2345"
    assert (passage.token_exact, passage.token_class) == (read.token_exact, read.token_class)
    assert (passage.first_read_id, passage.best_read_id) == (read.pk, read.pk)
    assert (passage.confidence, passage.country, passage.agreed) == (0.93, "CZ", True)
    assert (passage.status, passage.revision, passage.judged_revision) == ("open", 1, 0)
    assert b"1AB2345" not in bytes(passage.text) + bytes(passage.candidates)


@pytest.mark.parametrize(
    ("seconds", "passages"),
    [(0, 1), (45, 1), (46, 2), (-45, 1), (-46, 2)],
)
def test_the_debounce_takes_its_boundary_in(road: Road, seconds: int, passages: int) -> None:
    see(road, "1AB2345")
    gather()
    see(road, "1AB2345", T + seconds * SECOND, now=T + VIEW)
    gather()
    assert Passage.objects.count() == passages


def test_a_site_says_its_own_debounce(road: Road) -> None:
    Site.objects.filter(pk=road.site.pk).update(debounce_seconds=10)
    for second in (0, 10, 21):
        see(road, "1AB2345", T + second * SECOND)
    gather()
    assert spans() == [(0, 10, 2), (21, 21, 1)]


def test_a_vehicle_that_stays_in_view_stays_one_passage(road: Road) -> None:
    for second in range(0, 200, 40):
        see(road, "1AB2345", T + second * SECOND)
    gather()
    assert spans() == [(0, 160, 5)]


def test_each_camera_has_its_own_passages(road: Road) -> None:
    see(road, "1AB2345", camera="north")
    see(road, "1AB2345", camera="south")
    assert gather() == 2
    assert {passage.camera.slug for passage in Passage.objects.all()} == {"north", "south"}


def test_an_equivalent_reading_is_the_same_vehicle_and_the_surer_text_wins(road: Road) -> None:
    see(road, "1A82345", score=0.5)
    see(road, "1AB2345", T + SECOND, score=0.9)
    gather()
    passage = Passage.objects.get()
    assert says(passage) == "1AB2345"
    assert passage.agreed is False, "no two reads give this text"
    see(road, "1AB2345", T + 2 * SECOND, score=0.9)
    gather()
    passage.refresh_from_db()
    assert passage.agreed is True
    assert passage.token_exact == blind.exact("1AB2345")


def test_two_neighbours_of_a_fleet_surely_read_stay_two_vehicles(road: Road) -> None:
    sure = {"char_scores": [0.99] * 7}
    for second, text in enumerate(("1AB2345", "1AB2346", "1AB2345", "1AB2346")):
        see(road, text, T + second * SECOND, **sure)
    gather()
    assert spans() == [(0, 2, 2), (1, 3, 2)]
    assert {says(one) for one in Passage.objects.all()} == {"1AB2345", "1AB2346"}


def test_a_character_the_reader_was_unsure_of_does_not_make_another_vehicle(road: Road) -> None:
    see(road, "1AB2346", char_scores=[0.99] * 6 + [0.5], score=0.6)
    see(road, "1AB2345", T + SECOND, char_scores=[0.99] * 7)
    see(road, "1AB234", T + 2 * SECOND, score=0.4, candidates=[["1AB234", 0.4], ["1AB2345", 0.3]])
    gather()
    assert spans() == [(0, 2, 3)]
    assert says(Passage.objects.get()) == "1AB2345"


def test_what_the_reads_do_not_agree_on_is_left_open(road: Road) -> None:
    see(road, "1AB2345", country="CZ", category="car")
    see(road, "1AB2345", T + SECOND, country="SK", category="car")
    gather()
    passage = Passage.objects.get()
    assert (passage.country, passage.category) == ("", "car")


def test_quarantined_reads_gather_only_with_each_other(road: Road) -> None:
    see(road, "1AB2345")
    see(road, "1AB2345", T + SECOND, quarantined=True)
    see(road, "1AB2345", T + 2 * SECOND, quarantined=True)
    gather()
    assert spans() == [(0, 0, 1), (1, 2, 2)]
    assert [one.quarantined for one in Passage.objects.order_by("first_at")] == [False, True]


# --- late, early, many ----------------------------------------------------------------------------


def test_a_late_earlier_read_reopens_the_passage_it_belongs_to(road: Road) -> None:
    see(road, "1AB2345", T + 30 * SECOND)
    gather()
    through(road, T + 300 * SECOND)
    assert passages_close(now=T + 300 * SECOND) == 1
    closed = Passage.objects.get()
    Passage.objects.update(judged_revision=closed.revision, final_at=T + 300 * SECOND)
    late = see(road, "1AB2345", T, now=T + 400 * SECOND)
    gather(T + 400 * SECOND)
    passage = Passage.objects.get()
    assert (passage.status, passage.final_at) == ("open", None)
    assert passage.revision == closed.revision + 1 != passage.judged_revision
    assert (passage.first_at, passage.first_read_id) == (T, late.pk)
    assert passage.last_at == T + 30 * SECOND
    assert passage.received_at == T + 30 * SECOND, "the earliest receipt"


def test_more_reads_than_a_small_number_can_count(road: Road) -> None:
    # a car parked before the camera for nine hours at a read a second
    see(road, "1AB2345")
    gather()
    Passage.objects.update(reads=32_767)
    see(road, "1AB2345", T + SECOND)
    gather()
    assert Passage.objects.get().reads == 32_768


def test_a_long_stay_is_told_by_its_best_reads(road: Road) -> None:
    for second in range(MOST_READS + 5):
        see(road, "1AB2345", T + second * SECOND, score=0.5 + second / 100)
    gather()
    passage = Passage.objects.get()
    assert passage.reads == MOST_READS + 5
    best = PlateRead.objects.order_by("-score")[0]
    assert passage.best_read_id == best.pk
    see(road, "1AB2345", T + 60 * SECOND)
    gather()
    opened = AuditRow.objects.filter(actor="gather").latest("id").count
    assert opened == 2 * (MOST_READS + 1), "text and candidates of the best, and of the new one"


# --- workers --------------------------------------------------------------------------------------


def test_two_gatherers_make_one_passage_of_one_vehicle(road: Road) -> None:
    for second in range(40):
        see(road, "1AB2345", T + second * SECOND)

    def few() -> int:
        done = 0
        while step := reads_gather(now=T, limit=3):
            done += step
        return done

    results = at_once(few, few, few)
    assert sum(results) == 40
    assert spans() == [(0, 39, 40)]
    assert Passage.objects.get().revision == 40
    assert not PlateRead.objects.exclude(passage_id=Passage.objects.get().pk).exists()


def test_a_camera_that_another_worker_gathers_keeps_no_other_waiting(road: Road) -> None:
    see(road, "1AB2345", camera="north")
    see(road, "2CD3456", camera="south")
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connections["default"].cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))",
                    [str(road.cameras["north"].pk)],
                )
                locked.set()
                release.wait(30)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(30)
    try:
        assert reads_gather(now=T) == 1
        assert Passage.objects.get().camera.slug == "south"
    finally:
        release.set()
        holder.join()
    assert reads_gather(now=T) == 1


def test_a_read_that_the_watch_is_looking_at_is_gathered_all_the_same(road: Road) -> None:
    read = see(road, "1AB2345")
    locked, release = threading.Event(), threading.Event()

    def watch() -> None:
        try:
            with transaction.atomic():
                list(PlateRead.objects.select_for_update().filter(pk=read.pk))
                locked.set()
                release.wait(1)  # gathering waits for it rather than passing it over
        finally:
            connections.close_all()

    watcher = threading.Thread(target=watch)
    watcher.start()
    locked.wait(30)
    try:
        assert reads_gather(now=T) == 1
    finally:
        release.set()
        watcher.join()


def test_one_audit_row_a_camera_and_batch(road: Road) -> None:
    for second in range(3):
        see(road, "1AB2345", T + second * SECOND)
    gather()
    row = AuditRow.objects.get(actor="gather")
    assert row.tokens == [blind.exact("1AB2345")]
    assert (row.purpose, row.outcome) == ("pipeline", "done")


@pytest.mark.parametrize("vehicles", [1, 6])
def test_a_batch_costs_the_same_statements_whatever_its_size(
    road: Road, vehicles: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(vehicles):
        for camera in ("north", "south"):
            see(road, f"1AB000{number}", T + number * SECOND, camera=camera)
    with django_assert_max_num_queries(16):
        assert reads_gather(now=T) == 2 * vehicles
    for number in range(vehicles):
        see(road, f"1AB000{number}", T + (number + 9) * SECOND)
        see(road, f"1AB000{number}", T + (number + 9.1) * SECOND)
    with django_assert_max_num_queries(16):
        assert reads_gather(now=T) == 2 * vehicles
    assert Passage.objects.filter(reads=3).count() == vehicles


def test_what_cannot_be_the_vehicle_is_not_opened(road: Road) -> None:
    """Neighbours in view are told apart by the blind index: one row a batch says what was opened,
    and a vehicle that merely passed near another one is not in it."""
    for number in range(5):
        see(road, f"1AB000{number}", T + number * SECOND, char_scores=[0.99] * 7)
    gather()
    see(road, "7CD9999", T + 6 * SECOND, char_scores=[0.99] * 7)
    gather()
    row = AuditRow.objects.filter(actor="gather").latest("id")
    assert row.tokens == [blind.exact("7CD9999")]


def test_what_passed_between_two_deliveries_is_left_alone(road: Road) -> None:
    """A camera delivers what it saw an hour ago together with what it sees now, and unsurely: the
    vehicles of the hour between could be neither."""
    for place, at in enumerate((T, T + 1800 * SECOND, T + 3600 * SECOND)):
        see(road, f"1AB000{place}", at)
    gather()
    first, between, last = Passage.objects.order_by("id")
    for text, at in (("7CD9990", T - VIEW), ("7CD9991", T + 3600 * SECOND + VIEW)):
        see(road, text, at, char_scores=[0.5] * 7)
    waiting = PlateRead.objects.filter(passage_id__isnull=True).select_related("site")
    with stage_batch("gather") as access:
        looked_at = {one.pk for one in Placing(list(waiting), access, T).near}
    assert {first.pk, last.pk} <= looked_at
    assert between.pk not in looked_at


@pytest.mark.parametrize("what", ["tampered", "forgotten"])
def test_a_read_that_cannot_be_opened_holds_up_no_other(road: Road, what: str) -> None:
    broken = see(road, "1AB2345")
    sealed = bytes(broken.text)
    if what == "tampered":
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    else:
        changed = sealed[:1] + uuid.uuid4().bytes + sealed[17:]
    PlateRead.objects.filter(pk=broken.pk).update(text=Sealed(changed))
    see(road, "2CD3456", T + SECOND)
    see(road, "2CD3456", T + 2 * SECOND)
    assert gather() == 3
    assert reads_gather(now=T) == 0, "it is not asked again for ever"
    assert spans() == [(1, 2, 2)]


def test_a_passage_that_cannot_be_opened_is_simply_another_vehicle(road: Road) -> None:
    see(road, "1AB2346", char_scores=[0.99] * 6 + [0.5])
    gather()
    Passage.objects.update(text=Sealed(b"\1" + bytes(60)))
    see(road, "1AB2345", T + SECOND)
    assert gather() == 1
    assert Passage.objects.count() == 2


# --- closing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "closes"), [(0, False), (44, False), (45, False), (45.000001, True), (600, True)]
)
def test_a_passage_closes_only_past_the_watermark(road: Road, seconds: float, closes: bool) -> None:
    see(road, "1AB2345")
    gather()
    assert passages_close(now=T + 900 * SECOND) == 0, "time alone closes nothing"
    through(road, T + 900 * SECOND, camera="south")
    assert passages_close(now=T + 900 * SECOND) == 0, "nor does another camera"
    through(road, T + timedelta(seconds=seconds))
    assert passages_close(now=T + 900 * SECOND) == closes
    passage = Passage.objects.get()
    assert (passage.status, passage.revision) == (("closed", 2) if closes else ("open", 1))
    assert passages_close(now=T + 900 * SECOND) == 0


@pytest.mark.parametrize(("seconds", "waits"), [(-46, True), (-45, True), (45, True), (46, False)])
def test_a_passage_stays_open_while_what_came_up_to_its_end_is_on_its_way(
    road: Road, seconds: int, waits: bool
) -> None:
    # the device has delivered it; we have not looked at it yet. What is older can't join it either,
    # but is read first, and asking for the oldest alone costs the same however much waits
    see(road, "1AB2345")
    gather()
    through(road, T + 600 * SECOND)
    waiting = road.send("1AB2345", "north", T + seconds * SECOND, now=T + 600 * SECOND)
    road.send("1AB2345", "south", T, now=T + 600 * SECOND)
    assert passages_close(now=T + 600 * SECOND) == (not waits)
    Passage.objects.update(status="open")
    captures_recognise(now=T + 600 * SECOND)
    assert Capture.objects.get(pk=waiting.pk).status == "recognised"
    assert passages_close(now=T + 600 * SECOND) == (not waits), "a read still has to be gathered"
    gather(T + 600 * SECOND)
    passages_close(now=T + 600 * SECOND)
    north = Passage.objects.filter(camera=road.cameras["north"])
    assert {one.status for one in north} == {"closed"}
    assert len(north) == (1 if abs(seconds) <= 45 else 2)


def test_a_passage_that_grows_meanwhile_is_not_closed_by_what_was_true_before(road: Road) -> None:
    see(road, "1AB2345")
    gather()
    through(road, T + 46 * SECOND)
    joined, closing = threading.Event(), threading.Event()
    results = []

    def grow() -> None:
        try:
            with transaction.atomic():
                passage = Passage.objects.select_for_update(no_key=True).get()
                passage.last_at, passage.revision = T + 40 * SECOND, passage.revision + 1
                passage.save()
                joined.set()
                closing.wait(1)
        finally:
            connections.close_all()

    grower = threading.Thread(target=grow)
    grower.start()
    joined.wait(30)
    results.append(passages_close(now=T))
    closing.set()
    grower.join()
    results.append(passages_close(now=T))
    assert results == [0, 0]
    assert Passage.objects.get().status == "open"
