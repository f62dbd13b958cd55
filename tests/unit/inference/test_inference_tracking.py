"""Tracks of plates that tests move over a made-up picture, and a video drawn for them."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.cli import main
from inference.results import Candidate, Picture, Plate, Reading
from inference.tracking import MOST_GLIMPSES, Track, Tracker
from inference.video import VideoError, frames_of, read_video, track_answer, track_line

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plate(text: str, x: float, y: float = 200, wide: float = 100, score: float = 0.95) -> Plate:
    box = (round(x), round(y), round(x + wide), round(y + wide / 4))
    x1, y1, x2, y2 = box
    quad = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    chars = tuple(score for _ in text)
    return Plate(text, box, quad, score, 0.9, chars, "CZ", (Candidate(text, score),))


def followed(frames: Iterable[tuple[float, list[Plate]]], tracker: Tracker | None = None) -> Any:
    tracker = tracker or Tracker()
    ended = [track for at, plates in frames for track in tracker.update(at, plates)]
    return sorted(ended + tracker.finish(), key=lambda track: track.number)


def said(tracks: list[Track]) -> list[tuple[str, int]]:
    return [(track.agreed.text, track.frames) for track in tracks]


def test_one_vehicle_is_one_track_whose_text_all_frames_vote_for() -> None:
    reads = ["1AB2345", "1AB2345", "1A82345", "1AB2345", "1AB234"]
    frames = [(n / 10, [plate(text, 100 + 30 * n)]) for n, text in enumerate(reads)]
    (track,) = followed(frames)
    assert (track.agreed.text, track.frames, track.number) == ("1AB2345", 5, 1)
    assert (track.first_at, track.last_at) == (0, 0.4)
    assert track.best.plate.text == "1AB2345"
    assert track.agreed.region == "CZ"


def test_a_fast_plate_that_never_overlaps_itself_is_followed() -> None:
    frames = [(n / 10, [plate("1AB2345", 100 + 240 * n)]) for n in range(5)]
    assert said(followed(frames)) == [("1AB2345", 5)]


def test_a_misread_frame_does_not_break_a_track_in_motion() -> None:
    reads = ["1AB2345", "1AB2345", "1AB2345", "QXQWZQQ", "1AB2345"]
    scores = [0.95, 0.95, 0.95, 0.3, 0.95]
    frames = [
        (n / 10, [plate(text, 100 + 80 * n, score=score)])
        for n, (text, score) in enumerate(zip(reads, scores, strict=True))
    ]
    assert said(followed(frames)) == [("1AB2345", 5)]


def test_another_vehicle_at_the_same_place_is_another_track() -> None:
    queue = ["1AB2345"] * 3 + ["5XY9876"] * 3
    frames = [(n / 5, [plate(text, 300)]) for n, text in enumerate(queue)]
    assert said(followed(frames)) == [("1AB2345", 3), ("5XY9876", 3)]


def test_crossing_plates_keep_their_texts() -> None:
    frames = [
        (n / 10, [plate("1AB2345", 100 + 60 * n), plate("5XY9876", 700 - 60 * n, 205)])
        for n in range(11)
    ]
    tracks = followed(frames)
    assert said(tracks) == [("1AB2345", 11), ("5XY9876", 11)]
    assert all({one.plate.text for one in t.glimpses} == {t.agreed.text} for t in tracks)


def test_crossing_neighbours_of_a_fleet_keep_their_texts() -> None:
    frames = [
        (n / 10, [plate("1AB2345", 100 + 60 * n), plate("1AB2346", 700 - 60 * n, 205)])
        for n in range(11)
    ]
    assert said(followed(frames)) == [("1AB2345", 11), ("1AB2346", 11)]


def test_a_parked_car_stays_one_track_while_others_pass_it() -> None:
    frames = []
    for n in range(300):
        plates = [plate("3PA0001", 500, 150, wide=40)]
        if n % 30 < 6:  # one passes, close by
            plates.append(plate(f"{n // 30}MV7777", 300 + 70 * (n % 30), 180))
        frames.append((n / 10, plates))
    tracks = followed(frames)
    assert said(tracks)[0] == ("3PA0001", 300)
    assert len(tracks[0].glimpses) == MOST_GLIMPSES
    assert said(tracks[1:]) == [(f"{n}MV7777", 6) for n in range(10)]


def test_a_vehicle_hidden_for_a_while_goes_on() -> None:
    frames = [(n / 10, [] if 4 <= n < 9 else [plate("1AB2345", 100 + 40 * n)]) for n in range(14)]
    assert said(followed(frames)) == [("1AB2345", 9)]


def test_a_track_ends_after_the_gap_in_time_and_in_frames() -> None:
    tracker = Tracker(max_gap=1.0, max_missed=2)
    assert tracker.update(0.0, [plate("1AB2345", 100)]) == []
    assert tracker.update(5.0, []) == []  # long, but a single frame
    assert tracker.update(5.1, []) == []
    assert said(tracker.update(5.2, [])) == [("1AB2345", 1)]
    assert tracker.finish() == []
    quick = Tracker(max_gap=1.0, max_missed=2)
    quick.update(0.0, [plate("1AB2345", 100)])
    assert not any(quick.update(n / 100, []) for n in range(1, 101))  # many frames, but quick
    assert said(quick.update(1.01, [])) == [("1AB2345", 1)]


def test_what_is_in_view_can_be_asked_before_it_leaves() -> None:
    tracker = Tracker()
    tracker.update(0.0, [plate("1AB2345", 100)])
    tracker.update(0.1, [plate("1AB2345", 110), plate("5XY9876", 600)])
    assert said(tracker.live) == [("1AB2345", 2), ("5XY9876", 1)]


def test_a_much_larger_plate_is_another_vehicles() -> None:
    frames = [(0.0, [plate("1AB2345", 100, wide=40)]), (0.1, [plate("1AB2345", 60, wide=160)])]
    assert len(followed(frames)) == 2


def test_time_never_runs_backwards() -> None:
    tracker = Tracker()
    tracker.update(1.0, [plate("1AB2345", 100)])
    tracker.update(1.0, [plate("1AB2345", 100)])
    assert said(tracker.live) == [("1AB2345", 2)]
    for at in (0.9, float("nan")):
        with pytest.raises(ValueError, match="order of time"):
            tracker.update(at, [])


@untimed
@given(st.randoms(use_true_random=False))
def test_uneven_time_stamps_and_missed_frames_keep_two_lanes_apart(rng: random.Random) -> None:
    at, frames = 0.0, []
    for _ in range(20):
        at += rng.uniform(0.03, 0.3)
        lanes = [plate("1AB2345", 100 + 150 * at, 100), plate("5XY9876", 900 - 150 * at, 300)]
        frames.append((at, [lane for lane in lanes if rng.random() < 0.85]))
    seen = {one.text for _, plates in frames for one in plates}
    tracks = followed(frames)
    assert sorted(track.agreed.text for track in tracks) == sorted(seen)
    assert sum(track.frames for track in tracks) == sum(len(plates) for _, plates in frames)


@untimed
@given(
    st.lists(
        st.lists(
            st.builds(
                plate,
                st.sampled_from(["1AB2345", "1AB2346", "5XY9876", "Q"]),
                st.integers(-50, 900),
                st.integers(0, 500),
                st.integers(1, 400),
                st.floats(0, 1),
            ),
            max_size=4,
        ),
        max_size=12,
    )
)
def test_every_plate_lands_in_exactly_one_track(views: list[list[Plate]]) -> None:
    tracks = followed([(n / 10, plates) for n, plates in enumerate(views)])
    assert sum(track.frames for track in tracks) == sum(map(len, views))
    assert [track.number for track in tracks] == list(range(1, len(tracks) + 1))
    for track in tracks:
        times = [glimpse.at for glimpse in track.glimpses]
        assert times == sorted(set(times))


# --- video ----------------------------------------------------------------------------------------
class Brightness:
    """An engine for a test video: a frame brighter than the ground shows one plate."""

    def __init__(self, regions: object, *, strict: bool, second: object) -> None:
        self.asked = (regions, strict, second)

    def warm_up(self) -> None:
        """Nothing to load."""

    def read(self, picture: Picture, *, kind: str) -> Reading:
        assert kind == "frame"
        columns = np.flatnonzero(picture.max(axis=(0, 2)) > 128)
        found = (plate("1AB2345", float(columns[0])),) if len(columns) else ()
        return Reading(found, (), 0.0)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Thirty frames, ten a second, 320×240: a bright patch moves right in frames 5 to 14."""
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    assert writer.isOpened()
    for number in range(30):
        frame = np.zeros((240, 320, 3), np.uint8)
        if 5 <= number < 15:
            frame[100:130, 20 + 10 * number : 120 + 10 * number] = 255
        writer.write(frame)
    writer.release()
    return path


def test_a_video_gives_a_track_per_vehicle(video: Path) -> None:
    (track,) = read_video(Brightness((), strict=False, second=None), video)  # type: ignore[arg-type]
    assert (track.agreed.text, track.frames) == ("1AB2345", 10)
    assert (track.first_at, track.last_at) == pytest.approx((0.5, 1.4))
    answer = track_answer("drive.avi", track)
    assert json.loads(json.dumps(answer))["text"] == "1AB2345"
    line = track_line(answer)
    assert line.startswith("drive.avi  0.50–1.40 s  1AB2345")
    assert line.endswith("10 frames")


def test_every_nth_frame_keeps_its_time(video: Path) -> None:
    assert [at for at, _ in frames_of(video, every=7)] == pytest.approx([0, 0.7, 1.4, 2.1, 2.8])
    with pytest.raises(ValueError, match="every"):
        next(frames_of(video, every=0))


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    for path in (text, tmp_path / "missing.mp4", tmp_path, "http://127.0.0.1:1/a.mp4"):
        with pytest.raises(VideoError):
            next(frames_of(path))


def test_the_command_prints_a_line_per_vehicle(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("inference.cli.Engine", Brightness)
    assert main(["--video", "--every", "3", str(video)]) == 0
    assert capsys.readouterr().out == f"{video}  0.60–1.20 s  1AB2345  0.99  CZ  3 frames\n"
    assert main(["--video", "--json", str(video), "missing.mp4"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["frames"] == 10
    assert said.err == "read: missing.mp4: There is no such file.\n"
    for wrong in (["--every", "0"], ["--every", "x"], ["--video", "--crop"]):
        with pytest.raises(SystemExit):
            main([*wrong, str(video)])
