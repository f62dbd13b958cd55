"""Cuts of real plates with their surroundings, in one memory-mapped file of the cache."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detector import PlateDetector
from inference.pipeline import best_in_crop
from inference.reader import PlateReader
from inference.results import Corners, Picture
from training.detector.corners import corners_in, corners_of, quad_at
from training.reader.exchange import Cells, find_cells
from training.reader.signs import find_signs

AROUND: Final = 0.6
"""Share of a plate's height kept around it."""
SIGNS: Final = "sign"
"""Source of what is no plate (`signs.py`); its rows have a score instead of who is sure."""
HIGHEST: Final = 110
"""Pixels of height a plate is kept at, at most."""


class RealCrops:
    """`picture(i)`, `corners(i)` of the plate in it as labelled (slanted in its box where that is
    clear), `found(i)` as our detector sees them, `cells(i)` of its characters there; `texts`, and
    `rows` with part, source, region and who is sure of the text."""

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

    def found(self, index: int) -> Corners:
        """Corners by the detector that was shipped when the crops were cut; else as labelled."""
        row = self.rows[index]
        return np.array(row.get("found") or row["corners"], np.float32)

    def cells(self, index: int) -> Cells | None:
        """Of `exchange.find_cells`, in the corners `found` gives, by the reader shipped then."""
        cells = self.rows[index].get("cells")
        return None if cells is None else tuple((left, right) for left, right in cells)

    def where(self, **wanted: str) -> NDArray[np.intp]:
        """Indices of the rows whose fields have these values."""
        fits = [all(row[key] == value for key, value in wanted.items()) for row in self.rows]
        return np.flatnonzero(fits)

    @staticmethod
    def build(
        data: Path, folder: Path, labels: Iterable[Any], detector: PlateDetector | None = None
    ) -> None:
        """Cut every label's plate out of its picture (`RealCrop`s of training.labels.load), and
        what the detector takes for plates."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        reader = PlateReader() if detector else None
        last: tuple[str, Picture | None] = ("", None)
        fresh = folder / "crops.u8.part"  # a run may be reading the one that is there
        with fresh.open("wb") as pixels:

            def add(piece: Picture, quads: list[Corners | None], about: dict[str, Any]) -> None:
                corners, found = (
                    quad if quad is None else quad.round(2).tolist() for quad in quads
                )
                size = {"height": piece.shape[0], "width": piece.shape[1]}
                where = {"offset": pixels.tell(), "corners": corners, "found": found}
                rows.append(about | size | where)
                pixels.write(np.ascontiguousarray(piece).tobytes())

            for label in labels:
                if last[0] != label.file:
                    last = (label.file, cv2.imread(str(data / label.file)))
                if last[1] is None:
                    continue
                box = np.array(label.box, np.float32)
                corners, found = corners_in(box), None
                if detector:
                    slanted = corners_of(detector, last[1], box)
                    corners = corners if slanted is None else slanted
                    found = find(detector, last[1], box)
                piece, corners, found = _cut(last[1], box, corners, found)
                about = {"text": label.text, "part": label.split, "region": label.region}
                about |= {"source": label.source, "sure": label.sure}
                if reader and label.split == "train":
                    seen = corners if found is None else found
                    about["cells"] = find_cells(reader, piece, seen, label.text)
                add(piece, [corners, found], about)
            for sign in find_signs(data, detector) if detector else ():
                box = np.concatenate([sign.corners.min(axis=0), sign.corners.max(axis=0)])
                piece, *quads = _cut(sign.picture, box, sign.corners, None)
                about = {"text": "", "part": "train", "region": None}
                add(piece, quads, about | {"source": SIGNS, "score": round(sign.score, 3)})
        fresh.rename(folder / "crops.u8")
        part = folder / "crops.part"
        part.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
        part.rename(folder / "crops.jsonl")


def _cut(
    picture: Picture, box: NDArray[np.float32], corners: Corners, found: Corners | None
) -> tuple[Picture, Corners, Corners | None]:
    height, width = picture.shape[:2]
    room = (box[3] - box[1]) * AROUND
    x1, y1 = np.maximum(np.floor(box[:2] - room), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(box[2:] + room), (width, height)).astype(int)
    piece = picture[y1:y2, x1:x2]
    scale = min(1.0, HIGHEST / float(box[3] - box[1]))
    if scale < 1:
        piece = cv2.resize(piece, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    moved = [None if some is None else ((some - (x1, y1)) * scale) for some in (corners, found)]
    return (
        np.asarray(piece, np.uint8),
        np.asarray(moved[0], np.float32),
        None if moved[1] is None else np.asarray(moved[1], np.float32),
    )


def find(detector: PlateDetector, picture: Picture, box: NDArray[np.float32]) -> Corners | None:
    """The corners of a labelled plate as the product finds them, or None where it does not. A box
    that is the whole picture is a crop's."""
    height, width = picture.shape[:2]
    if box[2] - box[0] >= width and box[3] - box[1] >= height:
        best = best_in_crop(detector, picture)
        return best.quad if best else None
    return quad_at(detector.detect(picture), box)
