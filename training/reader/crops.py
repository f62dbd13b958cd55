"""Cuts of real plates with their surroundings, in one memory-mapped file of the cache."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.results import Corners, Picture

AROUND: Final = 0.6
"""Share of a plate's height kept around it."""
HIGHEST: Final = 110
"""Pixels of height a plate is kept at, at most."""


class RealCrops:
    """`picture(i)` and `corners(i)` (of the plate in it), `texts`, `parts`, `sources`, `sure`."""

    def __init__(self, folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / "crops.jsonl").read_text().splitlines()]
        self.rows: list[dict[str, Any]] = rows
        self.texts: list[str] = [row["text"] for row in rows]
        self._pixels = np.memmap(folder / "crops.u8", np.uint8, "r")

    def __len__(self) -> int:
        return len(self.rows)

    def picture(self, index: int) -> Picture:
        row = self.rows[index]
        size = row["height"] * row["width"] * 3
        flat = self._pixels[row["offset"] : row["offset"] + size]
        return np.asarray(flat).reshape(row["height"], row["width"], 3)

    def corners(self, index: int) -> Corners:
        return np.array(self.rows[index]["corners"], np.float32)

    def where(self, **wanted: str) -> NDArray[np.intp]:
        """Indices of the rows whose fields have these values."""
        fits = [all(row[key] == value for key, value in wanted.items()) for row in self.rows]
        return np.flatnonzero(fits)

    @staticmethod
    def build(data: Path, folder: Path, labels: Iterable[Any]) -> None:
        """Cut every label's plate out of its picture (`RealCrop`s of training.labels.load)."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        offset = 0
        last: tuple[str, Picture | None] = ("", None)
        fresh = folder / "crops.u8.part"  # a run may be reading the one that is there
        with fresh.open("wb") as pixels:
            for label in labels:
                if last[0] != label.file:
                    last = (label.file, cv2.imread(str(data / label.file)))
                if last[1] is None:
                    continue
                piece, corners = _cut(last[1], np.array(label.box, np.float32))
                rows.append(
                    {
                        "text": label.text,
                        "part": label.split,
                        "source": label.source,
                        "region": label.region,
                        "sure": label.sure,
                        "offset": offset,
                        "height": piece.shape[0],
                        "width": piece.shape[1],
                        "corners": corners.round(2).tolist(),
                    }
                )
                pixels.write(np.ascontiguousarray(piece).tobytes())
                offset += piece.size
        fresh.rename(folder / "crops.u8")
        part = folder / "crops.part"
        part.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
        part.rename(folder / "crops.jsonl")


def _cut(picture: Picture, box: NDArray[np.float32]) -> tuple[Picture, NDArray[np.float32]]:
    height, width = picture.shape[:2]
    room = (box[3] - box[1]) * AROUND
    x1, y1 = np.maximum(np.floor(box[:2] - room), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(box[2:] + room), (width, height)).astype(int)
    piece = picture[y1:y2, x1:x2]
    corners = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]])
    corners = corners - (x1, y1)
    scale = min(1.0, HIGHEST / float(box[3] - box[1]))
    if scale < 1:
        piece = cv2.resize(piece, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(piece, np.uint8), np.asarray(corners * scale, np.float32)
