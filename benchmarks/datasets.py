"""The pictures that are measured on. They are read where they lie and never copied here."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks.measures import Box
from benchmarks.systems import BenchmarkError
from inference.results import Picture
from training.split import split_of, split_of_crop

ROOT: Final = Path(__file__).resolve().parent.parent
PLATEFREE: Final = ROOT / "benchmarks" / "platefree.json"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture, the boxes of the plates in it, their texts where known, and where it is from.

    `others`: boxes of further plates that can be seen but have no text: neither missed nor extra.
    `rest`: what the labels' boxes leave uncovered of their plates; only matters to painting.
    """

    name: str
    path: Path
    region: str
    boxes: tuple[Box, ...]
    texts: tuple[str, ...] = ()
    others: tuple[Box, ...] = ()
    rest: tuple[Box, ...] = ()


def look(path: Path) -> Picture:
    """The picture in a file, of any format that is measured on (AVIF among them)."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise BenchmarkError(f"{path} is no picture that can be read.")
    return np.asarray(picture, np.uint8)


def data_folder(given: str | None) -> Path:
    """`given`, or `$PLATEWARDEN_DATA`, or `../shared/data` beside the checkout."""
    named = given or os.environ.get("PLATEWARDEN_DATA")
    return Path(named).absolute() if named else ROOT.parent / "shared" / "data"


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise BenchmarkError(
            f"There is no {path}: name the folder that holds it with --data or PLATEWARDEN_DATA."
        ) from None
    return [json.loads(line) for line in text.splitlines() if line]


def _boxes(values: list[list[float]]) -> tuple[Box, ...]:
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in values)


def seen_by_eye(key: str) -> dict[str, tuple[Box, ...]]:
    """Picture → boxes of `platefree.json`: "further" plates, or the "rest" of labelled ones."""
    listed: dict[str, list[list[float]]] = json.loads(PLATEFREE.read_text())[key]
    return {name: _boxes(boxes) for name, boxes in listed.items()}


def bench(data: Path) -> list[Labelled]:
    """The OpenALPR half, text and box of one plate each. Raises BenchmarkError where absent."""
    further, rest = seen_by_eye("further"), seen_by_eye("rest")
    made = []
    for record in _lines(data / "bench" / "truth.jsonl"):
        name = f"bench/{record['file']}"
        made.append(
            Labelled(
                name=name,
                path=data / name,
                region=record["region"],
                boxes=_boxes([plate["box"] for plate in record["plates"]]),
                texts=tuple(plate["text"] for plate in record["plates"]),
                others=further.get(name, ()),
                rest=rest.get(name, ()),
            )
        )
    return made


def romania(data: Path) -> list[Labelled]:
    """Dash-cam frames of the clips no network was trained on: boxes, no texts."""
    further, rest = seen_by_eye("further"), seen_by_eye("rest")
    made = []
    for record in _lines(data / "detect" / "labels.jsonl"):
        if split_of(record) == "held":
            name = f"detect/{record['file']}"
            made.append(
                Labelled(
                    name=name,
                    path=data / name,
                    region=record["clip"],
                    boxes=_boxes(record["boxes"]),
                    others=further.get(name, ()),
                    rest=rest.get(name, ()),
                )
            )
    return made


def _crops(folder: Path, records: list[dict[str, Any]]) -> list[Labelled]:
    return [
        Labelled(
            name=record["file"],
            path=folder / record["file"],
            region=record["text"][0],
            boxes=(),
            texts=(record["text"],),
        )
        for record in records
    ]


def china(data: Path) -> list[Labelled]:
    """The held fifth of the real Chinese crops: texts with their province, in `region` as well."""
    folder = data / "crops"
    records = _lines(folder / "labels.jsonl")
    return _crops(folder, [one for one in records if split_of_crop(one["file"]) == "held"])


def drawn_china(python: Path, folder: Path, count: int) -> list[Labelled]:
    """As many drawn Chinese crops of each province, made in `folder` by training's `python`."""
    subprocess.run(
        [str(python), "-P", "-m", "benchmarks.drawn", str(folder), str(count)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return _crops(folder, _lines(folder / "labels.jsonl"))
