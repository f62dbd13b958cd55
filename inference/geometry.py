"""Corners, boxes and cuts: pure functions on pixel coordinates."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from inference.results import Box, Corners, Picture, Quad

LEAST_CONTRAST: Final = 16.0
"""Grey levels between light and dark, of 255: less is noise."""


def order_corners(points: ArrayLike) -> Corners:
    """Four corners in any order → clockwise from top left.

    The pair of sides nearest to horizontal becomes top and bottom: plates hang level, give or take
    a camera's tilt, so a quad taller than wide is an upright sign and not a line turned by 90°.
    """
    corners = np.asarray(points, dtype=np.float64).reshape(4, 2)
    centre = corners.mean(axis=0)
    # Image coordinates have y downwards, so rising angle is clockwise as seen.
    around = corners[np.argsort(np.arctan2(*(corners - centre).T[::-1]))]
    sides = np.roll(around, -1, axis=0) - around
    opposite = sides - np.roll(sides, -2, axis=0)
    first = int(np.argmax(opposite[:, 0] / np.maximum(np.linalg.norm(opposite, axis=1), 1e-9)))
    return np.roll(around, -first, axis=0).astype(np.float32)


def as_quad(corners: ArrayLike) -> Quad:
    a, b, c, d = ((round(float(x), 1), round(float(y), 1)) for x, y in np.asarray(corners))
    return (a, b, c, d)


def side_lengths(quad: ArrayLike) -> tuple[float, float]:
    """Width and height of a quad in pixels: the longer of each pair of opposite sides."""
    a, b, c, d = np.asarray(quad, dtype=np.float64).tolist()
    width = max(math.dist(a, b), math.dist(d, c))
    height = max(math.dist(a, d), math.dist(b, c))
    return width, height


def box_of(quad: ArrayLike, width: int, height: int) -> Box:
    """The smallest upright box around a quad, cut to the picture's size."""
    xs, ys = np.asarray(quad, dtype=np.float64).T.tolist()
    return (
        min(max(math.floor(min(xs)), 0), width),
        min(max(math.floor(min(ys)), 0), height),
        min(max(math.ceil(max(xs)), 0), width),
        min(max(math.ceil(max(ys)), 0), height),
    )


def enclose(*quads: ArrayLike) -> Corners:
    """The smallest turned rectangle around several quads, its corners in order."""
    points = np.concatenate([np.asarray(quad, dtype=np.float32) for quad in quads])
    return order_corners(cv2.boxPoints(cv2.minAreaRect(points)))


def grow(quad: ArrayLike, along: float, across: float) -> Corners:
    """Move each side outwards (negative: inwards) by a share of the quad's height.

    `along` widens at both ends of the text, `across` heightens at top and bottom.
    """
    _, height = side_lengths(quad)
    a, b, c, d = np.asarray(quad, dtype=np.float64).tolist()
    # Plain numbers: for two of them numpy takes many times as long.
    right = _unit(b[0] - a[0] + (c[0] - d[0]), b[1] - a[1] + (c[1] - d[1]))
    down = _unit(d[0] - a[0] + (c[0] - b[0]), d[1] - a[1] + (c[1] - b[1]))
    rx, ry = right[0] * height * along, right[1] * height * along
    dx, dy = down[0] * height * across, down[1] * height * across
    return np.array(
        [
            [a[0] - rx - dx, a[1] - ry - dy],
            [b[0] + rx - dx, b[1] + ry - dy],
            [c[0] + rx + dx, c[1] + ry + dy],
            [d[0] - rx + dx, d[1] - ry + dy],
        ],
        dtype=np.float32,
    )


def _unit(x: float, y: float) -> tuple[float, float]:
    length = math.sqrt(x * x + y * y)
    return (x / length, y / length) if length else (x, y)


def rectify(picture: Picture, quad: ArrayLike, width: int, height: int) -> Picture:
    """Cut a quad out by perspective transform, as `width` × `height` pixels.

    Linear sampling: on the few pixels a distant plate has, cubic sharpening turns compression
    artefacts into strokes (measured on the bench: six plates in a hundred).
    """
    across, down = side_lengths(quad)
    # warpPerspective samples points: a large plate is cut at its own size first, then averaged.
    finer = min(8, max(1, round(down / height), round(across / width)))
    wide, high = width * finer, height * finer
    target = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], dtype=np.float32)
    transform = cv2.getPerspectiveTransform(np.asarray(quad, dtype=np.float32), target)
    cut = cv2.warpPerspective(
        picture, transform, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if finer > 1:
        cut = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cut, dtype=np.uint8)


def sharpness(crop: Picture) -> float:
    """How steep the edges of a plate's characters are, 0–1: the steepest twentieth of the steps
    from pixel to pixel along the text, over the contrast of the whole crop.

    A character's edge that falls from light to dark within one pixel gives nearly 1; spread over n
    pixels by blur, 1 / n. What has next to no contrast has no edges and gives 0.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    dark, light = _levels(grey, 0.05, 0.95)
    if light - dark < LEAST_CONTRAST:
        return 0.0
    (steepest,) = _levels(cv2.absdiff(grey[:, 1:], grey[:, :-1]), 0.95)
    return min(1.0, steepest / (light - dark))


def _levels(grey: NDArray[np.uint8], *shares: float) -> list[int]:
    """For each share the grey level that this share of the pixels does not exceed."""
    counts = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return [int(np.searchsorted(counts, share * grey.size)) for share in shares]


def overlap(first: ArrayLike, second: ArrayLike) -> float:
    """Area shared by two quads over the area of the smaller one, 0–1."""
    a, b = np.asarray(first, dtype=np.float32), np.asarray(second, dtype=np.float32)
    smaller = min(cv2.contourArea(a), cv2.contourArea(b))
    if smaller <= 0:
        return 0.0
    shared, _ = cv2.intersectConvexConvex(a, b)
    return min(1.0, float(shared) / smaller)
