"""What the edge agent reaches by itself: speed on one core, bytes, what squeezed frames still show.

The agent under test is the installed one, in its own environment; only the pictures that are
squeezed are read here, by the product's engine, as the server would.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks import plots
from benchmarks.datasets import Labelled, bench, look
from edge.modes import NEEDS
from edge.squeeze import LEAST_QUALITY, Squeeze, squeezed
from inference.engine import Engine, default_engine
from inference.results import Picture

WIDTHS: Final = (240, 320, 416, 520, 640, 800)
"""Frames are squeezed to each of them: a plate then has another width."""
MOST_BYTES: Final = 10_000
CUT: Final = 0.45
EDGES: Final = (20, 30, 40, 50, 60, 80, 100, 130)
"""Between which widths of a plate, in pixels after squeezing, exactness is told."""
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Squeezed:
    """One plate in one squeezed frame: its width there in px, the frame's bytes, whether it was
    read exactly there, and in the frame as it was."""

    width: float
    bytes: int
    exact: bool
    exact_before: bool


def speed(agent: Path, video: Path) -> dict[str, Any]:
    """Frames a second of a 1280×720 video on one core, every frame decoded and looked at, plates
    read: the median of three runs of the installed agent, held to one core."""
    core = min(os.sched_getaffinity(0))
    runs = []
    for _ in range(ROUNDS):
        done = subprocess.run(
            [str(agent), "bench", "--json", "--seconds", "1", "--video", str(video)],
            capture_output=True,
            check=True,
            env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        runs.append(json.loads(done.stdout))
    names = (
        *("video_frames_per_second", "video_frames_per_cpu_second", "detect_ms", "read_ms"),
        *("video_bytes_per_vehicle", "spooled_per_second"),
    )
    middle = {name: statistics.median(run[name] for run in runs) for name in names}
    return {**middle, "models": runs[0]["models"], "vehicles": runs[0]["video_vehicles"]}


def squeeze(data: Path, plot_folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Exactness on squeezed frames against the width of the plate in them; the plot of it."""
    engine = default_engine()
    found: list[Squeezed] = []
    pictures = bench(data)
    for number, labelled in enumerate(pictures, start=1):
        found += _of_picture(engine, labelled)
        if number % 50 == 0:
            say(f"{number} of {len(pictures)} pictures")
    groups = [(low, high) for low, high in zip(EDGES, (*EDGES[1:], 10**6), strict=True)]
    rows = []
    for low, high in groups:
        of = [one for one in found if low <= one.width < high]
        rows.append({"from_px": low, "to_px": high, **_shares(of)})
    plots.columns(
        "Read exactly, by width of the plate in pixels after squeezing (plates)",
        [
            f"{row['from_px']}–{row['to_px']}" if row["to_px"] < 10**6 else f"≥ {row['from_px']}"
            for row in rows
        ],
        {
            "squeezed, ≤ 10 kB": [row["exact"] for row in rows],
            "as it was": [row["before"] for row in rows],
        },
    ).save(plot_folder / "squeezed.svg")
    wide = [one for one in found if one.width >= NEEDS]
    asked = [one for one in wide if 7_000 <= one.bytes <= MOST_BYTES]
    return {
        "widths": rows,
        "needs_px": NEEDS,
        "wide": _shares(wide),
        "wide_7_10_kB": _shares(asked),
    }


def _shares(of: list[Squeezed]) -> dict[str, Any]:
    if not of:
        return {"plates": 0, "exact": None, "before": None, "lost_points": None, "bytes": None}
    exact = sum(one.exact for one in of) / len(of)
    before = sum(one.exact_before for one in of) / len(of)
    return {
        "plates": len(of),
        "exact": round(exact, 4),
        "before": round(before, 4),
        "lost_points": round(100 * (before - exact), 2),
        "bytes": round(statistics.median(one.bytes for one in of)),
    }


def _of_picture(engine: Engine, labelled: Labelled) -> list[Squeezed]:
    picture = look(labelled.path)
    high, wide = picture.shape[:2]
    before = {plate.text for plate in engine.read(picture).plates}
    # each step is a setting: a site whose plates stand high in the picture cuts nothing off
    cut = CUT if all(box[1] >= CUT * high for box in labelled.boxes) else 0.0
    found = []
    for width in (one for one in WIDTHS if one < wide):
        data = _small_enough(picture, width, cut)
        if data is None:
            continue
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        after = {plate.text for plate in engine.read(np.asarray(decoded, np.uint8)).plates}
        scale = width / wide
        for box, text in zip(labelled.boxes, labelled.texts, strict=True):
            found.append(
                Squeezed((box[2] - box[0]) * scale, len(data), text in after, text in before)
            )
    return found


def _small_enough(picture: Picture, width: int, cut: float) -> bytes | None:
    """The frame, grey and `width` px wide, at the best quality that keeps it under 10 kB; None
    where none does."""
    for quality in range(90, LEAST_QUALITY - 1, -5):
        data = squeezed(picture, Squeeze(width, grey=True, cut_top=cut, quality=quality))
        if len(data) <= MOST_BYTES:
            return data
    return None
