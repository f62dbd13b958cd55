"""From lines of text to plates: which lines may be one, which belong together, which is best.

Pure functions on geometry and decoded texts; no model is run here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.decode import Decoded
from inference.geometry import enclose, overlap, side_lengths, slope
from inference.results import ALPHABET, Corners, Emissions

MIN_HEIGHT: Final = 7.0
"""Pixels in the picture: below this no reader tells B from 8."""

ASPECTS: Final = (1.1, 12.0)
"""Width over height of the text of a plate: two characters on a square plate to twelve in a row."""

MAX_SLOPE: Final = 35.0
"""Degrees; beyond it, a line is writing on something else than an upright vehicle."""

MIN_SCORE: Final = 0.12
"""Reader's score under which a text is noise; the caller's own floors lie far above it."""

MIN_ODDS: Final = -2.5
"""Log-odds (`Decoded.odds`) under which a text in a frame is taken for a word, a date or a
telephone number. A region hint lifts the odds of that region's formats above it."""

TWO_ROWS: Final = 1.0
"""Taken off the likeness of two rows read as one plate: two lines of writing, one above the other,
are met more often than plates in two rows, and many pairs fit some syntax by chance."""

LIGHT_INK: Final = 2.0
"""Taken off the likeness of light writing on a dark ground: nearly all plates are printed dark on
light, lettering on vehicles and text laid over a picture often the other way round."""

MAX_LINES: Final = 14
"""Lines read in one picture; each takes about 8 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of text, several joined in a row, or two rows of one plate.

    `readings`: the reader's emissions, one per cut it was read from; `decoded`: what they say.
    """

    quad: Corners
    score: float
    rows: int = 1
    light_ink: bool = False
    readings: tuple[Emissions, ...] = ()
    decoded: Decoded | None = None

    @property
    def size(self) -> tuple[float, float]:
        return side_lengths(self.quad)

    @property
    def aspect(self) -> float:
        width, height = self.size
        return width / max(height, 1e-6)


def refusal(line: Line) -> str | None:
    """Why a line cannot be a plate by its geometry alone, or None."""
    if line.size[1] < MIN_HEIGHT:
        return "too-small"
    if not ASPECTS[0] <= line.aspect <= ASPECTS[1] or abs(slope(line.quad)) > MAX_SLOPE:
        return "shape"
    return None


def joined(lines: Sequence[Line], most: int = 3) -> list[Line]:
    """Lines made of up to `most` neighbours in a row, left to right.

    Plates have a gap, an emblem or a seal in the middle, and a detector often stops there.
    """
    ordered = sorted(lines, key=lambda line: float(line.quad[:, 0].mean()))
    chains: list[tuple[int, ...]] = [(index,) for index in range(len(ordered))]
    found = []
    for _ in range(most - 1):
        chains = [
            (*chain, index)
            for chain in chains
            for index in range(chain[-1] + 1, len(ordered))
            if _continues(ordered[chain[-1]], ordered[index])
        ]
        for chain in chains:
            members = [ordered[index] for index in chain]
            whole = Line(
                quad=enclose(*(member.quad for member in members)),
                score=min(member.score for member in members),
            )
            if refusal(whole) is None:
                found.append(whole)
    return found


def _continues(left: Line, right: Line) -> bool:
    (_, high_left), (_, high_right) = left.size, right.size
    high = max(high_left, high_right)
    if min(high_left, high_right) < 0.55 * high:
        return False
    end = (left.quad[1] + left.quad[2]) / 2
    start = (right.quad[0] + right.quad[3]) / 2
    along = left.quad[1] - left.quad[0] + right.quad[1] - right.quad[0]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    step = start - end
    gap = float(step @ along)
    drift = abs(float(step[0] * along[1] - step[1] * along[0]))
    return -0.5 * high <= gap <= 1.2 * high and drift <= 0.35 * high


def may_stack(top: Line, bottom: Line) -> bool:
    """Whether two lines could be the two rows of one plate: short, alike, close, one above."""
    if top.aspect > 5 or bottom.aspect > 5:
        return False
    (wide_top, high_top), (wide_bottom, high_bottom) = top.size, bottom.size
    high = max(high_top, high_bottom)
    if min(high_top, high_bottom) < 0.5 * high:
        return False
    gap = float(bottom.quad[:2, 1].mean() - top.quad[2:, 1].mean())
    shared = min(top.quad[:, 0].max(), bottom.quad[:, 0].max()) - max(
        top.quad[:, 0].min(), bottom.quad[:, 0].min()
    )
    return -0.45 * high <= gap <= 0.7 * high and float(shared) >= 0.6 * min(wide_top, wide_bottom)


def stacked(top: Line, bottom: Line) -> Line:
    """Two read rows as one line: the second is read on after a blank."""
    blank = np.zeros((1, 1 + len(ALPHABET)), dtype=np.float32)
    blank[0, 0] = 1.0
    return Line(
        quad=enclose(top.quad, bottom.quad),
        score=min(top.score, bottom.score),
        rows=2,
        light_ink=top.light_ink or bottom.light_ink,
        readings=tuple(
            np.concatenate([above, blank, below])
            for above, below in zip(top.readings, bottom.readings, strict=False)
        ),
    )


def likeness(line: Line) -> float:
    """How much a read line is like a plate rather than other writing; more is likelier.

    A few facts, kept simple on purpose: the text's odds under the grammar, capped for each row so
    that a rare format does not outdo a clear reading; the reader's score; the detector's score; the
    size, as the plate a camera is aimed at is seldom the smallest; rows; and the ink. The weights
    are round numbers from a broad plateau on the bench (within a factor of two they rank alike).
    """
    read = line.decoded
    if read is None:
        return -math.inf
    return (
        min(read.odds, 4.0 * line.rows)
        + 3.0 * math.log(max(read.score, 1e-4))
        + 2.0 * math.log(max(line.score, 1e-4))
        + 0.5 * math.log(max(line.size[1] / line.rows, 1.0))
        - TWO_ROWS * (line.rows - 1)
        - LIGHT_INK * line.light_ink
    )


def best_of_place(lines: Iterable[Line]) -> tuple[list[Line], list[Line]]:
    """Best first: the lines that are the best reading where they lie, and those they cover."""
    kept: list[Line] = []
    covered = []
    for line in sorted(lines, key=likeness, reverse=True):
        if any(overlap(line.quad, better.quad) > 0.4 for better in kept):
            covered.append(line)
        else:
            kept.append(line)
    return kept, covered
