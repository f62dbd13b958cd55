"""Sources: what the configuration may name, and a camera that goes away and comes back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.clock import Clock
from edge.health import Health
from edge.items import Position
from edge.sources import SourceError, open_source, picamera
from edge.sources.base import LiveSource, SourceLostError, name_without_secrets
from edge.sources.file import FileSource
from edge.sources.folder import FolderSource
from edge.sources.stream import Wanted, open_rtsp, open_usb, parse_wanted
from inference.results import Picture
from tests.unit.edge.steps import Steps

SECRET = "geheim"


def picture(level: int = 100) -> Picture:
    grey = np.full((72, 128, 3), level, np.uint8)
    grey[20:40, 20:60] = 255
    return grey


def opened(spec: str, **more: Any) -> Any:
    return open_source(spec, clock=Clock(), health=Health(), **more)


class FakeCamera:
    """Gives what it was told to, then is lost."""

    def __init__(self, *pictures: Picture, then: str = "it stopped sending") -> None:
        self.pictures, self.then, self.closed = list(pictures), then, False

    def read(self) -> Picture:
        if not self.pictures:
            raise SourceLostError(self.then)
        return self.pictures.pop(0)

    def close(self) -> None:
        self.closed = True


def live(
    steps: Steps, health: Health, connect: Callable[[], FakeCamera], **more: Any
) -> LiveSource:
    return LiveSource(
        "a camera", connect, clock=steps.clock, health=health, wait=steps.wait, **more
    )


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (f"rtsp://op:{SECRET}@10.0.0.5:8554/live/1?pw={SECRET}", "rtsp://10.0.0.5:8554/live/1"),
        (f"rtsps://op:{SECRET}@[fe80::1]/a", "rtsps://[fe80::1]/a"),
        (f"https://op:{SECRET}@cam.example/snap.jpg?u={SECRET}", "https://cam.example/snap.jpg"),
        ("usb:1?width=1280&height=720&fps=30", "the camera /dev/video1"),
        ("/dev/video3", "the camera /dev/video3"),
        ("usb:/dev/v4l/by-id/cam", "the camera /dev/v4l/by-id/cam"),
        ("picamera:0", "the Pi camera 0"),
    ],
)
def test_a_camera_is_named_without_name_and_password(spec: str, name: str) -> None:
    source = opened(spec)
    assert isinstance(source, LiveSource)
    assert source.name == name


@pytest.mark.parametrize(
    "spec",
    [
        f"http://op:{SECRET}@:80/",
        f"http://op:{SECRET}@[::1/",
        f"ftp://op:{SECRET}@host/",
        "usb:",
        "usb:one",
        "usb:123",
        "usb:0?width=1280",
        "usb:0?width=0&height=0",
        "usb:0?colour=1",
        "picamera:²",
        "picamera:/dev/video0",
        "/nowhere/at/all",
        "",
        "a\0b",
    ],
)
def test_what_can_be_no_source_is_refused_with_a_sentence(spec: str) -> None:
    with pytest.raises(SourceError) as refused:
        opened(spec)
    assert refused.value.sentence.endswith(".")
    assert SECRET not in str(refused.value)


def test_an_address_that_cannot_be_read_has_a_name_all_the_same() -> None:
    assert SECRET not in name_without_secrets(f"rtsp://op:{SECRET}@[::1/x")
    assert SECRET not in name_without_secrets(f"rtsp://op:{SECRET}@host:port/x")


def test_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    assert isinstance(opened(str(tmp_path / "clip.mp4")), FileSource)
    assert isinstance(opened(str(tmp_path)), FolderSource)


def test_snapshots_come_no_slower_than_hourly() -> None:
    with pytest.raises(SourceError, match="3600"):
        opened("http://cam/", every=3601)


def test_what_a_local_camera_is_asked_for() -> None:
    assert parse_wanted("width=1280&height=720&fps=30") == Wanted(1280, 720, 30)
    assert parse_wanted("") == Wanted()


def test_frames_bear_number_moment_time_and_place() -> None:
    steps, health = Steps(), Health()
    here = Position(1.0, 2.0, 3.0)
    camera = FakeCamera(picture(), picture())
    source = live(
        steps,
        health,
        lambda: camera,
        place=SimpleNamespace(at=lambda moment: here if moment > 1000 else None),
    )
    frames = source.frames()
    one = next(frames)
    steps.ticks += 0.5
    two = next(frames)
    assert (one.number, two.number) == (1, 2)
    assert (one.at, two.at) == (1000.0, 1000.5)
    assert one.captured_at == steps.clock.utc(1000.0)
    assert (one.position, two.position) == (None, here)
    assert health.snapshot()["frames_captured"] == 2
    source.close()
    assert list(frames) == []
    assert camera.closed


def test_a_lost_camera_is_tried_again_ever_more_slowly_and_that_is_shown() -> None:
    steps, health = Steps(), Health()
    tries: list[float] = []
    back = FakeCamera(picture())

    def connect() -> FakeCamera:
        tries.append(steps.ticks)
        if len(tries) <= 10:
            raise SourceLostError("it does not answer")
        assert "No picture from a camera for" in health.troubles["source"]
        assert "it does not answer. Trying again in" in health.troubles["source"]
        return back

    source = live(steps, health, connect)
    frame = next(source.frames())
    assert frame.number == 1
    assert len(steps.waited) == 10
    for number, seconds in enumerate(steps.waited):
        assert min(60, 2**number) / 2 <= seconds <= min(60, 2**number)
    assert health.snapshot()["source_reconnects"] == 10
    assert "source" not in health.troubles


def test_a_camera_that_breaks_off_is_closed_and_opened_anew() -> None:
    steps, health = Steps(), Health()
    cameras = [FakeCamera(picture(number)) for number in (50, 60, 70)]
    waiting = iter(cameras)
    source = live(steps, health, lambda: next(waiting))
    frames = list(islice(source.frames(), 3))
    assert [frame.number for frame in frames] == [1, 2, 3]
    assert [int(frame.picture[0, 0, 0]) for frame in frames] == [50, 60, 70]
    assert [camera.closed for camera in cameras[:2]] == [True, True]
    assert max(steps.waited) <= 1, "a picture in between starts the pauses anew"
    assert health.snapshot()["source_reconnects"] == 2


def test_closing_ends_a_source_that_never_had_a_picture() -> None:
    steps, health = Steps(), Health()

    def connect() -> FakeCamera:
        if len(steps.waited) == 3:
            source.close()
        raise SourceLostError("it does not answer")

    source = live(steps, health, connect)
    assert list(source.frames()) == []
    assert len(steps.waited) == 4


def test_a_camera_asked_every_two_seconds_is_not_asked_more_often() -> None:
    steps, health = Steps(), Health()
    source = live(steps, health, lambda: FakeCamera(*[picture()] * 9), every=2.0)
    moments = []
    for frame in islice(source.frames(), 5):
        moments.append(frame.at)
        steps.ticks += 5 if frame.number == 2 else 0.5
    assert moments == [1000.0, 1002.0, 1007.0, 1009.0, 1011.0], "a late one is not made up for"


def test_no_stream_and_no_device_are_lost_with_a_sentence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SourceLostError, match="does not answer"):
        open_rtsp(f"rtsp://op:{SECRET}@127.0.0.1:9/x", patience=2)
    with pytest.raises(SourceLostError, match="no such device"):
        open_usb("/dev/video99", Wanted())
    assert SECRET not in "".join(capfd.readouterr())


class FakePicamera2:
    """The part of picamera2 that is used."""

    made: list[FakePicamera2] = []

    def __init__(self, number: int) -> None:
        if number > 0:
            raise IndexError("list index out of range")
        self.calls: list[Any] = []
        self.answers = [np.dstack([picture()] * 2)[:, :, :4], TimeoutError()]
        FakePicamera2.made.append(self)

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        self.calls.append(wanted)

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")

    def capture_array(self, name: str, wait: bool) -> str:
        assert wait is False
        return f"job {name}"

    def wait(self, job: str, timeout: float) -> Picture:
        assert (job, timeout > 0) == ("job main", True)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_pi_camera_gives_pictures_until_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        __import__("sys").modules, "picamera2", SimpleNamespace(Picamera2=FakePicamera2)
    )
    camera = picamera.PiCamera(0, Wanted(640, 480, 15))
    assert camera.read().shape == (72, 128, 3), "a fourth channel is dropped"
    with pytest.raises(SourceLostError, match="stopped"):
        camera.read()
    camera.close()
    assert FakePicamera2.made[-1].calls == [
        {"main": {"format": "RGB888", "size": (640, 480)}, "controls": {"FrameRate": 15}},
        "start",
        "stop",
        "close",
    ]
    with pytest.raises(SourceLostError, match="no such camera"):
        picamera.PiCamera(1, Wanted())


def test_without_picamera2_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "picamera2", None)
    with pytest.raises(SourceError, match="python3-picamera2"):
        next(opened("picamera:0").frames())
