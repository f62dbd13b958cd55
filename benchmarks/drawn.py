"""Drawn Chinese crops, as many of each province: `python -m benchmarks.drawn FOLDER COUNT`.

Runs in training's environment, with its drawing and its camera, from seeds training never uses.
Plates are 27 to 75 pixels high for each row of theirs, and two in five went through a poor camera:
the middle of what training sees, where a person can tell 31 provinces apart. Writes crops, and
`labels.jsonl` as the real ones have it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.results import PROVINCES, Picture
from training.synthesis.draw import draw_plate
from training.synthesis.photograph import backdrop, place, pose, sensor

SEED: Final = 20_260_131_777
LOW: Final = 27.0
HIGH: Final = 75.0
POOR: Final = 0.4
"""Share of crops with shadow, poor light, blur, noise, compression."""


def crop(rng: np.random.Generator, plate: Picture, rows: int) -> Picture:
    """A flat plate as a camera would have cut it: turned, a little of what is around it, worn."""
    height = rows * float(np.exp(rng.uniform(np.log(LOW), np.log(HIGH))))
    corners = pose(rng, height * plate.shape[1] / plate.shape[0], height, strength=0.5)
    room = height * rng.uniform(0.05, 0.3)
    corners = corners - corners.min(axis=0) + room
    width, tall = (int(v) for v in np.ceil(corners.max(axis=0) + room))
    view = backdrop(rng, width, tall)
    place(view, plate, corners)
    return sensor(rng, view, sharpness=height / rows / 24) if rng.random() < POOR else view


def main(folder: Path, count: int) -> None:
    """Write `count` crops, rounded up to the same number of each province."""
    rng = np.random.default_rng(SEED)
    wanted = dict.fromkeys(PROVINCES, -(-count // len(PROVINCES)))
    lines: list[str] = []
    while any(wanted.values()):
        plate = draw_plate(rng, "CN")
        if not wanted.get(plate.text[0]):
            continue
        wanted[plate.text[0]] -= 1
        name = f"{len(lines):05}.png"
        cv2.imwrite(str(folder / name), crop(rng, plate.picture, plate.rows))
        lines.append(json.dumps({"file": name, "text": plate.text}, ensure_ascii=False))
    (folder / "labels.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
