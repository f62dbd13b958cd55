"""The newest frame, small, for a heartbeat's thumbnail: with what the settings want blurred."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from edge.blur import blurred
from edge.items import Frame, Mark
from edge.settings import Settings
from edge.squeeze import fitted

WIDTH: Final = 320
MOST_BYTES: Final = 40_000


class Newest:
    """`keep` is the pipeline's, `thumbnail` the heartbeat's."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._kept: tuple[Frame, Sequence[Mark]] | None = None

    def keep(self, frame: Frame, marks: Sequence[Mark]) -> None:
        self._kept = (frame, marks)  # one assignment: no lock is needed

    def thumbnail(self) -> bytes | None:
        """A JPEG of at most 40 kB, 320 px wide; None before the first frame."""
        if self._kept is None:
            return None
        frame, marks = self._kept
        picture = blurred(frame.picture, [one.place for one in marks], self._settings().blur)
        height, width = picture.shape[:2]
        if width > WIDTH:
            size = (WIDTH, max(1, round(height * WIDTH / width)))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        return fitted(picture, MOST_BYTES)[0]
