"""A late read between two passages of one vehicle shows that they were one, and nothing of the
second is left: no visit, no verdict, no case."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cameras.intake import Sent
from cameras.models import Camera
from cameras.services import capture_receive
from enforcement.cases.models import Case
from enforcement.visits.models import VerdictVersion, Visit
from plates.gathering import passages_close, reads_gather
from plates.models import Passage, PlateRead
from plates.services import captures_recognise
from tests.integration.road import Road, outcome

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def see(road: Road, text: str, second: int, camera: str = "north", **more: Any) -> PlateRead:
    read = {"text": text, "score": 0.95, "country": "CZ", **more}
    at = T + second * SECOND
    sent = Sent(kind="read", captured_at=at, event=f"id:{uuid.uuid4()}", read=read)
    now = max(at, T + 5 * MINUTE)
    capture = capture_receive(camera=road.camera(camera), sent=sent, now=now)
    captures_recognise(now=now)
    while reads_gather(now=now):
        pass
    return PlateRead.objects.get(capture_id=capture.pk)


def spans() -> list[tuple[int, int, int]]:
    return [
        (int((one.first_at - T).total_seconds()), int((one.last_at - T).total_seconds()), one.reads)
        for one in Passage.objects.filter(reads__gt=0).order_by("first_at")
    ]


@pytest.fixture
def gantry() -> Road:
    return Road("vignette", {"north": "passing"}, T, scheme="CZ")


@pytest.mark.parametrize("order", list(itertools.permutations((0, 40, 80, 120))))
def test_the_order_of_arrival_does_not_matter(gantry: Road, order: tuple[int, ...]) -> None:
    for second in order:
        see(gantry, "1AB2345", second)
    assert spans() == [(0, 120, 4)]
    passage = Passage.objects.get(reads__gt=0)
    assert set(PlateRead.objects.values_list("passage_id", flat=True)) == {passage.pk}
    assert passage.first_read_id == PlateRead.objects.order_by("captured_at")[0].pk


def test_a_read_that_could_be_either_does_not_make_two_neighbours_one(gantry: Road) -> None:
    sure = {"char_scores": [0.99] * 7}
    see(gantry, "1AB2345", 0, **sure)
    see(gantry, "1AB2346", 2, **sure)
    see(gantry, "1AB2347", 1, score=0.5, char_scores=[0.99] * 6 + [0.4])
    assert sorted(spans()) == [(0, 1, 2), (2, 2, 1)]


def test_quarantined_passages_bridge_nothing_but_each_other(gantry: Road) -> None:
    see(gantry, "1AB2345", 0)
    see(gantry, "1AB2345", 80)
    read = see(gantry, "1AB2345", 200)
    PlateRead.objects.filter(pk=read.pk).update(quarantined=True, passage_id=None)
    Passage.objects.filter(first_at=T + 200 * SECOND).delete()
    PlateRead.objects.filter(pk=read.pk).update(captured_at=T + 40 * SECOND)
    reads_gather(now=T + MINUTE)
    assert spans() == [(0, 0, 1), (40, 40, 1), (80, 80, 1)]


def test_the_second_passages_verdict_and_case_fall(gantry: Road) -> None:
    see(gantry, "7U15392", 0)
    see(gantry, "7U15392", 80)
    gantry.report(T + 10 * MINUTE)
    gantry.turn(T + 10 * MINUTE)
    assert Case.objects.filter(state="candidate").count() == 2
    bridge = see(gantry, "7U15392", 40)
    gantry.turn(T + 11 * MINUTE)
    passage = Passage.objects.get()
    assert (passage.reads, passage.status) == (3, "closed")
    assert VerdictVersion.objects.get(current=True).passage_id == passage.pk
    assert VerdictVersion.objects.get(current=True).verdict == "unpaid"
    live = Case.objects.get(state="candidate")
    assert live.passage_ids == [str(passage.pk)]
    assert Case.objects.exclude(pk=live.pk).get().state == "closed"
    capture = type("", (), {"pk": bridge.capture_id})
    assert outcome(capture)["verdicts"]["0"]["verdict"] == "unpaid"  # type: ignore[arg-type]


def park() -> Road:
    return Road("parking", {"north": "entry", "south": "exit"}, T)


def test_an_open_visit_of_the_second_passage_is_dissolved() -> None:
    road = park()
    see(road, "1AB2345", 0)
    see(road, "1AB2345", 80)
    road.turn(T + 5 * MINUTE)
    assert Visit.objects.count() == 2, "in, in: the first missed its exit"
    see(road, "1AB2345", 40)
    road.turn(T + 5 * MINUTE)
    visit = Visit.objects.get()
    assert (visit.entry_passage_id, visit.status) == (Passage.objects.get().pk, "open")
    assert VerdictVersion.objects.get(current=True).visit_id == visit.pk


def test_the_exit_of_the_second_passages_visit_goes_to_the_one_that_is_left() -> None:
    road = park()
    see(road, "1AB2345", 0)
    see(road, "1AB2345", 80)
    see(road, "1AB2345", 3600, "south")
    road.report(T + 120 * MINUTE)
    road.turn(T + 120 * MINUTE)
    assert Case.objects.get().state == "candidate"
    see(road, "1AB2345", 40)
    Camera.objects.update(through=T + 130 * MINUTE)
    road.turn(T + 130 * MINUTE)
    visit = Visit.objects.get()
    entry = Passage.objects.get(camera=road.cameras["north"])
    assert (visit.entry_passage_id, visit.status, visit.entered_at) == (entry.pk, "complete", T)
    assert not Passage.objects.filter(reads=0).exists()
    states = sorted(Case.objects.values_list("state", flat=True))
    assert states == ["candidate", "closed"]
    live = Case.objects.get(state="candidate")
    assert live.visit_id == visit.pk
    assert VerdictVersion.objects.filter(current=True).count() == 1


def test_a_second_passage_that_was_never_judged_leaves_nothing_either() -> None:
    road = park()
    see(road, "1AB2345", 0)
    see(road, "1AB2345", 80)
    see(road, "1AB2345", 40)
    passages_close(now=T)
    road.turn(T + 5 * MINUTE)
    assert Passage.objects.get().reads == 3
    assert Visit.objects.count() == 1
