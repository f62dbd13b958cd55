"""How good a detector is: average precision and recall on whole frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.results import Picture

PAD: Final = 114
Boxes = NDArray[np.float32]


def letterbox(picture: Picture, long_side: int) -> tuple[Picture, float]:
    """Scaled so that the longer side is `long_side`, padded right and below to multiples of 32."""
    height, width = picture.shape[:2]
    scale = long_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, size, interpolation=way)
    right, below = -size[0] % 32, -size[1] % 32
    padded = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(PAD,) * 3)
    return np.asarray(padded, np.uint8), scale


def suppress(
    plates: NDArray[np.float32], least: float = 0.02, overlap: float = 0.5
) -> NDArray[np.float32]:
    """Keep the best of what overlaps: `plates` [n, 13] → [k, 13], best first."""
    plates = plates[plates[:, 0] > least]
    plates = plates[np.argsort(-plates[:, 0])][:300]
    kept: list[int] = []
    open_ = np.ones(len(plates), bool)
    for i in range(len(plates)):
        if open_[i]:
            kept.append(i)
            open_ &= iou_of(plates[i, 1:5], plates[:, 1:5]) < overlap
    return plates[kept]


def iou_of(box: Boxes, boxes: Boxes) -> NDArray[np.float32]:
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - inter
    return np.asarray(inter / np.maximum(areas, 1e-6), np.float32)


def measure(
    run: Callable[[Picture], NDArray[np.float32]],
    frames: Iterable[tuple[Picture, Boxes]],
    long_side: int,
    at: float = 0.5,
) -> dict[str, float]:
    """AP (all points) and recall at IoU `at`; `run`: letterboxed picture → plates [n, 13]."""
    scores: list[float] = []
    hits: list[bool] = []
    total = found_sure = extra_sure = pictures = 0
    for picture, truth in frames:
        small, scale = letterbox(picture, long_side)
        found = suppress(run(small))
        total += len(truth)
        pictures += 1
        free = np.ones(len(truth), bool)
        for plate in found:
            overlaps = iou_of(plate[1:5] / scale, truth) * free if len(truth) else np.zeros(1)
            best = int(np.argmax(overlaps))
            hit = bool(overlaps[best] >= at)
            if hit:
                free[best] = False
            scores.append(float(plate[0]))
            hits.append(hit)
            if plate[0] >= 0.3:
                found_sure += hit
                extra_sure += not hit
    return {
        "ap": round(average_precision(scores, hits, total), 4),
        "recall": round(sum(hits) / max(total, 1), 4),
        "recall_at_0.3": round(found_sure / max(total, 1), 4),
        "extra_at_0.3": round(extra_sure / max(pictures, 1), 4),
    }


def average_precision(scores: Sequence[float], hits: Sequence[bool], total: int) -> float:
    """Area under the precision–recall curve, precision made monotone (PASCAL VOC 2010)."""
    order = np.argsort(-np.array(scores), kind="stable")
    right = np.cumsum(np.array(hits, float)[order])
    if not len(right) or not total:
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = right / total
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * precision))
