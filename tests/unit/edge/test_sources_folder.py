"""A folder into which pictures are put."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from edge.health import Health
from edge.items import Frame
from edge.sources.folder import FolderSource
from tests.unit.edge.steps import Steps


def jpeg(level: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), level, np.uint8))[1].tobytes()


class Yard:
    """A folder, its source, and `use`, which takes frames until the folder holds no more."""

    def __init__(self, folder: Path, **more: bool) -> None:
        self.folder, self.steps, self.health = folder, Steps(), Health()
        self.source = FolderSource(
            folder,
            clock=self.steps.clock,
            health=self.health,
            wall=self.steps.wall,
            wait=self._wait,
            **more,
        )
        self._frames = self.source.frames()
        self._looks = 0

    def _wait(self, seconds: float) -> None:
        self.steps.wait(seconds)
        self._looks -= 1
        if self._looks <= 0:
            self.source.close()

    def put(self, name: str, data: bytes, seconds_ago: float = 0.0) -> None:
        path = self.folder / name
        path.write_bytes(data)
        written = self.steps.wall() - seconds_ago
        os.utime(path, (written, written))

    def use(self, looks: int = 1) -> list[Frame]:
        self._looks = looks
        return list(self.source.frames())

    def names(self, where: str = ".") -> list[str]:
        return sorted(path.name for path in (self.folder / where).iterdir() if path.is_file())


def levels(frames: list[Frame]) -> list[int]:
    return [10 * round(int(frame.picture[0, 0, 0]) / 10) for frame in frames]


def test_pictures_come_oldest_first_with_the_time_they_were_written(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    yard.put("a.jpg", jpeg(50), seconds_ago=10)
    yard.put("b.JPEG", jpeg(20), seconds_ago=3600)
    yard.put("c.png", jpeg(80), seconds_ago=-5)
    frames = yard.use()
    assert levels(frames) == [20, 50, 80]
    assert [round(yard.steps.ticks - 1 - frame.at, 3) for frame in frames] == [3600, 10, 0]
    assert frames[0].captured_at == yard.steps.clock.utc(frames[0].at)
    assert yard.names() == []
    assert yard.names("done") == ["a.jpg", "b.JPEG", "c.png"]


def test_a_picture_is_done_only_when_the_next_is_asked_for(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    yard.put("a.jpg", jpeg(50))
    frames = yard.source.frames()
    next(frames)
    assert yard.names() == ["a.jpg"], "still there if the power fails now"
    frames.close()
    assert levels(Yard(tmp_path).use()) == [50]


def test_half_a_picture_is_waited_for_and_what_is_none_is_set_aside(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    whole = jpeg(50)
    yard.put("a.jpg", whole[: len(whole) // 2])
    yard.put("b.jpg", b"no picture")
    yard.put("notes.txt", b"no picture either")
    yard.put(".hidden.jpg", whole)
    assert yard.use(looks=3) == []
    assert "refused" not in [path.name for path in tmp_path.iterdir()]
    yard = Yard(tmp_path)
    yard.put("a.jpg", whole)
    assert levels(yard.use(looks=6)) == [50]
    assert yard.names("refused") == ["b.jpg"]
    assert yard.names() == [".hidden.jpg", "notes.txt"]
    assert yard.health.snapshot()["pictures_refused"] == 1


def test_half_pictures_that_go_away_are_forgotten(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    yard.put("half.jpg", jpeg(100)[:200])
    assert yard.use() == []
    assert yard.source._doubtful
    (tmp_path / "half.jpg").unlink()
    yard.source._waiting()
    assert not yard.source._doubtful


def test_kept_pictures_are_used_once_also_after_a_restart(tmp_path: Path) -> None:
    yard = Yard(tmp_path, keep=True)
    yard.put("a.jpg", jpeg(50))
    assert levels(yard.use(looks=3)) == [50]
    yard = Yard(tmp_path, keep=True)
    yard.put("b.jpg", jpeg(80))
    assert levels(yard.use()) == [80]
    yard = Yard(tmp_path, keep=True)
    yard.put("a.jpg", jpeg(20), seconds_ago=-60)
    assert levels(yard.use()) == [20], "written anew under the same name"
    assert yard.names() == [".platewarden-seen", "a.jpg", "b.jpg"]
    seen = tmp_path / ".platewarden-seen"
    assert "jpg" not in seen.read_text()
    assert seen.stat().st_mode & 0o777 == 0o600
    (tmp_path / "a.jpg").unlink()
    Yard(tmp_path, keep=True)
    assert len(seen.read_text().split()) == 1, "what is gone is forgotten"


def test_a_clock_that_was_set_back_hides_no_picture(tmp_path: Path) -> None:
    yard = Yard(tmp_path, keep=True)
    yard.put("a.jpg", jpeg(50))
    yard.use()
    yard = Yard(tmp_path, keep=True)
    yard.steps.wall_at_zero -= 3600
    yard.put("b.jpg", jpeg(80))
    assert levels(yard.use()) == [80]


def test_used_pictures_do_not_stay_for_ever(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    yard.put("a.jpg", jpeg(50))
    yard.use()
    moved = (tmp_path / "done" / "a.jpg").stat().st_ctime
    yard = Yard(tmp_path)
    yard.steps.wall_at_zero = moved + 23 * 3600 - yard.steps.ticks
    yard.use()
    assert yard.names("done") == ["a.jpg"]
    yard = Yard(tmp_path)
    yard.steps.wall_at_zero = moved + 25 * 3600 - yard.steps.ticks
    yard.use()
    assert yard.names("done") == []


def test_a_folder_that_goes_away_is_shown_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    yard = Yard(folder)
    assert yard.use() == []
    assert yard.health.troubles["source"] == "Pictures cannot be read from the folder drop."
    folder.mkdir()
    yard = Yard(folder)
    yard.put("a.jpg", jpeg(50))
    assert levels(yard.use()) == [50]
    assert yard.health.troubles == {}
