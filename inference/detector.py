"""Plate detection: our own fully convolutional network (its card: `weights/plate-detector.md`).

The network sees the picture scaled down to a fixed longer side and answers, for each cell of 8×8
pixels, a score, a box and the plate's four corners. What is left to do here is to scale, to keep
the cells above a threshold and the best of those that overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference.models import CPU, ModelFile, load_session, registered
from inference.results import Detection, Picture

STRIDE: Final = 32
"""Both sides of the network's input are multiples of this."""
PAD: Final = 114
THRESHOLD: Final = 0.3
"""Score from which a cell counts; what it finds is judged once more together with its text."""
SAME: Final = 0.5
"""Intersection over union of two boxes from which they are of one plate."""
MOST: Final = 128
"""Cells that are compared; a plate lights up about ten."""

CLOSER_GAIN: Final = 1.5
"""How much larger than the network's input a picture must be to show more from closer."""
CLOSER_UNDER: Final = 80.0
"""Width of a plate, in the network's pixels, under which it is looked at from closer …"""
FURTHER_OVER: Final = 160.0
"""… and over which from further away, since of a large one it may see a part."""
AGAIN_MOST: Final = 8
"""Plates of a picture that are looked at again, the likeliest."""
CLOSER_ROOM: Final = 2.2
"""Width of what is then shown, in widths of the plate …"""
CLOSER_SHAPE: Final = 0.55
"""… its height as a share of that, unless the plate is higher …"""
CLOSER_SIDE: Final = 208
"""… and the pixels it is shown in: the plate is about a hundred wide."""
CLOSER_SAME: Final = 0.2
"""Intersection over union from which it is the same plate again."""

TILE_FROM: Final = 2000
"""Longer side from which a picture is also searched in tiles: scaled down as a whole, a plate of
60 pixels would come out under 16."""
TILE: Final = 1280
TILE_OVERLAP: Final = 192
"""A plate up to this wide is whole in one tile; a wider one is large enough in the picture."""

Tiles = Literal["auto", "never"]
Rows = NDArray[np.float32]
"""Shape [n, 13]: score, x1, y1, x2, y2, then x, y of the four corners."""


class Network(NamedTuple):
    session: onnxruntime.InferenceSession
    long_side: int


class PlateDetector:
    """Finds plates in a picture. `long_side`: pixels of the network's longer side (a multiple of
    32), by default what stands in the model file. `tiles`: "auto" also searches pictures of more
    than `TILE_FROM` pixels piece by piece. `providers`: see `load_session`."""

    def __init__(
        self,
        model: ModelFile | None = None,
        *,
        long_side: int | None = None,
        tiles: Tiles = "auto",
        threshold: float = THRESHOLD,
        providers: Sequence[str] = (CPU,),
    ) -> None:
        self._providers = tuple(providers)
        self._model = model or registered("plate-detector")
        self._long_side = long_side
        self.tiles = tiles
        self.threshold = threshold

    @property
    def version(self) -> str:
        return self._model.version

    @cached_property
    def _network(self) -> Network:
        session = load_session(self._model, self._providers)
        metadata = session.get_modelmeta().custom_metadata_map
        return Network(session, self._long_side or int(metadata.get("long_side", 512)))

    @property
    def providers_in_use(self) -> tuple[str, ...]:
        """What onnxruntime took of `providers`: it goes on without one that does not start."""
        return tuple(self._network.session.get_providers())

    def detect(self, picture: Picture, *, long_side: int | None = None) -> tuple[Detection, ...]:
        """The plates of a picture, best first. `long_side`: another than the detector's own, for a
        picture in which plates are known to be large. Raises ModelError."""
        height, width = picture.shape[:2]
        rows = self._rows(picture, long_side)
        if self.tiles == "auto" and max(height, width) > TILE_FROM:
            for x1, y1, x2, y2 in tiles_of(width, height):
                found = self._rows(picture[y1:y2, x1:x2], long_side)
                found = found[~cut_by_tile(found, (x1, y1, x2, y2), width, height)]
                rows = np.concatenate([rows, shifted(found, x1, y1)])
        rows = suppress(rows)
        if long_side is None:
            if not len(rows):
                rows = suppress(self._rows(picture, self._network.long_side // 2))
            rows = suppress(self._again(picture, rows))
        return tuple(_as_detection(row) for row in rows)

    def _again(self, picture: Picture, rows: Rows) -> Rows:
        """Small plates again from closer, where the picture shows more than the network saw, and
        large ones from further away.

        At a distance the corners are a pixel or two off, and a small plate has few; of a large one
        a first character may be left out. What is not seen again is doubted.
        """
        height, width = picture.shape[:2]
        scale = min(1.0, self._network.long_side / max(height, width))
        rows = rows.copy()
        for row in rows[:AGAIN_MOST]:
            wide, high = float(row[3] - row[1]), float(row[4] - row[2])
            small = wide * scale < CLOSER_UNDER and scale <= 1 / CLOSER_GAIN
            if not small and wide * scale <= FURTHER_OVER:
                continue
            reach = CLOSER_ROOM * wide / 2
            down = max(reach * CLOSER_SHAPE, high * 1.3)
            x, y = float(row[1] + row[3]) / 2, float(row[2] + row[4]) / 2
            x1, x2 = max(0, int(x - reach)), min(width, int(x + reach) + 1)
            y1, y2 = max(0, int(y - down)), min(height, int(y + down) + 1)
            side = round(CLOSER_SIDE * max(x2 - x1, y2 - y1) / (2 * reach))
            found = shifted(self._rows(picture[y1:y2, x1:x2], side), x1, y1)
            found = found[shared_of(row[None], found)[0] > CLOSER_SAME]
            if len(found):
                again = found[np.argmax(found[:, 0])]
                row[1:] = again[1:]
                row[0] = math.sqrt(row[0] * again[0])
            else:
                row[0] *= 0.5
        return rows[rows[:, 0] >= self.threshold / 2]

    def _rows(self, picture: Picture, long_side: int | None) -> Rows:
        """What the network says of one picture, in that picture's pixels."""
        session, usual = self._network
        # Enlarged, a small picture shows no more, and a plate that fills it too much of itself.
        side = long_side or min(usual, max(picture.shape[:2]))
        pixels, scale_x, scale_y = fitted(picture, side)
        (rows,) = session.run(["plates"], {"picture": pixels[None]})
        rows = rows[rows[:, 0] >= self.threshold]
        rows[:, 1::2] /= scale_x
        rows[:, 2::2] /= scale_y
        return np.asarray(rows, dtype=np.float32)


def fitted(picture: Picture, long_side: int) -> tuple[Picture, float, float]:
    """The picture scaled to `long_side`, padded right and below to multiples of `STRIDE`, and the
    two factors it was scaled by (equal but for rounding).

    A large picture is averaged down by a whole factor first and sampled then: cv2's averaging by a
    broken factor takes ten times as long.
    """
    height, width = picture.shape[:2]
    scale = long_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    whole = min(int(1 / scale), height, width) if scale < 0.5 else 1
    if whole > 1:
        high, wide = height // whole, width // whole
        picture = np.asarray(
            cv2.resize(
                picture[: high * whole, : wide * whole], (wide, high), interpolation=cv2.INTER_AREA
            ),
            np.uint8,
        )
    high, wide = picture.shape[:2]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    right, below = -size[0] % STRIDE, -size[1] % STRIDE
    if right or below:
        small = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(PAD,) * 3)
    return np.asarray(small, np.uint8), size[0] / wide / whole, size[1] / high / whole


def shifted(rows: Rows, x: float, y: float) -> Rows:
    """Rows found in a part of a picture, in the whole picture's pixels."""
    moved = rows.copy()
    moved[:, 1::2] += x
    moved[:, 2::2] += y
    return moved


def shared_of(rows: Rows, others: Rows) -> NDArray[np.float32]:
    """Intersection over union of every box with every other: [n, 13], [m, 13] → [n, m]."""
    # Sides one by one: numpy takes several times as long over axes of two.
    _, x1, y1, x2, y2 = rows[:, :5].T[..., None]
    _, u1, v1, u2, v2 = others[:, :5].T
    wide = np.minimum(x2, u2) - np.maximum(x1, u1)
    high = np.minimum(y2, v2) - np.maximum(y1, v1)
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    whole = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared
    return np.asarray(shared / np.maximum(whole, 1e-6), np.float32)


def suppress(rows: Rows) -> Rows:
    """Keep the best of what overlaps (non-maximum suppression by box): [n, 13] → [k, 13]."""
    rows = rows[np.argsort(-rows[:, 0], kind="stable")[:MOST]]
    if len(rows) < 2:
        return rows
    apart = shared_of(rows, rows) <= SAME
    left = np.ones(len(rows), dtype=bool)
    for index in range(len(rows)):
        if left[index]:
            left[index + 1 :] &= apart[index, index + 1 :]
    return rows[left]


def tiles_of(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Tiles that cover a picture, evenly spread, each x1, y1, x2, y2."""
    for y in _starts(height):
        for x in _starts(width):
            yield x, y, min(x + TILE, width), min(y + TILE, height)


def _starts(length: int) -> list[int]:
    count = max(1, -(-(length - TILE_OVERLAP) // (TILE - TILE_OVERLAP)))
    return [round(at) for at in np.linspace(0, max(0, length - TILE), count)]


def cut_by_tile(
    rows: Rows, tile: tuple[int, int, int, int], width: int, height: int
) -> NDArray[np.bool_]:
    """Which of a tile's finds touch an edge of it that is none of the picture: the next tile, or
    the whole picture, shows them whole."""
    x1, y1, x2, y2 = tile
    edge = 2.0
    return np.asarray(
        ((rows[:, 1] < edge) & (x1 > 0))
        | ((rows[:, 2] < edge) & (y1 > 0))
        | ((rows[:, 3] > x2 - x1 - edge) & (x2 < width))
        | ((rows[:, 4] > y2 - y1 - edge) & (y2 < height))
    )


def _as_detection(row: NDArray[np.float32]) -> Detection:
    score, _, _, _, _, ax, ay, bx, by, cx, cy, dx, dy = (float(value) for value in row)
    return Detection(quad=((ax, ay), (bx, by), (cx, cy), (dx, dy)), score=min(1.0, score))
