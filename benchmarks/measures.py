"""The arithmetic of the benchmarks: overlap, precision and recall, look-alikes, calibration.

Boxes are (x1, y1, x2, y2) in pixels of the picture; everything here is plain Python on values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Box = tuple[float, float, float, float]

RECALL_IOU: Final = 0.4
"""Overlap from which a plate counts as found: as in OpenALPR's and fast-alpr's own measurements."""

HEIGHTS: Final = (15.0, 20.0, 30.0, 45.0)
"""Limits between classes of plate height, in pixels of the full picture."""

FOLDED: Final = str.maketrans({"O": "0", "Q": "0", "D": "0", "I": "1"})


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def shared(one: Box, other: Box) -> float:
    """Pixels both boxes cover."""
    return area(
        (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
    )


def iou(one: Box, other: Box) -> float:
    """Intersection over union, 0–1; 0 where both are empty."""
    common = shared(one, other)
    union = area(one) + area(other) - common
    return common / union if union > 0 else 0.0


def at_plate(reading: Box, plate: Box) -> bool:
    """Whether a reading is of this plate: half of the smaller box lies in the other.

    Looser than `RECALL_IOU`, because systems box different things: the plate, its frame, one line.
    """
    smaller = min(area(reading), area(plate))
    return smaller > 0 and shared(reading, plate) >= 0.5 * smaller


def folded(text: str) -> str:
    """The text with characters that many fonts draw alike made one: O, Q, D → 0 and I → 1."""
    return text.translate(FOLDED)


def height_class(box: Box) -> str:
    """Name of the class of `HEIGHTS` that a plate's box falls in."""
    height = box[3] - box[1]
    if height < HEIGHTS[0]:
        return f"<{HEIGHTS[0]:g}"
    for low, high in pairwise(HEIGHTS):
        if height < high:
            return f"{low:g}–{high:g}"
    return f"≥{HEIGHTS[-1]:g}"


def height_classes() -> list[str]:
    """Names of all classes of height, small to large."""
    edges = [0.0, *HEIGHTS]
    return [height_class((0.0, 0.0, 1.0, edge)) for edge in edges]


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector marked: its box and its own score."""

    box: Box
    score: float


def recall(pictures: Iterable[tuple[Sequence[Box], Sequence[Box]]], least: float) -> float | None:
    """Share of true boxes that some found box overlaps by IoU ≥ `least`; None without any.

    `pictures`: (true boxes, found boxes) of each.
    """
    hits = total = 0
    for true, found in pictures:
        total += len(true)
        hits += sum(any(iou(one, other) >= least for other in found) for one in true)
    return hits / total if total else None


def average_precision(
    pictures: Iterable[tuple[Sequence[Box], Sequence[Found]]], least: float = 0.5
) -> float | None:
    """Area under the precision–recall curve at IoU `least` (AP50 by default); None without plates.

    All-point interpolation, as Pascal VOC does since 2010: found boxes over all pictures, best
    score first, each match one true box of their picture at most once, the one they overlap most;
    precision at a recall is the best precision from there on.
    """
    total = 0
    marks: list[tuple[float, bool]] = []
    for true, found in pictures:
        total += len(true)
        free = list(true)
        for one in sorted(found, key=lambda found: found.score, reverse=True):
            best = max(free, key=lambda box: iou(one.box, box), default=None)
            hit = best is not None and iou(one.box, best) >= least
            if hit and best is not None:
                free.remove(best)
            marks.append((one.score, hit))
    if not total:
        return None
    marks.sort(key=lambda mark: mark[0], reverse=True)
    precisions: list[float] = []
    hits = 0
    for rank, (_, hit) in enumerate(marks, start=1):
        if hit:
            hits += 1
            precisions.append(hits / rank)
    # From the right: the best precision at this recall or a higher one.
    best_later = 0.0
    summed = 0.0
    for precision in reversed(precisions):
        best_later = max(best_later, precision)
        summed += best_later
    return summed / total


@dataclass(frozen=True, slots=True)
class Bin:
    """Readings whose score lies in [low, high): how many, and which share of them was right."""

    low: float
    high: float
    count: int
    mean_score: float
    right: float


def reliability(scored: Sequence[tuple[float, bool]], bins: int = 10) -> list[Bin]:
    """Calibration: (score, whether right) sorted into equal bins of score; empty ones left out.

    A score of 1 belongs to the last bin.
    """
    sorted_in: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for score, right in scored:
        sorted_in[min(bins - 1, max(0, int(score * bins)))].append((score, right))
    return [
        Bin(
            low=index / bins,
            high=(index + 1) / bins,
            count=len(members),
            mean_score=sum(score for score, _ in members) / len(members),
            right=sum(right for _, right in members) / len(members),
        )
        for index, members in enumerate(sorted_in)
        if members
    ]


@dataclass(frozen=True, slots=True)
class Above:
    """Readings with at least this score: how many, and which share was right (None: no reading)."""

    score: float
    count: int
    right: float | None


def right_above(
    scored: Sequence[tuple[float, bool]],
    floors: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
) -> list[Above]:
    """What a threshold buys: for each floor, the readings above it and the share that is right."""
    rows = []
    for floor in floors:
        kept = [right for score, right in scored if score >= floor]
        rows.append(Above(floor, len(kept), sum(kept) / len(kept) if kept else None))
    return rows


def share(values: Sequence[float], part: float) -> float | None:
    """The value below which `part` of the values lie; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
