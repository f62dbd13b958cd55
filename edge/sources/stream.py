"""Network cameras (RTSP) and USB cameras, through OpenCV: FFmpeg and Video4Linux."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import cv2
import numpy as np

from edge.sources.base import SourceError, SourceLostError
from inference.results import Picture

PATIENCE: Final = 8.0
"""Seconds that a camera may take to answer or to send its next picture."""

# FFmpeg writes what it thinks of an address to standard error, where the journal keeps it.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a local camera is asked for: pixels and pictures a second; None: its own."""

    width: int | None = None
    height: int | None = None
    fps: int | None = None


def parse_wanted(query: str) -> Wanted:
    """`width=1280&height=720&fps=30`, or a part of it. Raises SourceError."""
    found: dict[str, int] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("width", "height", "fps"):
            raise SourceError("A camera takes width, height and fps, nothing else.")
        if not re.fullmatch(r"[0-9]{1,4}", value) or int(value) == 0:
            raise SourceError(f"{name} is not a number from 1 to 9999.")
        found[name] = int(value)
    if ("width" in found) != ("height" in found):
        raise SourceError("width and height belong together.")
    return Wanted(**found)


class StreamCamera:
    """An opened stream. Raises SourceLostError where it can't be opened."""

    def __init__(self, video: Any) -> None:
        self._video = video
        if not video.isOpened():
            video.release()
            raise SourceLostError("it does not answer, or refuses the name or password")

    def read(self) -> Picture:
        whole, picture = self._video.read()
        if not whole:
            raise SourceLostError("it stopped sending")
        return np.asarray(picture, dtype=np.uint8)

    def close(self) -> None:
        self._video.release()


def open_rtsp(address: str, patience: float = PATIENCE) -> StreamCamera:
    """One thread decodes: with several, FFmpeg holds back a picture for each of them."""
    milliseconds = int(1000 * patience)
    return StreamCamera(
        cv2.VideoCapture(
            address,
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                milliseconds,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                milliseconds,
                cv2.CAP_PROP_N_THREADS,
                1,
            ],
        )
    )


def open_usb(device: str, wanted: Wanted) -> StreamCamera:
    """`device`: a path such as /dev/video0."""
    if not os.path.exists(device):
        raise SourceLostError("there is no such device")
    # without it most cameras send raw pictures, ten a second at 1280×720
    asked = [cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")]
    for name, value in (
        (cv2.CAP_PROP_FRAME_WIDTH, wanted.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, wanted.height),
        (cv2.CAP_PROP_FPS, wanted.fps),
    ):
        if value is not None:
            asked += [name, value]
    return StreamCamera(cv2.VideoCapture(device, cv2.CAP_V4L2, asked))
