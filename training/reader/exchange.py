"""Characters of one real plate that change places: the same lettering and light, another text.

There are few thousand real plates, so that a network learns their texts by heart: it knows the rest
of a plate by its first character. A plate whose digits stand in another order cannot be known so.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from inference.geometry import grow, rectify, side_lengths
from inference.reader import MARGIN, PlateReader
from inference.results import Corners, Picture
from inference.search import search
from inference.syntaxes import DIGITS, LETTERS, grammar_for

LEAST: Final = 3
"""Pixels a character's cell is wide at least, in the plate as it was photographed."""
AROUND: Final = 0.35
"""Share of the way to the next character's middle in which the gap between the two is sought."""
WIDE: Final = 0.58
"""Most that a cell reaches to either side, in distances between characters: a gap stays behind."""

Cells = tuple[tuple[float, float], ...]
"""Where each character of a plate begins and ends: shares of its width with the reader's margin."""


def find_cells(reader: PlateReader, picture: Picture, corners: Corners, text: str) -> Cells | None:
    """The cells of a plate's characters; None for two rows, for characters too small or too far
    askew to change places, or where the reader sees another text.

    A reader's places are about those of the characters; the gap between two is where the picture
    changes least from top to bottom. That they can change places is tried: the reader reads what
    comes of it.
    """
    plate = unfold(picture, corners)
    middles = _middles(reader, picture, corners, text)
    if not middles:
        return None
    grey = cv2.cvtColor(plate, cv2.COLOR_BGR2GRAY).astype(np.float32)
    ink = grey[len(grey) // 4 : len(grey) - len(grey) // 4].std(axis=0)
    ink = cv2.GaussianBlur(ink[None], (0, 0), max(0.5, len(ink) / 160))[0]
    gaps = [0.0]
    for left, right in pairwise(middles):
        reach = (right - left) * AROUND
        low, high = (round(((left + right) / 2 + way) * len(ink)) for way in (-reach, reach))
        gaps.append((low + int(np.argmin(ink[low : high + 1]))) / len(ink))
    gaps.append(1.0)
    reach = WIDE * float(np.median(np.diff(middles)))
    cells = tuple(
        (max(left, middle - reach), min(right, middle + reach))
        for middle, (left, right) in zip(middles, pairwise(gaps), strict=True)
    )
    if min(right - left for left, right in cells) * plate.shape[1] < LEAST:
        return None
    changed, wanted = exchange(np.random.default_rng(len(text)), plate, cells, text)
    return cells if _middles(reader, changed, inside(changed), wanted) else None


def _middles(reader: PlateReader, picture: Picture, corners: Corners, text: str) -> list[float]:
    """Where the characters of a text stand, if it is what the reader sees, and in one row."""
    (seen,) = reader.read(picture, [corners])
    found = search(seen.emissions, grammar_for())
    if text not in found or text != max(found, key=lambda each: found[each].log_p):
        return []
    steps = found[text].steps
    columns = len(seen.emissions) // 2  # those of the upper row, then those of the lower one
    middles = [(step % columns + 0.5) / columns for step in steps]
    one_row = len({step // columns for step in steps}) == 1
    rising = all(b > a for a, b in pairwise(middles))
    return middles if one_row and rising and len(middles) > 2 else []


def unfold(picture: Picture, corners: Corners) -> Picture:
    """A plate with the reader's margin, upright, about as many pixels as it has in the picture."""
    around = grow(corners, MARGIN, MARGIN)
    width, height = side_lengths(around)
    return rectify(picture, around, max(8, round(width)), max(8, round(height)))


def exchange(
    rng: np.random.Generator, plate: Picture, cells: Cells, text: str
) -> tuple[Picture, str]:
    """An unfolded plate with its letters in another order and its digits in another, and its text.

    Each cell keeps its place and its width, so that the plate's design stays as it is.
    """
    order = list(range(len(text)))
    for kind in (LETTERS, DIGITS):
        places = [i for i, char in enumerate(text) if char in kind]
        for place, other in zip(places, rng.permutation(places).tolist(), strict=True):
            order[place] = other
    edges = [tuple(round(edge * plate.shape[1]) for edge in cell) for cell in cells]
    fresh = plate.copy()
    for (left, right), (start, end) in zip(edges, [edges[other] for other in order], strict=True):
        piece = plate[:, start:end]
        fresh[:, left:right] = cv2.resize(
            piece, (right - left, len(plate)), interpolation=cv2.INTER_AREA
        )
    return fresh, "".join(text[other] for other in order)


def inside(plate: Picture) -> Corners:
    """The corners of an unfolded plate, which has the reader's margin around it."""
    high, wide = plate.shape[:2]
    edge = high * MARGIN / (1 + 2 * MARGIN)
    low, right, foot = edge, wide - edge, high - edge
    return np.array([[low, low], [right, low], [right, foot], [low, foot]], np.float32)
