"""Tracks that go on by place alone, and which plates are worth reading."""

import itertools

import pytest

from edge.follow import AGAIN, EAGER, LONGEST_PAUSE, PATIENT, Follower
from inference.results import Box, Candidate, Plate
from inference.tracking import TRUSTED, Tracker


def box(x: float, y: float = 200, wide: float = 100) -> Box:
    return round(x), round(y), round(x + wide), round(y + wide / 4)


def plate(text: str, at: Box, score: float = 0.95) -> Plate:
    x1, y1, x2, y2 = at
    quad = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return Plate(text, at, quad, score, 0.9, (score,) * 7, "CZ", (Candidate(text, score),))


def started(*boxes: Box) -> Tracker:
    tracker = Tracker()
    for frame in range(2):
        tracker.update(frame / 10, [plate(f"1AB234{n}", one) for n, one in enumerate(boxes)])
    return tracker


# --- the tracker's side -------------------------------------------------------------------------
def test_a_plate_where_a_track_is_expected_is_its() -> None:
    tracker = started(box(100), box(400))
    assert tracker.claims(0.2, [box(410), box(95), box(700)]) == [2, 1, None]


def test_where_several_could_be_meant_the_text_has_to_say() -> None:
    tracker = started(box(100), box(400))
    assert tracker.claims(0.2, [box(90), box(110)]) == [None, None]
    close = started(box(100), box(130))
    assert close.claims(0.2, [box(115)]) == [None]


def test_a_place_says_nothing_after_a_while() -> None:
    tracker = started(box(100))
    assert tracker.claims(0.1 + TRUSTED, [box(100)]) == [1]
    assert tracker.claims(0.2 + TRUSTED, [box(100)]) == [None]


def test_a_track_goes_on_unread_at_its_speed() -> None:
    tracker = Tracker()
    for frame in range(3):
        tracker.update(frame / 10, [plate("1AB2345", box(100 + 30 * frame))])
    for frame in range(3, 20):
        at = box(100 + 30 * frame)
        assert tracker.claims(frame / 10, [at]) == [1]
        assert tracker.update(frame / 10, [], {1: at}) == []
    (track,) = tracker.live
    assert (track.frames, track.reads, track.last_at) == (20, 3, 1.9)
    assert track.place == box(100 + 30 * 19)
    assert track.last.at == 0.2
    (ended,) = tracker.finish()
    assert ended.agreed.text == "1AB2345"


def test_in_a_still_picture_what_was_seen_stays_and_what_was_missed_is_missed() -> None:
    tracker = started(box(100), box(400))
    tracker.update(0.2, [plate("1AB2340", box(100))])  # the other one is gone
    ended = [track for n in range(3, 60) for track in tracker.still(n / 10)]
    assert [track.number for track in ended] == [2]
    (stays,) = tracker.live
    assert stays.last_at == 5.9
    assert tracker.claims(6.0, [box(103)]) == [1]  # it stands: no speed carries it away


def test_another_vehicle_read_at_a_tracks_place_is_another_track() -> None:
    tracker = started(box(100))
    tracker.update(0.2, [plate("9XY8765", box(100))])
    assert [track.agreed.text for track in tracker.live] == ["1AB2340", "9XY8765"]


# --- the follower's -----------------------------------------------------------------------------
class Road:
    """A follower whose reader reads what the test says."""

    def __init__(self) -> None:
        self.follower = Follower()
        self.reads: list[float] = []
        self.sparing = False

    def frame(
        self, at: float, boxes: list[Box], text: str | None = "1AB2345", settled: bool = False
    ) -> None:
        known = {1} if settled else set()
        due = self.follower.due(at, boxes, known, sparing=self.sparing)
        self.reads += [at] * len(due)
        plates = [plate(text, boxes[index]) for index in due] if text else []
        self.follower.saw(at, boxes, due, plates)


def test_until_it_is_settled_a_plate_is_read_eagerly_then_patiently() -> None:
    road = Road()
    for n in range(100):
        road.frame(n / 20, [box(100 + n)])
    assert road.reads[:EAGER] == [n / 20 for n in range(EAGER)]
    assert len(road.reads) <= EAGER + 1 + 5 / PATIENT


def test_where_the_server_reads_anyhow_a_plate_is_read_patiently_at_once() -> None:
    road = Road()
    road.sparing = True
    for n in range(100):
        road.frame(n / 20, [box(100 + n)])
    assert len(road.reads) <= 1 + 5 / PATIENT


def test_once_it_is_settled_it_is_read_now_and_then_and_when_it_is_larger() -> None:
    road = Road()
    road.frame(0, [box(100)])
    for n in range(1, 100):
        road.frame(n / 20, [box(100 + n)], settled=True)
    assert len(road.reads) == 5 / AGAIN
    before = len(road.reads)
    road.frame(5.0, [box(200, wide=126)], settled=True)
    assert len(road.reads) == before + 1


def test_what_is_read_in_vain_is_tried_later_and_later_until_it_is_larger() -> None:
    road = Road()
    for n in range(200):
        road.frame(n / 20, [box(100)], text=None)
    assert len(road.reads) < 20
    apart = [b - a for a, b in zip(road.reads, road.reads[1:], strict=False)]
    assert all(b > a - 0.01 for a, b in itertools.pairwise(apart))
    assert apart[-1] == pytest.approx(LONGEST_PAUSE)
    before = len(road.reads)
    road.frame(10.0, [box(90, wide=130)], text=None)
    assert len(road.reads) == before + 1


def test_a_track_knows_in_how_many_frames_its_place_said_nothing() -> None:
    road = Road()
    for n in range(10):
        road.frame(n, [box(100)], text=None)
    road.frame(10, [box(100)])
    assert road.follower.seen_before == {1: 10}


def test_nothing_is_kept_of_what_is_gone() -> None:
    road = Road()
    for n in range(400):
        road.frame(float(n), [box(100 + n % 7 * 90, 50 + n % 5 * 60)], text=None)
        road.frame(n + 0.5, [])
    assert len(road.follower._vain) <= 8
    road.frame(500, [box(100)])
    for n in range(501, 520):
        road.frame(float(n), [])
    assert road.follower.tracker.live == []
    assert road.follower.seen_before == {}
    assert road.follower._reads == {}
