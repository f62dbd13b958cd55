"""A video file, or a stretch of one camera's frames, → the plates that passed. See `tracking`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from inference.tracking import Track, Tracker

if TYPE_CHECKING:
    from inference.engine import Engine
    from inference.results import Picture

_USUAL_RATE: Final = 25.0
"""Frames a second where the file does not say."""


class VideoError(ValueError):
    """What was given can't be read as a video. `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def frames_of(path: str | Path, *, every: int = 1) -> Iterator[tuple[float, Picture]]:
    """Every `every`-th frame of a video file, the first among them, with its second in the video.

    Raises VideoError for what is no file or no video, ValueError for `every` < 1. A file that
    breaks off ends there.
    """
    if every < 1:
        raise ValueError("every must be at least 1")
    if not Path(path).is_file():  # the library would also open addresses and devices
        raise VideoError("There is no such file.")
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise VideoError("This is not a video that can be read.")
        rate = video.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else _USUAL_RATE  # not so for NaN either
        number = 0
        while video.grab():
            if number % every == 0:
                whole, picture = video.retrieve()
                if whole:
                    yield number / rate, np.asarray(picture, dtype=np.uint8)
            number += 1
    finally:
        video.release()


def read_video(engine: Engine, path: str | Path, *, every: int = 1) -> Iterator[Track]:
    """Each vehicle's track as soon as it has left, then those still in view; see `frames_of`."""
    tracker = Tracker()
    for at, picture in frames_of(path, every=every):
        yield from tracker.update(at, engine.read(picture, kind="frame").plates)
    yield from tracker.finish()


def track_answer(path: str, track: Track) -> dict[str, Any]:
    """A track's JSON object: seconds in the video, and what its frames say together."""
    agreed = track.agreed
    return {
        "file": path,
        "track": track.number,
        "first_at": round(track.first_at, 3),
        "last_at": round(track.last_at, 3),
        "frames": track.frames,
        "text": agreed.text,
        "score": agreed.confidence,
        "chars": agreed.char_scores,
        "region": agreed.region,
        "candidates": agreed.candidates,
        "best": {"at": round(track.best.at, 3), "box": track.best.plate.box},
    }


def track_line(answer: dict[str, Any]) -> str:
    """A track's line for people."""
    name = answer["file"].encode(errors="backslashreplace").decode()
    return (
        f"{name}  {answer['first_at']:.2f}–{answer['last_at']:.2f} s  {answer['text']}"
        f"  {answer['score']:.2f}  {answer['region'] or '??'}"
        f"  {answer['frames']} frame{'s' if answer['frames'] != 1 else ''}"
    )
