"""`./run bench speed`: one thread, a 1280×720 JPEG in, readings out, beside the peers.

The systems take turns on every picture, on one core, so that whatever else the machine does hits
them alike; ratios are of neighbouring turns. docs/benchmarks.md says what each figure means.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2

from benchmarks import datasets, networks, plots, report, scores
from benchmarks.latency import RESULTS, commit
from benchmarks.peers.protocol import STAGES
from benchmarks.systems import Answer, BenchmarkError, Progress, Running, System, ours, peers
from inference.models import ModelError

SIZE: Final = (1280, 720)
QUALITY: Final = 85
REAL: Final = 24
WARM_UP: Final = 1
"""Rounds that are not counted: the first run of each picture's size is slower."""


def drawn_frames() -> list[Path]:
    """The demo's own pictures: 1280×720 JPEG, one plate in each."""
    return sorted((datasets.ROOT / "demo" / "pictures").glob("*.jpg"))


def real_frames(data: Path, folder: Path) -> list[Path]:
    """Held dash-cam frames with one plate, as JPEG; [] where there are no real pictures."""
    try:
        held = [one for one in datasets.romania(data) if len(one.boxes) + len(one.others) == 1]
    except BenchmarkError:
        return []
    made = []
    for index, one in enumerate(held[:: max(1, len(held) // REAL)][:REAL]):
        path = folder / f"{index:02}.jpg"
        picture = cv2.resize(datasets.look(one.path), SIZE, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        made.append(path)
    return made


def take_turns(
    systems: Sequence[System], pictures: Sequence[Path], rounds: int, what: str
) -> dict[str, list[Answer]]:
    """Answers of each system, in the same order of pictures: each picture to all, then the next.

    Who goes first changes from picture to picture.
    """
    answers: dict[str, list[Answer]] = {system.name: [] for system in systems}
    progress = Progress(what, len(pictures) * (rounds + WARM_UP))
    for turn in range(rounds + WARM_UP):
        for index, picture in enumerate(pictures):
            first = (turn + index) % len(systems)
            for system in [*systems[first:], *systems[:first]]:
                answer = system.ask(picture)
                if turn >= WARM_UP:
                    answers[system.name].append(answer)
            progress.step()
    return answers


def figures(answers: dict[str, list[Answer]]) -> dict[str, Any]:
    """Times of each system, and how many times as long as the first one it takes: the median
    ratio of neighbouring turns, by the clock on the wall and by CPU time."""
    first = next(iter(answers.values()))
    made = {}
    for name, mine in answers.items():
        pairs = list(zip(mine, first, strict=True))
        made[name] = {
            **scores.times(mine),
            "runs": len(mine),
            "ratio": statistics.median(a.all_ms / b.all_ms for a, b in pairs),
            "cpu_ratio": statistics.median(a.cpu_ms / max(b.cpu_ms, 1e-6) for a, b in pairs),
            "plates_per_picture": statistics.fmean(len(answer.plates) for answer in mine),
        }
    return made


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Both sets of frames and the networks. Raises BenchmarkError where peers are missing."""
    data = datasets.data_folder(options.data)
    systems = [ours(), *(peers(options.tools, data) if options.peers else [])]
    core = options.core
    result: dict[str, Any] = {"commit": commit(), "core": core, "load_before": os.getloadavg()[0]}
    sets = {"drawn": drawn_frames(), "real": real_frames(data, folder)}
    with Running(systems, core):
        for name, pictures in sets.items():
            if pictures:
                answers = take_turns(systems, pictures, options.rounds, name)
                result[name] = figures(answers)
        result["peak_mb"] = {system.name: system.peak_mb() for system in systems}
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    result["networks"] = networks.compare(options.rounds * 20)
    return result


def last_core() -> int | None:
    """The core to measure on: the last this process may use; None where it can't be chosen."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def main(argv: list[str] | None = None) -> int:
    """Measure, print the tables, write JSON and a plot; 1 where something needed is missing."""
    parser = argparse.ArgumentParser(prog="./run bench speed", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="measure the peers in the same run")
    parser.add_argument("--data", metavar="DIR", help="folder of the real pictures")
    parser.add_argument("--rounds", type=int, default=5, help="times over all pictures (5)")
    parser.add_argument("--core", type=int, default=last_core(), help="the core to measure on")
    parser.add_argument("--docs", action="store_true", help="put the plot into docs/benchmarks")
    parser.add_argument("--json", action="store_true", help="print the result as JSON last")
    parser.add_argument("--tools", type=Path, default=datasets.ROOT / "var", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as folder:
            result = measure(options, Path(folder))
    except (BenchmarkError, ModelError) as error:
        print(f"bench speed: {error}", file=sys.stderr)
        return 1
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (RESULTS / "speed.json").write_text(text + "\n", encoding="utf-8")
    print(report.speed(result))
    shown = result.get("real") or result["drawn"]
    rows = {name: [one[stage] for stage in STAGES] for name, one in shown.items()}
    plots.speed(rows, STAGES, plots.DOCS if options.docs else RESULTS)
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
