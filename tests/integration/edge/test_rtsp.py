"""A network camera: a real RTSP server (GStreamer's, from Debian's packages) on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.clock import Clock
from edge.health import Health
from edge.sources import open_source
from edge.sources.base import LiveSource
from edge.sources.stream import open_rtsp
from inference.video import frames_of

PYTHON = "/usr/bin/python3"
PACKAGES = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
)
PROBE = "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0')"
SERVER = Path(__file__).with_name("rtsp_server.py")
ROOT = Path(__file__).parents[3]
VIDEO = (
    Path(os.environ.get("PLATEWARDEN_DATA", ROOT.parent / "shared" / "data"))
    / "video"
    / "toll-booth.mp4"
)
NAME, PASSWORD = "op", "ge:heim"
ADDRESS_PASSWORD = "ge%3Aheim"


def _has_server() -> bool:
    return (
        os.path.exists(PYTHON)
        and subprocess.run([PYTHON, "-c", PROBE], capture_output=True, check=False).returncode == 0
    )


pytestmark = pytest.mark.skipif(
    not _has_server(), reason=f"no GStreamer RTSP server: Debian's {PACKAGES}"
)


def pipeline(pattern: str) -> str:
    return (
        f"( videotestsrc is-live=true pattern={pattern} ! "
        "video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! "
        "jpegenc ! rtpjpegpay name=pay0 )"
    )


class Peer:
    """The server's process; `start` again takes the same port."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, launch: str, *words: str) -> None:
        self._process = subprocess.Popen(
            [PYTHON, str(SERVER), str(self.port), launch, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @property
    def address(self) -> str:
        return f"rtsp://{NAME}:{ADDRESS_PASSWORD}@127.0.0.1:{self.port}/road"


@pytest.fixture
def peer() -> Iterator[Peer]:
    one = Peer()
    yield one
    one.kill()


def hurried(times: int) -> Clock:
    """A clock on which time passes so many times as fast."""
    return Clock(monotonic=lambda: time.monotonic() * times)


def test_pictures_come_and_the_password_is_asked_for_and_nowhere_shown(
    peer: Peer, capfd: pytest.CaptureFixture[str]
) -> None:
    peer.start(pipeline("ball"), NAME, PASSWORD)
    health = Health()
    source = open_source(peer.address, clock=Clock(), health=health)
    frames = list(islice(source.frames(), 10))
    assert [frame.number for frame in frames] == list(range(1, 11))
    assert frames[0].picture.shape == (240, 320, 3)
    assert any(not np.array_equal(frame.picture, frames[0].picture) for frame in frames), "moving"
    assert all(one.at < later.at for one, later in pairwise(frames))
    assert health.troubles == {}

    wrong = open_source(
        peer.address.replace(ADDRESS_PASSWORD, "falsch"), clock=Clock(), health=health
    )
    assert isinstance(wrong, LiveSource)
    wrong._wait = lambda seconds: wrong.close()
    assert list(wrong.frames()) == []
    assert "refuses the name or password" in health.troubles["source"]
    shown = "".join([*capfd.readouterr(), *health.troubles.values(), source.name, wrong.name])
    assert "heim" not in shown
    assert "falsch" not in shown


def test_a_camera_that_is_switched_off_and_on_comes_back_by_itself(peer: Peer) -> None:
    peer.start(pipeline("ball"), NAME, PASSWORD)
    health = Health()
    source = open_source(peer.address, clock=Clock(), health=health)
    assert isinstance(source, LiveSource)
    told: list[str] = []

    def wait(seconds: float) -> None:
        """In place of the pause: somebody plugs the camera in again."""
        told.append(health.troubles["source"])
        if len(told) == 2:
            peer.start(pipeline("ball"), NAME, PASSWORD)

    source._wait = wait
    frames = source.frames()
    first = next(frames)
    peer.kill()
    after = next(frame for frame in frames if told)
    assert after.number > first.number
    assert "it stopped sending" in told[0]
    assert "it does not answer" in told[1]
    assert all("Trying again in" in sentence for sentence in told)
    assert health.snapshot()["source_reconnects"] == len(told)
    assert health.troubles == {}


def test_a_camera_that_hangs_without_a_word_is_given_up(peer: Peer) -> None:
    peer.start(pipeline("ball"))
    health = Health()
    source = LiveSource(
        "the camera",
        lambda: open_rtsp(f"rtsp://127.0.0.1:{peer.port}/road", patience=1.0),
        clock=Clock(),
        health=health,
    )
    told: list[str] = []

    def wait(seconds: float) -> None:
        told.append(health.troubles["source"])
        peer.signal(signal.SIGCONT)

    source._wait = wait
    frames = source.frames()
    next(frames)
    peer.signal(signal.SIGSTOP)
    next(frame for frame in frames if told)
    assert "it stopped sending" in told[0]
    assert health.troubles == {}


@pytest.mark.parametrize(
    ("pattern", "counter", "sentence"),
    [("checkers-8", "frames_frozen", "stood still"), ("black", "frames_black", "black or empty")],
)
def test_a_frozen_and_a_black_picture_are_noticed(
    peer: Peer, pattern: str, counter: str, sentence: str
) -> None:
    peer.start(pipeline(pattern))
    health = Health()
    source = open_source(f"rtsp://127.0.0.1:{peer.port}/road", clock=hurried(30), health=health)
    for frame in source.frames():
        if "picture" in health.troubles:
            break
        assert frame.number < 1000
    assert sentence in health.troubles["picture"]
    assert health.snapshot()[counter] == 1


def test_snow_is_neither(peer: Peer) -> None:
    peer.start(pipeline("snow"))
    health = Health()
    source = open_source(f"rtsp://127.0.0.1:{peer.port}/road", clock=hurried(30), health=health)
    frames = list(islice(source.frames(), 60))
    assert frames[-1].at - frames[0].at > 40
    assert health.troubles == {}


@pytest.mark.skipif(not VIDEO.is_file(), reason=f"no {VIDEO}: set PLATEWARDEN_DATA")
def test_h264_over_the_network_gives_the_pictures_of_the_file(peer: Peer) -> None:
    peer.start(f"( filesrc location={VIDEO} ! qtdemux ! rtph264pay config-interval=-1 name=pay0 )")
    expected = [picture for _, picture in islice(frames_of(VIDEO), 25)]
    source = open_source(f"rtsp://127.0.0.1:{peer.port}/road", clock=Clock(), health=Health())
    frames = list(islice(source.frames(), 20))
    begin = _first(expected, lambda picture: np.array_equal(picture, frames[0].picture))
    for picture, frame in zip(expected[begin:], frames, strict=False):
        assert np.array_equal(picture, frame.picture)


def _first(pictures: list[np.ndarray], found: Callable[[np.ndarray], bool]) -> int:
    return next(number for number, picture in enumerate(pictures) if found(picture))
