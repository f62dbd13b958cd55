"""Text detection: PP-OCRv6 small, a differentiable-binarisation network (DB, arXiv:1911.08947)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference.geometry import grow, order_corners
from inference.models import REGISTRY, load_session
from inference.results import Detection, Picture

STRIDE: Final = 32
"""The network halves its input five times: both sides must be multiples of this."""


class TextDetector:
    """Finds lines of text of any script; which of them are plates is decided later.

    A picture is scaled by one factor: up, at most `max_upscale` times, as characters under about
    ten pixels are missed, and never beyond `max_pixels`, which bounds the time a picture takes
    (about 220 ms a megapixel on one core of the machine it was measured on).
    """

    def __init__(self, *, max_pixels: int = 950_000, max_upscale: float = 2.0) -> None:
        self.max_pixels = max_pixels
        self.max_upscale = max_upscale
        self._model = REGISTRY["pp-ocrv6-det-small"]

    @property
    def version(self) -> str:
        return self._model.version

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return load_session(self._model)

    def detect(self, picture: Picture) -> tuple[Detection, ...]:
        height, width = picture.shape[:2]
        scale = min(self.max_upscale, math.sqrt(self.max_pixels / (width * height)))
        size = (_to_stride(width * scale), _to_stride(height * scale))
        shrinking = size[0] * size[1] < width * height
        scaled = cv2.resize(
            picture, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        )
        (maps,) = self._session.run(None, {"x": as_input(np.asarray(scaled, np.uint8))})
        return lines_from_map(maps[0, 0], width, height)


def as_input(picture: Picture) -> NDArray[np.float32]:
    """BGR [h, w, 3] → [1, 3, h, w] in −1…1, as both PP-OCR networks were trained."""
    values = picture.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _to_stride(length: float) -> int:
    return max(STRIDE, round(length / STRIDE) * STRIDE)


def lines_from_map(
    probabilities: NDArray[np.float32],
    width: int,
    height: int,
    *,
    threshold: float = 0.3,
    min_score: float = 0.4,
    unclip: float = 1.6,
) -> tuple[Detection, ...]:
    """DB's post-process: probability map [h, w] → lines in a picture of `width` × `height`.

    The network marks the shrunken core of each line. A core's turned rectangle is grown again by
    area × `unclip` / perimeter, the inverse of the shrinking it was trained with. The score is the
    mean probability over the core.
    """
    rows, columns = probabilities.shape
    mask = cv2.dilate((probabilities > threshold).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        rectangle = cv2.minAreaRect(contour)
        long, short = max(rectangle[1]), min(rectangle[1])
        if short < 2:
            continue
        x, y, w, h = cv2.boundingRect(contour)
        core = np.zeros((h, w), np.uint8)
        cv2.drawContours(core, [contour - (x, y)], -1, 1, cv2.FILLED)
        score = cv2.mean(probabilities[y : y + h, x : x + w], core)[0]
        if score < min_score:
            continue
        offset = long * short * unclip / (2 * (long + short))
        corners = order_corners(cv2.boxPoints(rectangle))
        share = offset / max(float(np.linalg.norm(corners[3] - corners[0])), 1e-6)
        corners = grow(corners, share, share) * (width / columns, height / rows)
        a, b, c, d = ((float(px), float(py)) for px, py in corners)
        found.append(Detection(quad=(a, b, c, d), score=min(1.0, score)))
    return tuple(found)
