"""Contact sheets of plates with what was read of them, for looking at.

`python -m training.labels.sheets agreed|disputed|unreadable|chosen [--source S] [--split S]
[--part N] [--seed N] [--to FILE.png]`. They show plates of real vehicles: they stay in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.geometry import rectify
from inference.results import Picture
from training.labels.boxes import Plate, picture_of

COLUMNS: Final = 6
CELL: Final = (250, 104)
"""Width and height of one plate on a sheet, in pixels; its texts stand under it."""
TEXT: Final = 16


def cut_out(picture: Picture, plate: Plate, share: float = 0.12) -> Picture:
    """The box and a little around it, fitted into a cell."""
    x1, y1, x2, y2 = plate.box
    edge = share * (y2 - y1)
    quad = np.array(
        [[x1 - edge, y1 - edge], [x2 + edge, y1 - edge], [x2 + edge, y2 + edge]], np.float32
    )
    quad = np.vstack([quad, [[x1 - edge, y2 + edge]]]).astype(np.float32)
    wide, high = float(quad[1, 0] - quad[0, 0]), float(quad[2, 1] - quad[1, 1])
    scale = min(CELL[0] / wide, CELL[1] / high)
    cut = rectify(picture, quad, max(8, round(wide * scale)), max(8, round(high * scale)))
    cell = np.full((CELL[1], CELL[0], 3), 90, np.uint8)
    cell[: cut.shape[0], : cut.shape[1]] = cut
    return cell


def sheet(folder: Path, shown: Sequence[tuple[Plate, Sequence[str]]], texts: int = 2) -> Picture:
    """One picture of these plates, each with up to `texts` lines of text under it."""
    wide, high = CELL[0] + 6, CELL[1] + TEXT * texts + 6
    rows = -(-len(shown) // COLUMNS)
    canvas = np.full((rows * high, COLUMNS * wide, 3), 255, np.uint8)
    for number, (plate, under) in enumerate(shown):
        top, left = number // COLUMNS * high, number % COLUMNS * wide
        cell = cut_out(picture_of(folder, plate.file), plate)
        canvas[top : top + CELL[1], left : left + CELL[0]] = cell
        for line, text in enumerate(under[:texts]):
            at = (left + 2, top + CELL[1] + TEXT * line + 13)
            cv2.putText(
                canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 160), 1, cv2.LINE_AA
            )
    return canvas
