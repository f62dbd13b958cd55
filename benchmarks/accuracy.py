"""`./run bench accuracy`: what is read, found, missed and made up, beside the peers.

Every system reads the same pictures in this one run, in a process of its own with one thread, on
the same onnxruntime. docs/benchmarks.md says what each figure means.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2

from benchmarks import datasets, plots, report, scores
from benchmarks.datasets import Labelled
from benchmarks.latency import RESULTS, commit
from benchmarks.paint import paint_out
from benchmarks.scores import Seen
from benchmarks.sheets import Tile, sheet
from benchmarks.systems import FP32, HINTED, BenchmarkError, Progress, Running, System, ours, peers

SECTIONS: Final = ("bench", "romania", "platefree", "china", "drawn")
REGIONS: Final = ("us", "eu", "br")
WORST: Final = 60
"""Misses on a sheet: more are not looked at."""


def as_jpeg(pictures: Sequence[Labelled], folder: Path) -> list[Labelled]:
    """Frames kept in a format no camera sends, as JPEG at quality 95."""
    made = []
    for index, one in enumerate(pictures):
        path = folder / f"{index:04}.jpg"
        cv2.imwrite(str(path), datasets.look(one.path), [cv2.IMWRITE_JPEG_QUALITY, 95])
        made.append(replace(one, path=path))
    return made


def without_plates(pictures: Sequence[Labelled], folder: Path) -> list[Labelled]:
    """The pictures with every plate painted out, labelled as holding none."""
    made = []
    for index, one in enumerate(pictures):
        path = folder / f"free-{index:04}.jpg"
        painted = paint_out(datasets.look(one.path), [*one.boxes, *one.others, *one.rest])
        cv2.imwrite(str(path), painted, [cv2.IMWRITE_JPEG_QUALITY, 95])
        made.append(replace(one, path=path, boxes=(), texts=(), others=(), rest=()))
    return made


def ask_all(
    systems: Sequence[System],
    pictures: Sequence[Labelled],
    what: str,
    *,
    kind: str = "frame",
    marks: bool = False,
) -> dict[str, list[Seen]]:
    """Each system's answers to the same pictures, one system after another on each picture."""
    seen: dict[str, list[Seen]] = {system.name: [] for system in systems}
    progress = Progress(what, len(pictures))
    for picture in pictures:
        for system in systems:
            answer = system.ask(picture.path, kind=kind, marks=marks, hint=picture.region.upper())
            seen[system.name].append((picture, answer))
        progress.step()
    return seen


def of_bench(systems: Sequence[System], seen: dict[str, list[Seen]]) -> dict[str, Any]:
    """All figures of the end-to-end pictures, by system."""
    made = {}
    for system in systems:
        mine = seen[system.name]
        made[system.name] = {
            "regions": {
                region: scores.recognition([one for one in mine if one[0].region == region])
                for region in REGIONS
            },
            "heights": scores.by_height(mine),
            "calibration": scores.calibration(mine),
            "ms": scores.times([answer for _, answer in mine]),
            "peak_mb": system.peak_mb(),
            "versions": system.versions,
        }
    return made


def worst(seen: Sequence[Seen], out: Path) -> None:
    """A sheet of what was misread or made up: the surest mistakes first."""
    rows: list[tuple[float, Tile]] = []
    for picture, answer in seen:
        crop = bool(picture.texts) and not picture.boxes
        extra = [] if crop else scores.extra_plates((picture, answer))
        if scores.is_exact((picture, answer)) and not extra:
            continue
        read = [f"{plate.text} {plate.score:.2f}" for plate in answer.plates]
        whole = datasets.look(picture.path)
        boxes = [*picture.boxes, *(plate.box for plate in extra)]
        x1, y1, x2, y2 = 0, 0, whole.shape[1], whole.shape[0]
        if boxes:  # from close enough to see what misled the reader
            room = 2.0 * max(box[3] - box[1] for box in boxes)
            x1 = max(x1, int(min(box[0] for box in boxes) - room))
            y1 = max(y1, int(min(box[1] for box in boxes) - room))
            x2 = min(x2, int(max(box[2] for box in boxes) + room))
            y2 = min(y2, int(max(box[3] for box in boxes) + room))
        tile = Tile(
            picture=whole[y1:y2, x1:x2],
            lines=(
                f"{picture.name}  {' '.join(picture.texts)}",
                "read: " + (", ".join(read) or "–"),
            ),
            true=tuple((a - x1, b - y1, c - x1, d - y1) for a, b, c, d in picture.boxes),
            read=tuple(
                (p.box[0] - x1, p.box[1] - y1, p.box[2] - x1, p.box[3] - y1) for p in answer.plates
            ),
        )
        rows.append((max((plate.score for plate in answer.plates), default=0.0), tile))
    rows.sort(key=lambda row: row[0], reverse=True)
    sheet([tile for _, tile in rows[:WORST]], out)
    print(f"  {len(rows)} pictures with a mistake: {out}", file=sys.stderr)


def platefree_sheets(pictures: Sequence[Labelled], folder: Path) -> None:
    """All painted pictures, twenty to a sheet, to look whether a plate is left."""
    for start in range(0, len(pictures), 20):
        some = pictures[start : start + 20]
        tiles = [Tile(datasets.look(one.path), (one.name, "")) for one in some]
        sheet(tiles, folder / f"platefree-{start // 20:02}.png", columns=4, size=480)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the sections asked for. Raises BenchmarkError where pictures or peers are missing."""
    data = datasets.data_folder(options.data)
    cut = slice(0, options.limit)
    frames = datasets.bench(data)[cut]
    held = as_jpeg(datasets.romania(data)[cut], folder)
    plain, hinted, full = ours(), ours(HINTED, "--hinted"), ours(FP32, "--fp32")
    others = peers(options.tools, data) if options.peers else []
    result: dict[str, Any] = {"commit": commit(), "pictures": len(frames)}
    only = options.only or SECTIONS
    sheets: Path | None = options.sheets
    everybody = [plain, hinted, full, *others]
    with Running(everybody):
        compared = [plain, full, *others]
        if "bench" in only:
            seen = ask_all(everybody, frames, "bench", marks=True)
            result["systems"] = of_bench(everybody, seen)
            if sheets:
                worst(seen[plain.name], sheets / "worst.png")
        if "romania" in only:
            seen = ask_all(compared, held, "romania", marks=True)
            result["romania"] = {name: scores.detection(mine) for name, mine in seen.items()}
        if "platefree" in only:
            free = without_plates([*frames, *held], folder)
            if sheets:
                platefree_sheets(free, sheets)
            seen = ask_all(compared, free, "plate-free")
            result["platefree"] = {name: scores.false_reads(mine) for name, mine in seen.items()}
            if sheets:
                worst(seen[plain.name], sheets / "false-reads.png")
        for name, make in crop_sets(options, data, folder).items():
            if name in only and (crops := make()[cut]):
                # Drawn ones say whether our reader knows each province; peers know few or none.
                asked = [plain, full] if name == "drawn" else compared
                seen = ask_all(asked, crops, name, kind="crop")
                result[name] = {name: scores.crops(mine) for name, mine in seen.items()}
                result[name + "_calibration"] = scores.calibration(seen[plain.name])
                if sheets:
                    worst(seen[plain.name], sheets / f"{name}.png")
    return result


def crop_sets(
    options: argparse.Namespace, data: Path, folder: Path
) -> dict[str, Callable[[], list[Labelled]]]:
    """The sets of Chinese crops; the drawn one only where training's environment is."""
    python: Path | None = options.training_python

    def drawn() -> list[Labelled]:
        if python:
            return datasets.drawn_china(python, folder, options.drawn)
        print(
            "  Drawn crops are left out: training's environment draws them, and "
            "`./run train --help` makes it.",
            file=sys.stderr,
        )
        return []

    return {"china": lambda: datasets.china(data), "drawn": drawn}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="./run bench accuracy", description=__doc__)
    made.add_argument("--peers", action="store_true", help="measure the peers in the same run")
    made.add_argument("--data", metavar="DIR", help="folder of the real pictures")
    made.add_argument("--only", nargs="+", choices=SECTIONS, help="only these sections")
    made.add_argument("--limit", type=int, metavar="N", help="the first N pictures of each set")
    made.add_argument(
        "--training-python",
        type=Path,
        metavar="FILE",
        help="an interpreter with training/requirements.txt, to draw Chinese crops; "
        "by default the one `./run train` has made",
    )
    made.add_argument("--drawn", type=int, default=2015, help="drawn Chinese crops (2015)")
    made.add_argument(
        "--sheets", type=Path, metavar="DIR", help="draw mistakes and painted pictures there"
    )
    made.add_argument("--docs", action="store_true", help="put the plots into docs/benchmarks")
    made.add_argument("--json", action="store_true", help="print the result as JSON last")
    made.add_argument("--tools", type=Path, default=datasets.ROOT / "var", help=argparse.SUPPRESS)
    return made


def main(argv: list[str] | None = None) -> int:
    """Measure, print the tables, write JSON and plots; 1 where something needed is missing."""
    options = parser().parse_args(argv)
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as folder:
            result = measure(options, Path(folder))
    except BenchmarkError as error:
        print(f"bench accuracy: {error}", file=sys.stderr)
        return 1
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (RESULTS / "accuracy.json").write_text(text + "\n", encoding="utf-8")
    print(report.accuracy(result))
    plots.accuracy(result, plots.DOCS if options.docs else RESULTS)
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
