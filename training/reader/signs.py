"""What our detector takes for a plate and is none: badges, shop signs, stickers, captions, lamps.

The reader learns that nothing is to be read there. Finds that touch a labelled plate are left out,
and those that read like one, since many plates of the training pictures have no label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.detector import PlateDetector
from inference.pipeline import Scene, find, read
from inference.reader import PlateReader
from inference.results import Corners, Picture
from inference.syntaxes import grammar_for
from training.split import records

TOUCHES: Final = 0.02
"""Share of a find that may lie in a labelled box."""
UNSURE: Final = 0.3
"""Most that a text of some country's syntax may score for its place not to be a plate."""


@dataclass(frozen=True, slots=True)
class Sign:
    """No plate: its picture, corners, and how sure the reader was of a text in it, 0–1."""

    picture: Picture
    corners: Corners
    score: float


def find_signs(data: Path, detector: PlateDetector) -> Iterator[Sign]:
    """Every such find in the training pictures."""
    reader, grammar = PlateReader(), grammar_for()
    for record in records(data, "train"):
        picture = cv2.imread(str(data / "detect" / record["file"]))
        if picture is None:
            continue
        scene = Scene(np.asarray(picture, np.uint8), detector, reader, None, grammar, "frame")
        find(scene)
        read(scene)
        labelled = np.array(record["boxes"], np.float32).reshape(-1, 4)
        for place in scene.places:
            low, high = place.quad.min(axis=0), place.quad.max(axis=0)
            shared = np.minimum(high, labelled[:, 2:]) - np.maximum(low, labelled[:, :2])
            if (np.clip(shared, 0, None).prod(axis=1) > TOUCHES * (high - low).prod()).any():
                continue
            found = place.decoded
            if found is None or not found.in_syntax or found.score <= UNSURE:
                yield Sign(scene.picture, place.quad, found.score if found else 0.0)
