"""What is made unrecognisable in pictures that leave the device or are shown.

Blurring by convolution can be undone where the kernel is guessed; averaging to a few cells, each
far larger than a stroke, can't.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np

from edge.settings import Blur
from inference.results import Picture
from inference.tracking import Place

CELLS_HIGH: Final = 2
"""Cells over a plate's height: less than one for each stroke of a character."""
SURROUNDINGS_CELLS: Final = 24
"""Cells over the longer side of what surrounds the plates: a face, a sticker, a passer-by is gone;
that a car was there, and its colour, is left."""
MARGIN: Final = 0.25
"""Of a plate's height around it: its box may be a little off."""


def blurred(picture: Picture, places: Iterable[Place], what: Blur) -> Picture:
    """The picture with its plates, or all but its plates, made unrecognisable; with "none" as it
    is. `places`: where plates are or may be. The picture that was given is not changed."""
    if what == "none":
        return picture
    height, width = picture.shape[:2]
    boxes = [grown(place, width, height) for place in places]
    if what == "plates":
        shown = picture.copy()
        for x1, y1, x2, y2 in boxes:
            shown[y1:y2, x1:x2] = _coarse(picture[y1:y2, x1:x2], (y2 - y1) / CELLS_HIGH)
        return shown
    shown = _coarse(picture, max(height, width) / SURROUNDINGS_CELLS)
    for x1, y1, x2, y2 in boxes:
        shown[y1:y2, x1:x2] = picture[y1:y2, x1:x2]
    return shown


def grown(place: Place, width: int, height: int) -> tuple[int, int, int, int]:
    """A place with its margin, in whole pixels within a picture; at least one pixel each way."""
    margin = MARGIN * (place[3] - place[1])
    x1 = min(max(0, math.floor(place[0] - margin)), width - 1)
    y1 = min(max(0, math.floor(place[1] - margin)), height - 1)
    x2 = max(x1 + 1, min(width, math.ceil(place[2] + margin)))
    y2 = max(y1 + 1, min(height, math.ceil(place[3] + margin)))
    return x1, y1, x2, y2


def _coarse(picture: Picture, cell: float) -> Picture:
    height, width = picture.shape[:2]
    cells = (max(1, round(width / max(cell, 1.0))), max(1, round(height / max(cell, 1.0))))
    small = cv2.resize(picture, cells, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.uint8)
