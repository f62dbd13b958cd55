"""The labelled boxes whose texts are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.results import Picture
from training.split import Split, records, split_of

LEAST_WIDTH: Final = {"openimages-lp": 24.0}
LEAST_WIDTH_ELSE: Final = 40.0
"""Pixels a box must be wide for its text to be legible. The pictures of `openimages-lp` show the
most countries, so there smaller ones are tried as well."""


@dataclass(frozen=True, slots=True)
class Plate:
    """One labelled box. `file` is relative to `detect/`, `index` counts the boxes of its record,
    `box` is x1, y1, x2, y2 in pixels of the picture."""

    file: str
    index: int
    box: tuple[float, float, float, float]
    source: str
    split: Split

    @property
    def key(self) -> str:
        return f"{self.file}#{self.index}"

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        x1, y1, x2, y2 = self.box
        return x2 - x1, y2 - y1


def plates(data: Path, *parts: Split) -> Iterator[Plate]:
    """The boxes of these parts that are wide enough, in the order of the labels' file."""
    for record in records(data, *parts):
        source = str(record["source"])
        for index, box in enumerate(record["boxes"]):
            x1, y1, x2, y2 = map(float, box)
            if x2 - x1 >= LEAST_WIDTH.get(source, LEAST_WIDTH_ELSE) and y2 > y1:
                yield Plate(str(record["file"]), index, (x1, y1, x2, y2), source, split_of(record))


def picture_of(folder: Path, file: str) -> Picture:
    """The picture `file` in `folder` (`detect` of the data), BGR. Raises FileNotFoundError."""
    picture = cv2.imread(str(folder / file), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{folder / file} is missing or no picture")
    return np.asarray(picture, np.uint8)
