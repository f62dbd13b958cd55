"""Read every labelled plate several times: `python -m training.labels.propose`.

Writes `proposals.jsonl` in the cache, one plate a line, and goes on where it stopped. Only what the
reader saw is written, no verdict: rules (`agree.py`) and choices (`choices.json`) are applied when
the labels are loaded, so that they may change without reading anything again. About 12 minutes of
one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference.geometry import enclose, grow, side_lengths
from inference.results import Corners, Picture
from training.labels.boxes import Plate, picture_of, plates
from training.labels.ocr import Line, Ocr, Text
from training.paths import CACHE, data

PROPOSALS: Final = CACHE / "labels" / "proposals.jsonl"

LINE_CUTS: Final = {"line": (0.1, -0.05), "tight": (0.05, -0.03), "wide": (0.1, 0.05)}
"""Cuts of a found line: shares of its height added at the ends, and at top and bottom."""
BOX_CUTS: Final = {"box": 0.0, "roomy": 0.12, "inner": -0.06}
"""Cuts of the labelled box read as one line: share of its height added on every side."""

AROUND: Final = 0.35
"""Share of its height the box is grown by for finding lines in it."""
SHOWN_HIGH: Final = {1: 80.0, 2: 128.0}
"""Pixels the box is scaled to for finding lines, by the rows its shape lets expect."""
MOST_SCALE: Final = 5.0
MOST_PIXELS: Final = 220_000
SQUARE: Final = {"world300": 2.2}
SQUARE_ELSE: Final = 2.8
"""Width over height under which a box may hold two rows. `world300` is squeezed to squares."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One reading of one plate. `score`: its weakest character, 0–1. `rows`: texts by row."""

    name: str
    rows: tuple[str, ...]
    score: float

    @property
    def text(self) -> str:
        return "".join(self.rows)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything read of one plate. `quad`: the text found (not the plate's edge), in pixels of the
    picture. `cover`: the height of the found rows over the box's, 0 to about 1."""

    key: str
    box: tuple[float, float, float, float]
    cuts: tuple[Cut, ...]
    quad: tuple[tuple[float, float], ...] | None
    cover: float

    @property
    def candidates(self) -> tuple[str, ...]:
        """The different texts read, by how often and how surely; `choices.json` counts in it."""
        weights: dict[str, float] = {}
        for cut in self.cuts:
            if cut.text:
                weights[cut.text] = weights.get(cut.text, 0.0) + 0.2 + cut.score
        return tuple(sorted(weights, key=lambda text: (-round(weights[text], 3), text)))


def found_rows(lines: Sequence[Line], box: Corners) -> list[list[Line]]:
    """The rows of a plate among the lines found around it: top to bottom, each left to right.

    Kept are lines whose middle lies in the box; small print beside or above the characters (a
    dealer's name, a country's letters) is under half of the tallest line's height.
    """
    left, top = box[0]
    right, bottom = box[2]
    inside = []
    for line in lines:
        x, y = line.quad.mean(axis=0)
        if left <= x <= right and top <= y <= bottom:
            inside.append(line)
    tallest = max((side_lengths(line.quad)[1] for line in inside), default=0.0)
    rows: list[list[Line]] = []
    for line in inside:
        high = side_lengths(line.quad)[1]
        if high < 0.5 * tallest:
            continue
        y = float(line.quad[:, 1].mean())
        for row in rows:
            if abs(float(np.mean([other.quad[:, 1].mean() for other in row])) - y) < 0.5 * high:
                row.append(line)
                break
        else:
            rows.append([line])
    rows.sort(key=lambda row: float(np.mean([line.quad[:, 1].mean() for line in row])))
    return [sorted(row, key=lambda line: float(line.quad[:, 0].mean())) for row in rows]


def propose(ocr: Ocr, picture: Picture, plate: Plate) -> Proposal:
    """All cuts of one plate."""
    x1, y1, x2, y2 = plate.box
    box = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
    width, height = plate.size
    square = width / height < SQUARE.get(plate.source, SQUARE_ELSE)
    cuts = []
    quad: Corners | None = None
    rows = found_rows(_look(ocr, picture, box, square), box)
    if rows:
        quads = [enclose(*(line.quad for line in row)) for row in rows]
        quad = enclose(*quads)
        for name, (along, across) in LINE_CUTS.items():
            read = [ocr.read(picture, grow(each, along, across)) for each in quads]
            cuts.append(_cut(name, read))
    for name, share in BOX_CUTS.items():
        cuts.append(_cut(name, [ocr.read(picture, grow(box, share, share))]))
    if square:
        middle = (y1 + y2) / 2
        for name, over in {"halves": 0.0, "halves+": 0.06 * height}.items():
            top = np.array([[x1, y1], [x2, y1], [x2, middle + over], [x1, middle + over]])
            low = np.array([[x1, middle - over], [x2, middle - over], [x2, y2], [x1, y2]])
            read = [ocr.read(picture, np.asarray(half, np.float32)) for half in (top, low)]
            cuts.append(_cut(name, read))
    high = sum(side_lengths(enclose(*(line.quad for line in row)))[1] for row in rows)
    corners = (
        None if quad is None else tuple((round(float(x), 1), round(float(y), 1)) for x, y in quad)
    )
    return Proposal(plate.key, plate.box, tuple(cuts), corners, round(high / height, 2))


def _look(ocr: Ocr, picture: Picture, box: Corners, square: bool) -> list[Line]:
    height = float(box[2, 1] - box[0, 1])
    x1, y1 = np.maximum(np.floor(box[0] - AROUND * height), 0).astype(int)
    x2, y2 = np.ceil(box[2] + AROUND * height).astype(int)
    around = picture[y1:y2, x1:x2]
    scale = min(
        SHOWN_HIGH[1 + square] / height,
        MOST_SCALE,
        (MOST_PIXELS / (around.shape[0] * around.shape[1])) ** 0.5,
    )
    lines = ocr.lines(np.ascontiguousarray(around), scale)
    return [Line(line.quad + np.array([x1, y1], np.float32), line.score) for line in lines]


def _cut(name: str, read: Sequence[Text]) -> Cut:
    return Cut(name, tuple(text.text for text in read), min(text.score for text in read))


def as_json(proposal: Proposal) -> dict[str, Any]:
    """One line of the proposals' file."""
    return {
        "key": proposal.key,
        "box": proposal.box,
        "cuts": [[cut.name, list(cut.rows), cut.score] for cut in proposal.cuts],
        "quad": proposal.quad,
        "cover": proposal.cover,
    }


def read_proposals(path: Path = PROPOSALS) -> dict[str, Proposal]:
    """Key → proposal. A last line cut short by a stopped run is left out."""
    found: dict[str, Proposal] = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        quad = row["quad"]
        found[row["key"]] = Proposal(
            row["key"],
            tuple(row["box"]),
            tuple(Cut(name, tuple(rows), score) for name, rows, score in row["cuts"]),
            None if quad is None else tuple((x, y) for x, y in quad),
            row["cover"],
        )
    return found


def proposals(folder: Path, skip: frozenset[str] | set[str], most: int) -> Iterator[Proposal]:
    """Read the plates of train and validation that are not in `skip`, at most `most` of them."""
    ocr = Ocr()
    wanted = [plate for plate in plates(folder, "train", "validation") if plate.key not in skip]
    for file, group in groupby(wanted[:most], key=lambda plate: plate.file):
        picture = picture_of(folder / "detect", file)
        for plate in group:
            yield propose(ocr, picture, plate)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="training.labels.propose", description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="plates to read at most")
    most = parser.parse_args().most
    PROPOSALS.parent.mkdir(parents=True, exist_ok=True)
    known = read_proposals()
    with PROPOSALS.open("w") as out:
        for proposal in known.values():
            out.write(json.dumps(as_json(proposal)) + "\n")
        for number, proposal in enumerate(proposals(data(), set(known), most), start=1):
            out.write(json.dumps(as_json(proposal)) + "\n")
            if number % 200 == 0:
                out.flush()
                print(f"{number} read", flush=True)


if __name__ == "__main__":
    main()
