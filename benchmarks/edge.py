"""`./run bench edge`: what the edge agent reaches on this machine, against a site of its own.

The agent is the installed one, in an environment with nothing of the server in it. Every part can
be run by itself (`--only toll,speed`), and says what it has as soon as it has it; the table of all
of them comes last. What needs `../shared/data` is left out, and says so, where that is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _edge_local as local
from benchmarks import _edge_site as whole
from benchmarks import _edge_spool as spooled
from benchmarks import plots, tables
from benchmarks.datasets import data_folder
from benchmarks.latency import RESULTS, commit
from benchmarks.systems import BenchmarkError
from demo.client import DemoError

Result = dict[str, Any]
Row = tuple[str, str, str, bool | None]
"""What is measured, what is to be reached, what was, and whether it was (None: just told)."""


@dataclass(frozen=True)
class Part:
    """One thing to measure; `needs` are the paths below the data folder without which it can't."""

    measure: Callable[[], Result]
    rows: Callable[[Result], list[Row]]
    needs: tuple[str, ...] = ()


def _say(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)


def parts(site: whole.Site, options: argparse.Namespace) -> dict[str, Part]:
    """Every part by name, in the order in which they run."""
    data: Path = options.data
    video, agent = data / "video" / "toll-booth.mp4", Path(options.agent)
    plot_folder = plots.DOCS if options.docs else RESULTS
    needs = ("video/toll-booth.mp4",)
    return {
        "speed": Part(lambda: local.speed(agent, video), _speed, needs),
        "squeeze": Part(
            lambda: local.squeeze(data, plot_folder, _say), _squeeze, ("bench/truth.jsonl",)
        ),
        "toll": Part(lambda: whole.toll(site, video, _say), _toll, needs),
        "latency": Part(lambda: whole.latency(site, options.vehicles, _say), _latency),
        "offline": Part(lambda: spooled.offline(site, options.reads, _say), _offline),
        "kill": Part(lambda: spooled.kills(site, options.kills, _say), _kill),
        "memory": Part(lambda: whole.memory(site, video, options.minutes, _say), _memory, needs),
    }


def _speed(found: Result) -> list[Row]:
    rate = found["video_frames_per_second"]
    size = found["video_bytes_per_vehicle"]
    return [
        (
            "frames/s on one core, 1280×720 video, detect + read",
            "≥ 60",
            f"{rate:.1f} (of processor time: {found['video_frames_per_cpu_second']:.1f})",
            rate >= 60,
        ),
        (
            "find plates in a frame / read one",
            "",
            f"{found['detect_ms']:.1f} / {found['read_ms']:.1f} ms, {found['models']}",
            None,
        ),
        ("bytes a vehicle in read mode", "≤ 4 kB", f"{size / 1000:.1f} kB", size <= 4000),
        ("reads kept on the disk, each synced", "", f"{found['spooled_per_second']:.0f} /s", None),
    ]


def _squeeze(found: Result) -> list[Row]:
    asked, needs = found["wide_7_10_kB"], found["needs_px"]
    return [
        (
            f"points lost by squeezing to 7–10 kB, plate ≥ {needs:.0f} px and uncut",
            "≤ 2",
            f"{tables.number(asked['lost_points'])} of {asked['plates']} plates",
            asked["lost_points"] is not None and asked["lost_points"] <= 2,
        )
    ]


def _toll(found: Result) -> list[Row]:
    return [
        (
            f"toll booth, {mode}",
            "exactly 3",
            f"{one['right']} of 3, {len(one['others'])} others",
            one["exactly"],
        )
        for mode, one in found.items()
        if mode != "took_s"
    ]


def _latency(found: Result) -> list[Row]:
    verdict, arrived = found["capture_to_verdict_ms"], found["capture_to_server_ms"]
    return [
        (
            "capture → verdict on the server, p50 / p95 / max",
            "p95 ≤ 300 ms",
            f"{_ms(verdict)} ({found['judged']} of {found['vehicles']} vehicles)",
            verdict["p95"] is not None
            and verdict["p95"] <= 300
            and found["judged"] >= found["vehicles"],
        ),
        ("of that, capture → server, p50 / p95 / max", "", _ms(arrived), None),
    ]


def _ms(spread: dict[str, float | None]) -> str:
    return " / ".join(tables.number(spread[name], 0) for name in ("p50", "p95", "max")) + " ms"


def _offline(found: Result) -> list[Row]:
    count, posts = found["reads"], found["live_posts"] + found["live_failed"]
    arrived_right = found["arrived"] == found["distinct"] == count and not found["out_of_order"]
    return [
        (
            f"24 h offline, {count} reads: arrived / distinct / out of order",
            "all, in order",
            f"{found['arrived']} / {found['distinct']} / {found['out_of_order']}",
            arrived_right,
        ),
        (
            "they arrived in",
            "minutes",
            f"{found['arrived_s']:.0f} s ({found['arrived_per_second']} /s)",
            found["arrived_s"] <= 600 if count >= 100_000 else None,
        ),
        (
            "each judged, in",
            "all",
            f"{found['judged']}, {found['judged_s']:.0f} s",
            found["judged"] == count,
        ),
        (
            "another camera's POST meanwhile, p50 / p95 / max",
            "answered",
            f"{_ms(found['live_post_ms'])} ({found['live_failed']} of {posts} failed)",
            found["live_failed"] == 0,
        ),
    ]


def _kill(found: Result) -> list[Row]:
    return [
        (
            f"kill -9, {found['kills']} times: lost / twice of {found['spooled']} spooled",
            "0 / 0",
            f"{found['lost']} / {found['twice']}",
            found["lost"] == found["twice"] == 0,
        )
    ]


def _memory(found: Result) -> list[Row]:
    grown = found["last_mb"] - found["first_mb"]
    return [
        (
            f"memory over {found['minutes']:g} min of looping video, first → last, most",
            "flat",
            f"{found['first_mb']:.0f} → {found['last_mb']:.0f} MB, {found['most_mb']:.0f} MB",
            grown <= 0.02 * found["first_mb"],
        )
    ]


def show(rows: list[Row]) -> None:
    """The rows as a table."""
    marks = {True: "✓", False: "✗", None: ""}
    lines = [[what, wanted, got, marks[ok]] for what, wanted, got, ok in rows]
    print(tables.table("The edge agent", ["", "to reach", "reached", ""], lines), flush=True)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="./run bench edge", description=__doc__)
    made.add_argument("--url", help=argparse.SUPPRESS)
    made.add_argument("--agent", help=argparse.SUPPRESS)
    made.add_argument("--data", metavar="DIR", help="the folder with video/ and bench/")
    made.add_argument("--only", metavar="PART,…", help="these parts: speed, squeeze, toll, "
                      "latency, offline, kill, memory")  # fmt: skip
    made.add_argument("--vehicles", type=int, default=120, help="drawn for latency (120)")
    made.add_argument("--reads", type=int, default=100_000, help="for offline (100000)")
    made.add_argument("--kills", type=int, default=200, help="for kill (200)")
    made.add_argument("--minutes", type=float, default=60.0, help="for memory (60)")
    made.add_argument("--docs", action="store_true", help="draw into docs/benchmarks")
    made.add_argument("--json", action="store_true", help="print the results as JSON last")
    return made


def main(argv: list[str] | None = None) -> int:
    """Run the parts and print one table; 0 only where everything that ran reached its aim."""
    options = parser().parse_args(argv)
    options.data = data_folder(options.data)
    site = whole.Site(options.url, options.agent, os.environ["DATABASE_URL"])
    known = parts(site, options)
    names = options.only.split(",") if options.only else list(known)
    if unknown := set(names) - set(known):
        parser().error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    site.set_up()
    results: dict[str, Result] = {}
    rows: list[Row] = []
    for name in names:
        part = known[name]
        if missing := [need for need in part.needs if not (options.data / need).exists()]:
            print(f"  {name}: left out, there is no {options.data / missing[0]}", file=sys.stderr)
            continue
        print(f"  {name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            results[name] = part.measure()
        except (BenchmarkError, DemoError, OSError) as error:
            print(f"  {name} failed: {error}", file=sys.stderr, flush=True)
            rows.append((name, "", "failed", False))
            continue
        results[name]["took_s"] = round(time.monotonic() - began, 1)
        show(part.rows(results[name]))
        rows += part.rows(results[name])
    _keep(results)
    show(rows)
    if options.json:
        print(json.dumps(results))
    return int(any(ok is False for *_, ok in rows))


def _keep(results: dict[str, Result]) -> None:
    """Results of parts that ran, beside those that earlier runs left."""
    path = RESULTS / "edge.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    for name, result in results.items():
        kept[name] = {**result, "commit": commit()}
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=1), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
