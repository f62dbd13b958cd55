"""What a camera does to a plate: pose, light, optics, sensor, compression.

Every function takes its randomness from the generator it is given and returns 8-bit BGR. Strengths
are drawn from wide ranges on purpose: the reader must know where characters dissolve, so that its
scores mean something there.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.geometry import grow, rectify
from inference.results import Corners, Picture

Generator = np.random.Generator

CROP_WIDTH: Final = 160
CROP_HEIGHT: Final = 64
MARGIN: Final = 0.10
"""Share of the plate's height added on every side before it is cut for the reader."""


def light(rng: Generator, picture: Picture) -> Picture:
    """Exposure, contrast, gamma and colour cast; now and then black and white, infrared, night."""
    table = np.arange(256, dtype=np.float32) / 255
    kind = rng.random()
    gain = rng.uniform(0.25, 0.7) if kind < 0.12 else rng.uniform(0.75, 1.3)
    table = np.clip(table * gain + rng.uniform(-0.12, 0.12), 0, 1) ** float(
        np.exp(rng.normal(0, 0.3))
    )
    tables = [table * rng.uniform(0.88, 1.12) for _ in range(3)] if kind > 0.3 else [table] * 3
    lut = np.stack([np.clip(t * 255, 0, 255) for t in tables], axis=-1).astype(np.uint8)
    lit = cv2.LUT(picture, lut[None])
    if rng.random() < 0.18:  # monochrome, as infrared cameras are
        lit = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(lit, np.uint8)


def shade(rng: Generator, picture: Picture) -> Picture:
    """An edge of shadow, a glare or a gradient across the picture."""
    height, width = picture.shape[:2]
    xs = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    ys = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    along = xs * np.float32(np.cos(angle)) + ys * np.float32(np.sin(angle))
    kind = rng.random()
    if kind < 0.4:
        where, hard = np.float32(rng.uniform(-0.8, 0.8)), np.float32(rng.uniform(3, 40))
        edge = 1 / (1 + np.exp(-(along - where) * hard))
        factor = 1 - edge * np.float32(rng.uniform(0.2, 0.65))
    elif kind < 0.75:
        factor = 1 + along * np.float32(rng.uniform(0.05, 0.4))
    else:
        far = (xs - rng.uniform(-1, 1)) ** 2 + ((ys - rng.uniform(-1, 1)) * 0.5) ** 2
        spot = np.exp(-far / np.float32(rng.uniform(0.02, 0.5))) * np.float32(rng.uniform(40, 180))
        return np.asarray(cv2.add(picture, cv2.merge([spot.astype(np.uint8)] * 3)), np.uint8)
    layers = cv2.merge([factor.astype(np.float32)] * 3)
    return np.asarray(cv2.multiply(picture, layers, dtype=cv2.CV_8U), np.uint8)


def blur(rng: Generator, picture: Picture, most: float) -> Picture:
    """Defocus, motion or softness; `most` is the widest blur in pixels."""
    size = float(rng.uniform(0.2, 1.0) * most)
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.2, size * 0.5)), np.uint8)
    length = max(2, round(size * 1.6))
    kernel = np.zeros((length * 2 + 1,) * 2, np.float32)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)], p=[0.45, 0.2, 0.35])
    half = length / 2
    end = (length + half * np.cos(angle), length + half * np.sin(angle))
    start = (length - half * np.cos(angle), length - half * np.sin(angle))
    scale = 16
    points = [tuple(round(v * scale) for v in point) for point in (start, end)]
    cv2.line(kernel, points[0], points[1], 1.0, 1, cv2.LINE_AA, 4)
    kernel /= max(float(kernel.sum()), 1e-6)
    return np.asarray(cv2.filter2D(picture, -1, kernel), np.uint8)


def noise(rng: Generator, picture: Picture, most: float = 14) -> Picture:
    """Sensor noise of up to `most` grey levels (standard deviation)."""
    level = rng.uniform(1, most)
    coloured = rng.random() < 0.5
    grain = np.empty(picture.shape if coloured else picture.shape[:2], np.int16)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    cv2.randn(grain, 0, float(level))
    grain = grain if coloured else cv2.merge([grain] * 3)
    return np.asarray(cv2.add(picture, grain, dtype=cv2.CV_8U), np.uint8)


def compress(rng: Generator, picture: Picture, lowest: int = 18) -> Picture:
    """JPEG and back at a random quality."""
    quality = int(rng.integers(lowest, 96))
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def rain(rng: Generator, picture: Picture) -> Picture:
    """Bright streaks, or drops on the glass."""
    wet = picture.copy()
    height, width = wet.shape[:2]
    slant = rng.uniform(-0.4, 0.4)
    for _ in range(int(rng.integers(4, 30))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        length = rng.uniform(0.05, 0.3) * height
        shade_of = int(rng.integers(140, 240))
        end = (round(x + slant * length), round(y + length))
        cv2.line(wet, (round(x), round(y)), end, (shade_of,) * 3, 1, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(picture, 0.55, wet, 0.45, 0), np.uint8)


def sensor(rng: Generator, picture: Picture, sharpness: float = 1.0) -> Picture:
    """Light, optics, noise and compression at the size the camera has. Sides stay as they are.

    `sharpness`: 1 for plates of few pixels, more for larger ones, which stand more blur.
    """
    if rng.random() < 0.35:
        picture = shade(rng, picture)
    if rng.random() < 0.8:
        picture = light(rng, picture)
    if rng.random() < 0.05:
        picture = rain(rng, picture)
    if rng.random() < 0.5:
        picture = blur(rng, picture, 1.6 * sharpness)
    if rng.random() < 0.45:
        picture = noise(rng, picture)
    if rng.random() < 0.08:  # a camera that sharpens
        soft = cv2.GaussianBlur(picture, (0, 0), 1.2)
        picture = np.asarray(cv2.addWeighted(picture, 1.9, soft, -0.9, 0), np.uint8)
    if rng.random() < 0.65:
        picture = compress(rng, picture)
    return picture


def pose(rng: Generator, width: float, height: float, strength: float = 1.0) -> Corners:
    """Corners of a `width` × `height` plate as a camera sees it, around the origin.

    Turned about three axes (degrees, standard deviations: roll 4, yaw 18, pitch 12, times
    `strength`) before a lens some plate widths away.
    """
    roll, yaw, pitch = np.radians(rng.normal(0, np.array([4, 18, 12]) * strength))
    yaw, pitch = np.clip(yaw, -1.05, 1.05), np.clip(pitch, -0.8, 0.8)
    x = np.array([-1, 1, 1, -1]) * width / 2
    y = np.array([-1, -1, 1, 1]) * height / 2
    z = x * np.sin(yaw) + y * np.sin(pitch)
    x, y = x * np.cos(yaw), y * np.cos(pitch)
    away = max(width, height) * rng.uniform(2.5, 12)
    x, y = x * away / (away + z), y * away / (away + z)
    # A road that climbs or a camera from the side shears the plate without turning its characters.
    x = x + y * rng.normal(0, 0.08 * strength)
    y = y + x * rng.normal(0, 0.05 * strength)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * x - s * y, s * x + c * y], axis=-1).astype(np.float32)


def place(picture: Picture, plate: Picture, corners: Corners) -> None:
    """Draw a flat plate into `picture` (changed in place) so that its corners fall on `corners`.

    The plate is averaged down first, so that few pixels hold what a lens would have put there.
    """
    height, width = picture.shape[:2]
    low = np.floor(corners.min(axis=0)).astype(int) - 2
    high = np.ceil(corners.max(axis=0)).astype(int) + 3
    x1, y1 = np.maximum(low, 0)
    x2, y2 = np.minimum(high, (width, height))
    if x2 - x1 < 2 or y2 - y1 < 2:
        return
    ph, pw = plate.shape[:2]
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    shrink = (
        min(1.0, max(sides[0], sides[2]) / pw, max(sides[1], sides[3]) / ph) if pw and ph else 1.0
    )
    finer = 2.0  # twice as fine as the picture, then averaged: edges come out anti-aliased
    if shrink * finer < 0.8:
        size = (max(4, round(pw * shrink * finer)), max(4, round(ph * shrink * finer)))
        plate = np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_AREA), np.uint8)
        ph, pw = plate.shape[:2]
    source = np.array([[0, 0], [pw, 0], [pw, ph], [0, ph]], np.float32)
    target = ((corners - (x1, y1)) * finer).astype(np.float32)
    transform = cv2.getPerspectiveTransform(source, target)
    size = (int((x2 - x1) * finer), int((y2 - y1) * finer))
    drawn = cv2.warpPerspective(
        plate, transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(mask, np.round(target * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    area = (int(x2 - x1), int(y2 - y1))
    drawn = cv2.resize(drawn, area, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(mask, area, interpolation=cv2.INTER_AREA)[..., None].astype(np.float32) / 255
    patch: NDArray[Any] = picture[y1:y2, x1:x2]
    picture[y1:y2, x1:x2] = (patch * (1 - alpha) + drawn * alpha).astype(np.uint8)


def backdrop(rng: Generator, width: int, height: int, scene: Picture | None = None) -> Picture:
    """What lies around a plate: a piece of a real frame, or a few flat shapes."""
    if scene is not None and min(scene.shape[:2]) > 16:
        h, w = scene.shape[:2]
        share = rng.uniform(0.15, 0.6)
        cw, ch = max(8, int(w * share)), max(8, int(h * share * height / max(width, 1) * 1.5))
        ch = min(ch, h)
        x, y = int(rng.integers(0, w - cw + 1)), int(rng.integers(0, h - ch + 1))
        piece = scene[y : y + ch, x : x + cw]
        return np.asarray(
            cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    ground = np.full((height, width, 3), rng.integers(10, 230, 3) * rng.uniform(0.3, 1), np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        a, b = rng.integers(0, (width, height)), rng.integers(0, (width, height))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.rectangle(ground, tuple(map(int, a)), tuple(map(int, b)), colour, -1)
    return ground


def cut(picture: Picture, corners: Corners) -> Picture:
    """The reader's crop [64, 160, 3] of a plate whose corners were found at `corners`."""
    return rectify(picture, grow(corners, MARGIN, MARGIN), CROP_WIDTH, CROP_HEIGHT)


def shaken(rng: Generator, corners: Corners, amount: float = 0.035) -> Corners:
    """`corners` as a detector finds them: shifted, and each corner off, by shares of the size."""
    width = float(np.linalg.norm(corners[1] - corners[0]))
    height = float(np.linalg.norm(corners[3] - corners[0]))
    size = np.array([width * 0.6 + height * 0.4, height * 1.3], np.float32)
    off = rng.normal(0, amount, 2) + rng.normal(0, amount * 0.8, (4, 2))
    return (corners + off * size).astype(np.float32)


def photograph(
    rng: Generator, plate: Picture, scene: Picture | None = None, hard: float = 1.0
) -> Picture:
    """A drawn plate [h, w, 3] as the reader will get it: [64, 160, 3], degraded, cut a little off.

    `scene`: a frame to take the surroundings from. `hard`: from 0, large and clean, to 1.
    """
    ph, pw = plate.shape[:2]
    high = float(np.exp(rng.uniform(np.log(9 + 31 * (1 - hard)), np.log(75))))
    wide = high * pw / ph * rng.uniform(0.85, 1.15)
    corners = pose(rng, wide, high, strength=float(rng.choice([0.3, 1.0], p=[0.4, 0.6])))
    low, top = corners.min(axis=0), corners.max(axis=0)
    room = max(4.0, high * 0.5)
    corners = corners - low + room
    width, height = (int(v) for v in np.ceil(top - low + 2 * room))
    view = backdrop(rng, width, height, scene if rng.random() < 0.7 else None)
    if rng.random() < 0.3:  # a holder around the plate
        middle = corners.mean(axis=0)
        around = middle + (corners - middle) * rng.uniform(1.03, 1.15, 2)
        colour = tuple(int(v) for v in rng.integers(0, 90, 3))
        cv2.fillConvexPoly(view, np.round(around).astype(np.int32), colour, cv2.LINE_AA)
    place(view, plate, corners)
    if rng.random() <= hard:
        view = sensor(rng, view, sharpness=max(0.6, high / 28))
    return cut(view, shaken(rng, corners))
