"""`./run train corners`: corners of real plates, whose labels are boxes only.

The box stays as labelled; its slant is what our detector sees, once in the picture and once in its
mirror image. A detector trained so far on drawn plates and turned frames knows slants well before
it knows sizes: a plate that hangs askew fills less of its box than one that was turned with it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detector import PlateDetector
from inference.results import Corners, Detection, Detector, Picture
from training.detector.measure import iou_of
from training.paths import CACHE, data

CORNERS: Final = "corners.jsonl"
"""File beside the frames: a line for each, with four corners or null for each of its plates."""
WIDE: Final = 110
"""Pixels of the plate's width when its slant is measured."""
ROOM: Final = 0.6
"""Share of its width shown on either side of it."""
SAME: Final = 0.4
"""Intersection over union from which what is found is the labelled plate."""
AGREE: Final = 0.05
"""Most that the slopes in the picture and in its mirror image may differ."""
LEAST: Final = 0.4
"""Share of the box's sides that the plate's have at least."""

Slant = tuple[float, float]
"""Fall of the upper and lower edge (down per right), lean of the left and right one (right per
down)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def main(options: argparse.Namespace) -> int:
    from training.detector.data import FrameStore  # torch: what only looks for corners does without

    FrameStore.build(data(), CACHE / "frames")
    store, detector = FrameStore(CACHE / "frames"), PlateDetector()
    rows: list[list[list[list[float]] | None]] = []
    for number, frame in enumerate(store.frames):
        picture = store.picture(frame)
        found = [corners_of(detector, picture, box) for box in frame.boxes]
        rows.append([None if quad is None else quad.round(2).tolist() for quad in found])
        if number % 500 == 0:
            print(f"{number} of {len(store.frames)} frames", flush=True)
    part = (CACHE / "frames" / CORNERS).with_suffix(".part")
    part.write_text("\n".join(map(json.dumps, rows)))
    part.rename(CACHE / "frames" / CORNERS)
    known = [quad is not None for row in rows for quad in row]
    print(f"corners of {sum(known)} of {len(known)} plates")
    return 0


def corners_of(detector: Detector, picture: Picture, box: NDArray[np.float32]) -> Corners | None:
    """Corners of the plate in a labelled box, or None where its slant is not clear."""
    height, width = picture.shape[:2]
    wide, high = float(box[2] - box[0]), float(box[3] - box[1])
    room = ROOM * wide
    x1, y1 = (int(v) for v in np.floor(box[:2] - room))
    x2, y2 = (int(v) for v in np.ceil(box[2:] + room))
    beyond = max(0, -y1), max(0, y2 - height), max(0, -x1), max(0, x2 - width)
    inside = picture[max(0, y1) : y2, max(0, x1) : x2]
    piece = np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    side = round(max(piece.shape[:2]) * WIDE / max(wide, high))
    seen = np.array(box - (x1, y1, x1, y1), np.float32)
    mirrored = np.array([x2 - x1 - seen[2], seen[1], x2 - x1 - seen[0], seen[3]], np.float32)
    here = _slant(detector, piece, seen, side)
    there = _slant(detector, np.asarray(cv2.flip(piece, 1), np.uint8), mirrored, side)
    if here is None or there is None or abs(here[0] + there[0]) > AGREE:
        return None
    return inscribed(box, (here[0] - there[0]) / 2, (here[1] - there[1]) / 2)


def _slant(
    detector: Detector, picture: Picture, box: NDArray[np.float32], side: int
) -> Slant | None:
    quad = quad_at(detector.detect(picture, long_side=side), box)
    if quad is None:
        return None
    a, b, c, d = quad
    right, down = (b - a) + (c - d), (d - a) + (c - b)
    return float(right[1] / max(right[0], 1e-3)), float(down[0] / max(down[1], 1e-3))


def quad_at(found: Sequence[Detection], box: NDArray[np.float32]) -> Corners | None:
    """The corners of that find which is the plate of a labelled box, or None where none is."""
    if not found:
        return None
    quads = [np.array(one.quad, np.float32) for one in found]
    boxes = np.array([[*quad.min(axis=0), *quad.max(axis=0)] for quad in quads], np.float32)
    overlaps = iou_of(box, boxes)
    return quads[int(np.argmax(overlaps))] if overlaps.max() >= SAME else None


def corners_in(box: NDArray[np.float32]) -> Corners:
    """The corners of an upright box, clockwise from the top left."""
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)


def inscribed(box: NDArray[np.float32], slope: float, lean: float) -> Corners | None:
    """The parallelogram of this slant that fills a box, or None where none does."""
    wide, high = float(box[2] - box[0]), float(box[3] - box[1])
    left = 1 - abs(slope * lean)
    along, down = (wide - abs(lean) * high) / left, (high - abs(slope) * wide) / left
    if along < LEAST * wide or down < LEAST * high:
        return None
    right, below = np.array([along, along * slope]), np.array([down * lean, down])
    corners = np.array([[0.0, 0.0], right, right + below, below])
    return np.asarray(corners - corners.min(axis=0) + box[:2], np.float32)
