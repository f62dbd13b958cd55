"""Painting plates out of pictures, so that whatever is then read is a false read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np

from benchmarks.measures import Box
from inference.results import Picture

GROW: Final = 0.3
"""Of the plate's height, painted on every side beyond its box: labels are drawn tight."""
PATCH: Final = 48
"""Height in pixels at which the hole is filled: details of a fill are invented anyway."""


def paint_out(picture: Picture, boxes: Iterable[Box]) -> Picture:
    """A copy of the BGR picture in which each box is filled from what surrounds it.

    The fill is as smooth as what a plate hides behind it mostly is, with the grain of the picture
    around it and a soft rim, so that no edge is left that outlines a plate.
    """
    painted = picture.copy()
    for box in boxes:
        _fill(painted, box)
    return painted


def _fill(picture: Picture, box: Box) -> None:
    height, width = picture.shape[:2]
    grow = max(2.0, GROW * (box[3] - box[1]))
    hole = _whole((box[0] - grow, box[1] - grow, box[2] + grow, box[3] + grow), width, height)
    around = max(6.0, 0.5 * (hole[3] - hole[1]))
    x1, y1, x2, y2 = _whole(
        (hole[0] - around, hole[1] - around, hole[2] + around, hole[3] + around), width, height
    )
    if hole[2] <= hole[0] or hole[3] <= hole[1]:
        return
    region = picture[y1:y2, x1:x2]
    mask = np.zeros(region.shape[:2], np.uint8)
    mask[hole[1] - y1 : hole[3] - y1, hole[0] - x1 : hole[2] - x1] = 255
    scale = min(1.0, PATCH / (hole[3] - hole[1]))
    size = max(2, round(region.shape[1] * scale)), max(2, round(region.shape[0] * scale))
    if mask.all():  # nothing is left to fill it from
        picture[y1:y2, x1:x2] = region.mean(axis=(0, 1)).astype(np.uint8)
        return
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    small_mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    filled = cv2.resize(
        cv2.inpaint(small, small_mask, 4, cv2.INPAINT_TELEA),
        (region.shape[1], region.shape[0]),
        interpolation=cv2.INTER_LINEAR,
    ).astype(np.float32)
    rough = region.astype(np.float32)
    grain = float(np.median(np.abs(rough - cv2.blur(rough, (3, 3)))[mask == 0]))
    rng = np.random.default_rng(hole[0] * 65537 + hole[1])  # the same picture every time
    filled += rng.normal(0.0, grain, filled.shape).astype(np.float32)
    rim = max(1, round(grow / 2)) | 1
    share = cv2.GaussianBlur(cv2.erode(mask, np.ones((rim, rim), np.uint8)), (rim, rim), 0)
    part = share.astype(np.float32)[..., None] / 255
    picture[y1:y2, x1:x2] = np.clip(filled * part + rough * (1 - part), 0, 255).astype(np.uint8)


def _whole(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The box in whole pixels, within the picture."""
    x1, y1, x2, y2 = (round(value) for value in box)
    return max(0, x1), max(0, y1), min(width, x2), min(height, y2)
