"""Whether anything moved: an empty road costs next to nothing, and a parked car does not either.

The picture is averaged down to cells of about 8×8 pixels and compared with the last one that was
looked at, so slow movement adds up until it counts. Averages hide a sensor's noise; what the whole
picture brightens or darkens by (a cloud, automatic exposure) is taken out.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.settings import Point
from inference.results import Picture

CELLS_WIDE: Final = 160
CHANGED: Final = 10.0
"""Grey levels by which a cell must differ …"""
LEAST_CELLS: Final = 4
"""… and how many must: a distant car has some ten, an insect or a flickering lamp one or two."""
LONGEST_STILL: Final = 2.0
"""Seconds after which a still picture is looked at all the same."""


class MotionGate:
    """Frames of one camera, in order of time."""

    def __init__(self) -> None:
        self._reference: NDArray[np.int16] | None = None
        self._looked_at = float("-inf")
        self._mask: NDArray[np.bool_] | None = None
        self._masked: tuple[tuple[Point, ...], tuple[int, ...]] = ((), ())

    def moved(self, picture: Picture, at: float, region: tuple[Point, ...] = ()) -> bool:
        """Whether the frame is to be looked at. `region`: the polygon outside which movement does
        not matter, in shares of width and height; empty: the whole picture."""
        cells = _cells(picture)
        before = self._reference
        if (
            before is not None
            and before.shape == cells.shape
            and at - self._looked_at < LONGEST_STILL
            and not self._differ(before, cells, region)
        ):
            return False
        self._reference, self._looked_at = cells, at
        return True

    def _differ(
        self, before: NDArray[np.int16], cells: NDArray[np.int16], region: tuple[Point, ...]
    ) -> bool:
        change = cells - before
        change = np.abs(change - np.int16(np.median(change)))
        changed = change > CHANGED
        if region:
            changed = changed & self._inside(region, cells.shape)
        return int(np.count_nonzero(changed)) >= LEAST_CELLS

    def _inside(self, region: tuple[Point, ...], shape: tuple[int, ...]) -> NDArray[np.bool_]:
        if self._mask is None or self._masked != (region, shape):
            high, wide = shape
            corners = np.array([(x * (wide - 1), y * (high - 1)) for x, y in region], np.float32)
            filled = cv2.fillPoly(
                np.zeros((high, wide), np.uint8), [np.rint(corners).astype(np.int32)], 1
            )
            self._mask, self._masked = np.asarray(filled, np.bool_), (region, shape)
        return self._mask


def _cells(picture: Picture) -> NDArray[np.int16]:
    height, width = picture.shape[:2]
    # Every second pixel of every second row is enough for an average, and four times as quick.
    step = 2 if width >= 4 * CELLS_WIDE else 1
    wide = min(width, CELLS_WIDE)
    high = max(1, round(height * wide / width))
    small = cv2.resize(picture[::step, ::step], (wide, high), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.int16)
