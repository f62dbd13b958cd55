"""`./run train sheets [--which detector|reader]`: the worst misses as a picture, to be looked at.

Half of the work on a network is seeing what it gets wrong. Real pictures stay in the cache.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.results import ALPHABET, Picture
from training.detector.data import FrameStore
from training.detector.measure import iou_of, letterbox, suppress
from training.export import FILES, onnx_runner, session
from training.paths import CACHE, WEIGHTS
from training.reader.crops import RealCrops
from training.reader.train import plain, spell
from training.synthesis.photograph import photograph

TILE: Final = (240, 150)
SURE: Final = 0.3
HARD_OF: Final = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--which",
        choices=["detector", "reader", "hard"],
        help="only this one; hard: drawn plates that are hard to read and were read right",
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the ONNX files")
    parser.add_argument("--count", type=int, default=60)


def main(options: argparse.Namespace) -> int:
    folder = CACHE / "sheets"
    folder.mkdir(parents=True, exist_ok=True)
    if options.which == "hard":
        tiles, share = hard_plates(options.weights / f"{FILES['reader']}.onnx")
        cv2.imwrite(str(folder / "hard.png"), sheet(tiles[: options.count]))
        print(f"{folder}/hard.png: of {HARD_OF} drawn plates as hard as these {share:.1%} are read")
        return 0
    for which in [options.which] if options.which else ["detector", "reader"]:
        path = options.weights / f"{FILES[which]}.onnx"
        tiles = detector_misses(path) if which == "detector" else reader_misses(path)
        cv2.imwrite(str(folder / f"{which}.png"), sheet(tiles[: options.count]))
        print(f"{folder / which}.png: {len(tiles)} misses")
    return 0


def detector_misses(path: Path, long_side: int = 512) -> list[tuple[Picture, str]]:
    """Validation plates that were not found, and finds where no plate is, the surest first."""
    store, run = FrameStore(CACHE / "frames"), onnx_runner(path)
    misses: list[tuple[float, Picture, str]] = []
    for frame in store.frames:
        if frame.part == "train":
            continue
        picture = store.picture(frame)
        small, scale = letterbox(picture, long_side)
        found = suppress(run(small), least=0.05)
        boxes = found[:, 1:5] / scale
        for box in frame.boxes:
            overlaps = iou_of(box, boxes) if len(boxes) else np.zeros(1, np.float32)
            best = int(np.argmax(overlaps))
            score = float(found[best, 0]) if len(boxes) and overlaps[best] >= 0.4 else 0.0
            if score < SURE:
                misses.append(
                    (1 - score, around(picture, box), f"missed {score:.2f} {frame.source}")
                )
        for plate, box in zip(found, boxes, strict=True):
            overlaps = iou_of(box, frame.boxes) if len(frame.boxes) else np.zeros(1, np.float32)
            if plate[0] >= SURE and overlaps.max() < 0.4:
                misses.append(
                    (float(plate[0]), around(picture, box), f"extra {plate[0]:.2f} {frame.source}")
                )
    misses.sort(key=lambda miss: -miss[0])
    return [(picture, text) for _, picture, text in misses]


def around(picture: Picture, box: np.ndarray) -> Picture:
    """The box, marked, with as much again on every side."""
    x1, y1, x2, y2 = box
    room = max(x2 - x1, 20)
    height, width = picture.shape[:2]
    marked = picture.copy()
    cv2.rectangle(marked, (int(x1), int(y1)), (int(x2), int(y2)), (0, 255, 0), 1)
    left, top = max(0, int(x1 - room)), max(0, int(y1 - room * 0.6))
    return marked[top : min(height, int(y2 + room * 0.6)), left : min(width, int(x2 + room))]


def reader_misses(path: Path) -> list[tuple[Picture, str]]:
    """Validation plates read wrong, the surest first. Texts are on the sheet only."""
    real, reader = RealCrops(CACHE / "crops"), session(path)
    misses = []
    for index in [*real.where(part="validation"), *real.where(part="held")]:
        crop = plain(real, int(index))
        emissions = reader.run(None, {"crops": crop[None]})[0][0]
        read = spell(emissions.argmax(-1))
        if read != real.texts[index]:
            sure = float(emissions.max(-1).min())
            misses.append((sure, crop, f"{ascii_of(real.texts[index])} read {ascii_of(read)}"))
    misses.sort(key=lambda miss: -miss[0])
    return [(picture, text) for _, picture, text in misses]


def hard_plates(path: Path) -> tuple[list[tuple[Picture, str]], float]:
    """The blurriest third of newly drawn and photographed plates: those read right, how many are.

    Drawn with a seed that no training uses.
    """
    from training.synthesis.draw import draw_plate

    rng = np.random.default_rng(20_26_11)
    reader = session(path)
    plates = []
    for _ in range(3 * HARD_OF):
        drawn = draw_plate(rng)
        crop = photograph(rng, drawn.picture)
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)
        detail = float(cv2.Laplacian(grey, cv2.CV_32F).std() / (grey.std() + 1))
        plates.append((detail, crop, drawn.text))
    plates.sort(key=lambda plate: plate[0])
    hardest = plates[:HARD_OF]
    right = []
    for _, crop, text in hardest:
        read = spell(reader.run(None, {"crops": crop[None]})[0][0].argmax(-1))
        if read == text:
            right.append((crop, ascii_of(text)))
    return right, len(right) / len(hardest)


def ascii_of(text: str) -> str:
    """Provinces as numbers: OpenCV draws no Chinese."""
    return "".join(c if c.isascii() else f"<{ALPHABET.find(c) - 36}>" for c in text)


def sheet(tiles: Sequence[tuple[Picture, str]], across: int = 6) -> Picture:
    """Pictures with a line of text below each, in rows."""
    width, height = TILE
    cells = []
    for picture, text in tiles:
        cell = np.full((height, width, 3), 40, np.uint8)
        scale = min(width / picture.shape[1], (height - 20) / picture.shape[0])
        shown = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        cell[: shown.shape[0], : shown.shape[1]] = shown[:height, :width]
        cv2.putText(
            cell,
            text,
            (2, height - 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.42,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
        cells.append(cell)
    while len(cells) % across or not cells:
        cells.append(np.zeros((height, width, 3), np.uint8))
    rows = [np.hstack(cells[i : i + across]) for i in range(0, len(cells), across)]
    return np.asarray(np.vstack(rows), np.uint8)
