"""What the detector learns from: windows out of real frames, some with drawn plates put in.

Real frames come with boxes only. Drawn plates are put over their plates (same place, same light)
and onto free ground, with corners known: that is where the quad is learnt.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from inference.detector import PAD, fitted
from inference.pipeline import CROP_SIDE, widen
from inference.results import Picture
from training.bank import PlateBank
from training.detector.corners import CORNERS, corners_in
from training.split import Split, records, split_of
from training.synthesis.photograph import backdrop, compress, noise, place, pose, sensor

WINDOW: Final = 320
MOST: Final = 10
"""Plates taken from one window."""
LONG_SIDE: Final = 512
"""Longer side of a frame in the network's eyes, around which sizes are varied."""
SMALLEST: Final = (9.0, 3.5)
"""Plates below this many pixels (width, height) are neither asked for nor punished."""
WEIGHTS: Final = {"openlpr": 1.0, "openimages-lp": 1.8, "romania": 4.0, "world300": 0.5}

CUT_OUT: Final = 0.1
"""Share of windows that are a crop, which the product looks for a plate's corners in as well."""
TILTED: Final = 0.08
"""Radians a frame must be turned by for the corners of its plates to count as known, as long as
`./run train corners` has not found them."""

FLAG_KNOWN_QUAD: Final = 1.0
FLAG_IGNORE: Final = 2.0


@dataclass(frozen=True)
class Frame:
    """One picture of the store; `boxes` [n, 4] in its pixels; `quads`, where they were looked for:
    the corners [4, 2] of each, or None where they are not clear."""

    file: str
    source: str
    part: Split
    offset: int
    height: int
    width: int
    boxes: NDArray[np.float32]
    quads: list[NDArray[np.float32] | None] | None


class FrameStore:
    """All frames of `detect/`, decoded once into one memory-mapped file of the cache."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "frames.jsonl").read_text().splitlines()
        corners = folder / CORNERS
        found = corners.read_text().splitlines() if corners.is_file() else ["null"] * len(lines)
        self.frames = [
            _frame(json.loads(line), json.loads(quads))
            for line, quads in zip(lines, found, strict=True)
        ]
        self._pixels = np.memmap(folder / "frames.u8", np.uint8, "r")

    def picture(self, frame: Frame) -> Picture:
        size = frame.height * frame.width * 3
        flat = self._pixels[frame.offset : frame.offset + size]
        return np.asarray(flat).reshape(frame.height, frame.width, 3)

    @staticmethod
    def build(data: Path, folder: Path, longest: int = 1280) -> None:
        """Decode everything. About 6 GB; skipped where it is complete already."""
        done = folder / "frames.jsonl"
        if done.is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        offset = 0
        with (folder / "frames.u8").open("wb") as pixels:
            for record in records(data, "train", "validation", "held"):
                picture = cv2.imread(str(data / "detect" / record["file"]))
                if picture is None:
                    continue
                height, width = picture.shape[:2]
                scale = min(1.0, longest / max(height, width))
                if scale < 1:
                    picture = cv2.resize(
                        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
                    )
                ratio = np.array(
                    [picture.shape[1] / record["width"], picture.shape[0] / record["height"]] * 2
                )
                boxes = np.array(record["boxes"], float).reshape(-1, 4) * ratio
                rows.append(
                    {
                        "file": record["file"],
                        "part": split_of(record),
                        "offset": offset,
                        "height": picture.shape[0],
                        "width": picture.shape[1],
                        "boxes": boxes.round(2).tolist(),
                    }
                )
                pixels.write(np.ascontiguousarray(picture).tobytes())
                offset += picture.size
        part = done.with_suffix(".part")
        part.write_text("\n".join(map(json.dumps, rows)))
        part.rename(done)


def _frame(row: dict[str, Any], quads: list[Any] | None) -> Frame:
    return Frame(
        file=row["file"],
        source=row["file"].split("/")[0],
        part=row["part"],
        offset=row["offset"],
        height=row["height"],
        width=row["width"],
        boxes=np.array(row["boxes"], np.float32).reshape(-1, 4),
        quads=quads and [None if quad is None else np.array(quad, np.float32) for quad in quads],
    )


@dataclass
class Window:
    """A training picture and its plates [n, 13]: box, quad (clockwise), flag."""

    picture: Picture
    plates: list[NDArray[np.float32]]


def row(
    box: NDArray[np.float32], quad: NDArray[np.float32] | None, flag: float = 0.0
) -> NDArray[np.float32]:
    corners = np.zeros(8, np.float32) if quad is None else quad.reshape(8)
    known = FLAG_KNOWN_QUAD if quad is not None and not flag else flag
    return np.concatenate([box, corners, [known]]).astype(np.float32)


class Windows(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless windows (uint8 [3, 320, 320], plates [10, 13]), each worker's own."""

    def __init__(
        self, store: FrameStore, bank: PlateBank, seed: int, drawn_share: float = 0.4
    ) -> None:
        self.store = store
        self.bank = bank
        self.seed = seed
        self.drawn_share = drawn_share
        self.frames = [frame for frame in store.frames if frame.part == "train"]
        weights = np.array([WEIGHTS[frame.source] for frame in self.frames])
        self._reach = np.cumsum(weights / weights.sum())

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        cv2.setNumThreads(0)
        while True:
            window = self.window(rng)
            plates = np.zeros((MOST, CHANNELS_OF_ROW), np.float32)
            rows = window.plates[:MOST]
            if rows:
                plates[: len(rows)] = np.stack(rows)
            pixels = torch.from_numpy(np.ascontiguousarray(window.picture.transpose(2, 0, 1)))
            yield pixels, torch.from_numpy(plates)

    def window(self, rng: np.random.Generator) -> Window:
        if rng.random() < CUT_OUT:
            return self._cut_out(rng)
        index = min(int(np.searchsorted(self._reach, rng.random())), len(self.frames) - 1)
        frame = self.frames[index]
        picture = self.store.picture(frame)
        transform = self._choose(rng, frame)
        window = cv2.warpAffine(
            _reduced(picture, transform),
            _for_reduced(transform),
            (WINDOW, WINDOW),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(114, 114, 114),
        )
        window = np.asarray(window, np.uint8)
        plates: list[NDArray[np.float32]] = []
        tilted = abs(np.arctan2(transform[1, 0], transform[0, 0])) > TILTED
        replace = rng.random() < self.drawn_share
        for box, found in zip(frame.boxes, frame.quads or repeat(None), strict=False):
            corners = corners_in(box) if found is None else found
            turned = corners @ transform[:, :2].T + transform[:, 2]
            whole = _bounds(turned.astype(np.float32))
            # Most plates hang level: of a frame that was turned, the corners are known well enough
            # to begin with.
            known = found is not None or (tilted and frame.quads is None)
            quad = turned.astype(np.float32) if known else None
            if replace and rng.random() < 0.8:
                plates += self._over(rng, window, whole)
            else:
                plates += _visible(whole, quad)
        if rng.random() < 0.25:
            plates += self._anywhere(rng, window, plates)
        if rng.random() < 0.08:
            stamp(rng, window)
        if rng.random() < 0.6:
            window = sensor(rng, window, sharpness=0.8)
        elif rng.random() < 0.3:
            window = noise(rng, window, 8)
        else:
            window = compress(rng, window, 30) if rng.random() < 0.3 else window
        if rng.random() < 0.3:
            window, plates = flipped(window, plates)
        return Window(window, plates)

    def _cut_out(self, rng: np.random.Generator) -> Window:
        """A plate that somebody else's detector cut out, widened as the product does it."""
        plate = self.bank.any(rng)
        ph, pw = plate.shape[:2]
        high = float(np.exp(rng.uniform(np.log(14), np.log(90))))
        corners = pose(rng, high * pw / ph, high)
        box = _bounds(corners)
        size = box[2:] - box[:2]
        before, after = (size * rng.uniform(-0.02, 0.12, 2) for _ in range(2))
        corners = corners - box[:2] + before.astype(np.float32)
        width, height = (max(6, int(side)) for side in size + before + after)
        scene = self.store.picture(self.frames[int(rng.integers(len(self.frames)))])
        view = backdrop(rng, width, height, scene)
        place(view, lit_like(plate, view), corners)
        view = sensor(rng, view, sharpness=max(0.6, high / 28))
        view, border = widen(view)
        view, *scale = fitted(view, round(CROP_SIDE * rng.uniform(0.8, 1.2)))
        window = np.full((WINDOW, WINDOW, 3), PAD, np.uint8)
        shown = view[:WINDOW, :WINDOW]
        window[: shown.shape[0], : shown.shape[1]] = shown
        corners = ((corners + border) * scale).astype(np.float32)
        return Window(window, _visible(_bounds(corners), corners))

    def _choose(self, rng: np.random.Generator, frame: Frame) -> NDArray[np.float64]:
        """The affine map from frame to window: scale, a little aspect and turn, which part."""
        scale = (
            LONG_SIDE
            / max(frame.height, frame.width)
            * np.exp(rng.uniform(np.log(0.6), np.log(1.9)))
        )
        target = np.array([frame.width, frame.height]) / 2
        if len(frame.boxes) and rng.random() < 0.9:
            box = frame.boxes[int(rng.integers(len(frame.boxes)))]
            target = np.array([box[0] + box[2], box[1] + box[3]]) / 2
            wide = box[2] - box[0]
            if wide * scale < 14 and rng.random() < 0.8:
                scale = rng.uniform(14, 45) / wide
            if wide * scale > 300 and rng.random() < 0.8:
                scale = rng.uniform(60, 300) / wide
        stretch = (
            rng.uniform(1.0, 1.6) if frame.source == "world300" else np.exp(rng.normal(0, 0.1))
        )
        angle = np.radians(rng.normal(0, 2.5 if rng.random() < 0.5 else 9.0))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.diag([scale * np.sqrt(stretch), scale / np.sqrt(stretch)])
        at = rng.uniform(0.12, 0.88, 2) * WINDOW
        if rng.random() < 0.85:  # no more of the outside than there has to be
            extent = np.array([frame.width, frame.height]) * np.diag(matrix)
            before = target * np.diag(matrix)
            after = WINDOW - (extent - before)
            at = np.clip(at, np.minimum(after, before), np.maximum(after, before))
        return np.hstack([matrix, (at - matrix @ target)[:, None]])

    def _over(
        self, rng: np.random.Generator, window: Picture, box: NDArray[np.float32]
    ) -> list[NDArray[np.float32]]:
        """A drawn plate over a real one: as large, roughly as bright."""
        visible = _visible(box, None)
        if not visible or visible[0][12] == FLAG_IGNORE:
            return visible
        width, height = float(box[2] - box[0]), float(box[3] - box[1])
        plate = self.bank.like(rng, width / max(height, 1.0))
        ph, pw = plate.shape[:2]
        # At least as large as what it covers, or the old plate's rim would give it away.
        scale = max(width / pw, height / ph) * rng.uniform(1.0, 1.15)
        if rng.random() < 0.5:
            corners = _upright(pw * scale, ph * scale, rng)
        else:
            corners = pose(rng, pw * scale, ph * scale, strength=float(rng.uniform(0.3, 1.2)))
        corners = corners + np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float32)
        x1, y1, x2, y2 = np.clip(box, 0, WINDOW).astype(int)
        ground = window[y1:y2, x1:x2]
        # What sticks out of the real plate under a turned one is covered by its own colours first.
        if ground.size:
            window[y1:y2, x1:x2] = cv2.blur(
                ground, (max(3, (x2 - x1) // 2), max(3, (y2 - y1) // 2))
            )
            plate = lit_like(plate, ground)
        place(window, plate, corners)
        return _visible(_bounds(corners), corners)

    def _anywhere(
        self, rng: np.random.Generator, window: Picture, plates: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """One to three drawn plates where no plate is."""
        added: list[NDArray[np.float32]] = []
        for _ in range(int(rng.integers(1, 4))):
            plate = self.bank.any(rng)
            ph, pw = plate.shape[:2]
            width = float(
                np.exp(rng.uniform(np.log(14), np.log(300 if rng.random() < 0.3 else 110)))
            )
            corners = pose(rng, width, width * ph / pw) + rng.uniform(0, WINDOW, 2).astype(
                np.float32
            )
            box = _bounds(corners)
            visible = _visible(box, corners)
            taken = [*plates, *added]
            if not visible or any(_touch(box, other[:4]) for other in taken):
                continue
            x1, y1, x2, y2 = np.clip(box, 0, WINDOW - 1).astype(int)
            place(window, lit_like(plate, window[y1 : y2 + 1, x1 : x2 + 1]), corners)
            added += visible
        return added


CHANNELS_OF_ROW: Final = 13


def _reduced(picture: Picture, transform: NDArray[np.float64]) -> Picture:
    """Half size where the window shrinks it by more than that: linear sampling would alias."""
    for _ in range(_halvings(transform)):
        picture = np.asarray(
            cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
        )
    return picture


def _for_reduced(transform: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = transform.copy()
    matrix[:, :2] *= 2 ** _halvings(transform)
    return matrix


def _halvings(transform: NDArray[np.float64]) -> int:
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    return max(0, int(np.floor(np.log2(1 / max(scale, 1e-3)) + 0.35)))


def _upright(width: float, height: float, rng: np.random.Generator) -> NDArray[np.float32]:
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    corners[:, 1] += corners[:, 0] * rng.normal(0, 0.04)
    return corners.astype(np.float32)


def _bounds(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)


def _visible(
    box: NDArray[np.float32], quad: NDArray[np.float32] | None
) -> list[NDArray[np.float32]]:
    """The part of a plate inside the window, as a row; one hardly seen or tiny is to be ignored."""
    inside = np.clip(box, 0, WINDOW)
    size = inside[2:] - inside[:2]
    if min(size) <= 0:
        return []
    share = float(np.prod(size) / max(np.prod(box[2:] - box[:2]), 1e-6))
    if share < 0.4 or size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
        return [row(inside, None, FLAG_IGNORE)]
    return [row(inside, quad if share > 0.99 else None)]


def _touch(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    return bool(a[0] < b[2] + 4 and b[0] < a[2] + 4 and a[1] < b[3] + 4 and b[1] < a[3] + 4)


def lit_like(plate: Picture, ground: NDArray[np.uint8]) -> Picture:
    """The plate with the brightness of where it goes, as far as a plate can have it."""
    wanted = float(np.percentile(ground, 85)) if ground.size else 160.0
    gain = np.clip(max(wanted, 35.0) / max(float(np.percentile(plate, 85)), 1.0), 0.2, 1.25)
    return np.asarray(cv2.convertScaleAbs(plate, alpha=float(gain)), np.uint8)


def stamp(rng: np.random.Generator, window: Picture) -> None:
    """Writing that is no plate: a camera's time stamp, a caption."""
    letters = string.ascii_uppercase + string.digits * 3 + ":-/ "
    text = "".join(rng.choice(list(letters), int(rng.integers(4, 22))))
    scale = rng.uniform(0.3, 1.0)
    colour = [(255, 255, 255), (0, 255, 255), (0, 0, 0), (0, 255, 0)][int(rng.integers(4))]
    at = (int(rng.integers(0, 200)), int(rng.integers(12, WINDOW)))
    if rng.random() < 0.4:
        (w, h), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        ground = tuple(255 - v for v in colour)
        cv2.rectangle(window, (at[0] - 3, at[1] - h - 3), (at[0] + w + 3, at[1] + 4), ground, -1)
    font = [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_PLAIN][
        int(rng.integers(3))
    ]
    cv2.putText(window, text, at, font, scale, colour, int(rng.integers(1, 3)), cv2.LINE_AA)


def flipped(
    window: Picture, plates: Sequence[NDArray[np.float32]]
) -> tuple[Picture, list[NDArray[np.float32]]]:
    """Mirror image; each quad starts at its new top left."""
    turned = []
    for plate in plates:
        other = plate.copy()
        other[0], other[2] = WINDOW - plate[2], WINDOW - plate[0]
        if plate[12] == FLAG_KNOWN_QUAD:
            corners = plate[4:12].reshape(4, 2).copy()
            corners[:, 0] = WINDOW - corners[:, 0]
            other[4:12] = corners[[1, 0, 3, 2]].reshape(8)
        turned.append(other)
    return np.ascontiguousarray(window[:, ::-1]), turned
