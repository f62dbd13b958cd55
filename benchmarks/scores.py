"""From answers to figures: what a system made of labelled pictures, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.datasets import Labelled
from benchmarks.measures import (
    RECALL_IOU,
    at_plate,
    average_precision,
    folded,
    height_class,
    height_classes,
    recall,
    reliability,
    right_above,
    share,
)
from benchmarks.peers.protocol import STAGES
from benchmarks.systems import Answer, Read

Seen = tuple[Labelled, Answer]

PROVINCE_LAST = 0x7F
"""Characters beyond ASCII are the province that begins a Chinese plate."""


def texts_read(answer: Answer) -> set[str]:
    return {plate.text for plate in answer.plates}


def is_exact(seen: Seen) -> bool:
    """Whether every text of the picture is among those read."""
    return texts_read(seen[1]).issuperset(seen[0].texts)


def extra_plates(seen: Seen) -> list[Read]:
    """Readings beyond one for each plate that is there, labelled with a text or not."""
    picture, answer = seen
    free = [*picture.boxes, *picture.others]
    extra = []
    for plate in sorted(answer.plates, key=lambda plate: plate.score, reverse=True):
        mine = next((box for box in free if at_plate(plate.box, box)), None)
        if mine is None:
            extra.append(plate)
        else:
            free.remove(mine)
    return extra


def judged(seen: Iterable[Seen]) -> list[tuple[float, bool]]:
    """(score, whether right) of each reading whose truth is known.

    A reading where no plate is was wrong; one of a plate whose text nobody wrote down is left out.
    """
    rows = []
    for picture, answer in seen:
        for plate in answer.plates:
            right = plate.text in picture.texts
            if right or not any(at_plate(plate.box, box) for box in picture.others):
                rows.append((plate.score, right))
    return rows


def recognition(seen: Sequence[Seen]) -> dict[str, Any]:
    """Figures of one region: shares of plates read, found, and readings too many per picture."""
    plates = sum(len(picture.texts) for picture, _ in seen)
    exact = sum(text in texts_read(answer) for picture, answer in seen for text in picture.texts)
    alike = sum(
        folded(text) in {folded(other) for other in texts_read(answer)}
        for picture, answer in seen
        for text in picture.texts
    )
    return {
        "pictures": len(seen),
        "exact": exact / plates if plates else None,
        "folded": alike / plates if plates else None,
        "extra_per_picture": sum(len(extra_plates(one)) for one in seen) / max(1, len(seen)),
        **detection(seen),
    }


def detection(seen: Sequence[Seen]) -> dict[str, Any]:
    """Recall of the boxes the system reads, and AP50 of all it marks.

    Marks on plates the labels leave out count neither for nor against the detector.
    """
    fair = [
        (
            picture.boxes,
            [
                mark
                for mark in answer.found
                if any(at_plate(mark.box, box) for box in picture.boxes)
                or not any(at_plate(mark.box, box) for box in picture.others)
            ],
            answer.floor,
        )
        for picture, answer in seen
    ]
    return {
        "recall": recall(
            (
                (boxes, [mark.box for mark in marks if mark.score >= floor])
                for boxes, marks, floor in fair
            ),
            RECALL_IOU,
        ),
        "ap50": average_precision((boxes, marks) for boxes, marks, _ in fair),
    }


def by_height(seen: Sequence[Seen]) -> dict[str, Any]:
    """Exact by class of plate height: pictures of each class, and the share read."""
    rows: dict[str, Any] = {}
    for name in height_classes():
        members = [one for one in seen if height_class(one[0].boxes[0]) == name]
        right = sum(map(is_exact, members))
        rows[name] = {
            "plates": len(members),
            "exact": right / len(members) if members else None,
        }
    return rows


def calibration(seen: Sequence[Seen]) -> dict[str, Any]:
    """How far the score may be believed: bins for a plot, and what each threshold buys."""
    rows = judged(seen)
    return {
        "readings": len(rows),
        "bins": [asdict(one) for one in reliability(rows)],
        "above": [asdict(one) for one in right_above(rows)],
    }


def times(answers: Sequence[Answer]) -> dict[str, Any]:
    """Milliseconds by stage, and of everything: median and 95th percentile, and CPU time."""
    whole = [answer.all_ms for answer in answers]
    return {
        **{stage: share([answer.ms[stage] for answer in answers], 0.5) for stage in STAGES},
        "all_p50": share(whole, 0.5),
        "all_p95": share(whole, 0.95),
        "cpu_p50": share([answer.cpu_ms for answer in answers], 0.5),
    }


def false_reads(seen: Sequence[Seen]) -> dict[str, Any]:
    """Readings in pictures without any plate, and of those the ones a system is sure of."""
    scores = [plate.score for _, answer in seen for plate in answer.plates]
    return {
        "pictures": len(seen),
        "with_false_read": sum(bool(answer.plates) for _, answer in seen),
        "reads": len(scores),
        "reads_at_0.9": sum(score >= 0.9 for score in scores),
    }


def crops(seen: Sequence[Seen]) -> dict[str, Any]:
    """Exact with and without the province a Chinese plate begins with, and by province."""

    def bare(text: str) -> str:
        return "".join(c for c in text if ord(c) <= PROVINCE_LAST)

    def without(one: Seen) -> bool:
        return bare(one[0].texts[0]) in {bare(text) for text in texts_read(one[1])}

    provinces: dict[str, Any] = {}
    for province in sorted({picture.region for picture, _ in seen}):
        members = [one for one in seen if one[0].region == province]
        right = sum(map(is_exact, members))
        provinces[province] = {"crops": len(members), "exact": right / len(members)}
    return {
        "crops": len(seen),
        "exact": sum(map(is_exact, seen)) / len(seen) if seen else None,
        "exact_without_province": sum(map(without, seen)) / len(seen) if seen else None,
        "provinces": provinces,
    }
