"""A video file, played as a camera would send it, or as fast as it can be read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from edge.clock import Clock
from edge.health import Health
from edge.items import Frame
from edge.sources.base import Framing, Place, SourceError
from edge.sources.watch import Watch

_USUAL_RATE: Final = 25.0
_LATE: Final = 0.1
"""Seconds behind the file's time from which a frame is let go (counted: `frames_late`)."""


class FileSource:
    """Frames bear the times of the file, counted from its start.

    In real time it starts now. As fast as possible it starts so long ago that it ends now: nothing
    is captured in the future, which a server would refuse. `loop` begins again at the end, time
    going on; as fast as possible, that is for measuring, and does run ahead.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        health: Health,
        place: Place | None = None,
        realtime: bool = True,
        loop: bool = False,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.name = f"the video {path.name}"
        self._path, self._clock, self._health = path, clock, health
        self._framing = Framing(clock, health, place, Watch(health))
        self._realtime, self._loop = realtime, loop
        self._closed = threading.Event()
        self._wait = wait or self._closed.wait

    def close(self) -> None:
        self._closed.set()

    def frames(self) -> Iterator[Frame]:
        start: float | None = None
        while not self._closed.is_set():
            video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
            try:
                if not video.isOpened():
                    raise SourceError("This is not a video that can be read.")
                rate = video.get(cv2.CAP_PROP_FPS)
                rate = rate if 0 < rate < 1000 else _USUAL_RATE  # not so for NaN either
                if start is None:
                    lasts = max(0.0, video.get(cv2.CAP_PROP_FRAME_COUNT)) / rate
                    start = self._clock.now() - (0.0 if self._realtime else lasts)
                ended = yield from self._play(video, start, 1 / rate)
            finally:
                video.release()
            if ended == start:
                raise SourceError("There is not one picture in this video.")
            if not self._loop:
                return
            start = ended

    def _play(self, video: Any, start: float, interval: float) -> Generator[Frame, None, float]:
        """Until the end; returns the moment at which the next round begins."""
        began: float | None = None
        position = -interval
        while not self._closed.is_set() and video.grab():
            told = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            began = told if began is None else began
            # a file without times, or with times that go back, gets even ones
            position = told - began if told - began > position else position + interval
            at = start + position
            if self._realtime and self._clock.now() - at > max(_LATE, interval):
                self._health.count("frames_late")
                continue
            whole, picture = video.retrieve()
            if not whole:
                continue
            if self._realtime:
                self._wait(max(0.0, at - self._clock.now()))
            yield self._framing.frame(np.asarray(picture, dtype=np.uint8), at)
        return start + position + interval
