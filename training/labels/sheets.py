"""Contact sheets of real plates with texts under them. They stay in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.geometry import rectify
from inference.results import Picture
from training.labels.boxes import Plate, picture_of

COLUMNS: Final = 7
CELL: Final = (182, 84)
"""Width and height of one plate on a sheet, in pixels; its text stands under it. Seven by eleven
of them still fill a screen legibly."""
TEXT: Final = 15
GAP: Final = 6
AROUND: Final = 0.12
"""Share of its height a box is grown by on every side."""


def cut_out(picture: Picture, plate: Plate) -> Picture:
    """The box and a little around it, fitted into a cell: [h, w, 3]."""
    x1, y1, x2, y2 = plate.box
    edge = AROUND * (y2 - y1)
    x1, y1, x2, y2 = x1 - edge, y1 - edge, x2 + edge, y2 + edge
    scale = min(CELL[0] / (x2 - x1), CELL[1] / (y2 - y1))
    size = max(8, round((x2 - x1) * scale)), max(8, round((y2 - y1) * scale))
    return rectify(picture, [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], *size)


def sheet(folder: Path, shown: Sequence[tuple[Plate, str]]) -> Picture:
    """One picture of these plates, each with its text. `folder`: the data. Raises ValueError where
    there is none to show."""
    if not shown:
        raise ValueError("no plate to show")
    wide, high = CELL[0] + GAP, CELL[1] + TEXT + GAP
    canvas = np.full((-(-len(shown) // COLUMNS) * high, COLUMNS * wide, 3), 255, np.uint8)
    for number, (plate, text) in enumerate(shown):
        top, left = number // COLUMNS * high, number % COLUMNS * wide
        cut = cut_out(picture_of(folder / "detect", plate.file), plate)[: CELL[1], : CELL[0]]
        canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        at = (left + 2, top + CELL[1] + 13)
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 160), 1, cv2.LINE_AA)
    return canvas
