"""Drawn plates as two gates would see them: `python -m benchmarks._justice_drawn FOLDER COUNT`.

Runs in training's environment, with its drawing and its camera, from a seed training never uses.
Each plate is drawn once, with its own wear, and passes two cameras (`entry`, `exit`): pose, light
and blur belong to the passage, size and noise to each of its frames. So what a plate, a passage and
a frame each contribute to a misread can be told apart. Writes crops and `labels.jsonl`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.results import Picture
from training.synthesis.draw import draw_plate
from training.synthesis.photograph import backdrop, noise, place, pose, sensor

SEED: Final = 20_260_502_911
REGIONS: Final = ("GB", "GB", "CZ", "CZ", "SK", "AT", "HU", "DE", "PL")
FRAMES: Final = 3
LOW: Final = 24.0
HIGH: Final = 60.0
NEARER: Final = 1.25
"""How much larger the plate is in each further frame."""
POOR: Final = 0.4
"""Share of passages with shadow, poor light, rain, blur, compression."""


def passage(rng: np.random.Generator, plate: Picture, rows: int) -> list[Picture]:
    """The frames of one passage, the vehicle coming nearer."""
    first = rows * float(np.exp(rng.uniform(np.log(LOW), np.log(HIGH))))
    shape = pose(rng, plate.shape[1] / plate.shape[0], 1.0, strength=0.5)
    poor, weather = rng.random() < POOR, int(rng.integers(1 << 40))
    frames = []
    for number in range(FRAMES):
        height = first * NEARER**number
        corners = shape * height
        room = height * rng.uniform(0.1, 0.3)
        corners = corners - corners.min(axis=0) + room
        width, tall = (int(v) for v in np.ceil(corners.max(axis=0) + room))
        view = backdrop(rng, width, tall)
        place(view, plate, corners)
        if poor:
            view = sensor(np.random.default_rng(weather), view, sharpness=height / rows / 24)
        frames.append(noise(rng, view, most=6))
    return frames


def main(folder: Path, count: int) -> None:
    """Write the frames of `count` plates, each seen by two cameras."""
    rng = np.random.default_rng(SEED)
    lines: list[str] = []
    for number in range(count):
        region = REGIONS[number % len(REGIONS)]
        plate = draw_plate(rng, region)
        for gate in ("entry", "exit"):
            for frame, view in enumerate(passage(rng, plate.picture, plate.rows)):
                name = f"{number:05}-{gate}-{frame}.png"
                cv2.imwrite(str(folder / name), view)
                line = {"file": name, "plate": number, "gate": gate}
                lines.append(json.dumps(line | {"text": plate.text, "region": region}))
    (folder / "labels.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
