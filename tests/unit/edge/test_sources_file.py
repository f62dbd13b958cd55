"""Video files, played as a camera would send them and as fast as possible."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.health import Health
from edge.sources import SourceError, open_source
from edge.sources.file import FileSource
from tests.unit.edge.steps import Steps

RATE = 10


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds; each picture's grey level is eight times its number."""
    path = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (64, 48))
    for number in range(30):
        writer.write(np.full((48, 64, 3), 8 * number, np.uint8))
    writer.release()
    return path


def numbers(levels: list[int]) -> list[int]:
    return [round(level / 8) for level in levels]


def source(video: Path, steps: Steps, health: Health | None = None, **more: bool) -> FileSource:
    return FileSource(video, clock=steps.clock, health=health or Health(), wait=steps.wait, **more)


def test_in_real_time_each_frame_comes_when_the_file_says(video: Path) -> None:
    steps = Steps()
    came = []
    for frame in source(video, steps).frames():
        came.append(steps.ticks)
        assert frame.at == pytest.approx(steps.ticks)
        assert frame.captured_at == steps.clock.utc(frame.at)
        steps.ticks += 0.02  # what is done with it
    assert len(came) == 30
    assert came[0] == 1000.0
    assert all(later - one == pytest.approx(0.1) for one, later in pairwise(came))


def test_a_slow_reader_misses_frames_and_is_never_far_behind(video: Path) -> None:
    steps, health = Steps(), Health()
    seen = []
    for frame in source(video, steps, health).frames():
        seen.append(int(frame.picture[0, 0, 0]))
        assert steps.ticks - frame.at <= 0.1 + 1e-6
        steps.ticks += 0.35
    assert 8 <= len(seen) <= 11
    assert numbers(seen) == sorted(set(numbers(seen)))
    assert health.snapshot()["frames_late"] == 30 - len(seen)


def test_as_fast_as_possible_no_frame_is_missed_and_none_lies_in_the_future(video: Path) -> None:
    steps, health = Steps(), Health()
    frames = []
    for frame in source(video, steps, health, realtime=False).frames():
        frames.append(frame)
        steps.ticks += 0.35
    assert numbers([int(frame.picture[0, 0, 0]) for frame in frames]) == list(range(30))
    assert frames[0].at == pytest.approx(997.0)
    assert frames[-1].at == pytest.approx(999.9)
    assert steps.waited == []
    assert health.snapshot()["frames_captured"] == 30


def test_a_loop_goes_on_in_time(video: Path) -> None:
    steps = Steps()
    looping = source(video, steps, loop=True)
    frames = list(islice(looping.frames(), 70))
    assert [frame.number for frame in frames] == list(range(1, 71))
    assert all(later.at - one.at == pytest.approx(0.1) for one, later in pairwise(frames))
    assert int(frames[60].picture[0, 0, 0]) == int(frames[0].picture[0, 0, 0])


def test_closing_ends_it(video: Path) -> None:
    steps = Steps()
    playing = source(video, steps, loop=True)
    frames = playing.frames()
    next(frames)
    playing.close()
    assert list(frames) == []


def test_what_is_no_video_is_refused_when_it_is_to_be_played(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video at all" * 100)
    steps = Steps()
    playing = open_source(str(path), clock=steps.clock, health=Health())
    assert playing.name == "the video clip.mp4"
    with pytest.raises(SourceError, match="not a video"):
        next(playing.frames())
