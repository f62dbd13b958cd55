"""How a benchmark talks to the systems it compares: JSON lines, one process each.

Only the standard library: this runs in the peers' environment as well as in the product's. A
request names a picture's file; the answer holds the readings, what the detector marked, and the
time of each stage, taken inside the process between having the file's bytes and having the texts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

STAGES = ("decode", "detect", "read", "text")
"""Bytes to pixels, finding plates, reading characters, and everything from there to the texts."""


class Clock:
    """Adds up milliseconds of wall time by stage."""

    def __init__(self) -> None:
        self.ms = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.ms[name] += (time.perf_counter() - begun) * 1000


class System(Protocol):
    """One recognition system: bytes of a picture in, readings out."""

    def versions(self) -> dict[str, str]: ...

    def look(self, data: bytes, kind: str, clock: Clock, hint: str) -> list[dict[str, Any]]:
        """Read a picture: [{text, box, score}] it hands on as plates. This is what is timed.

        `kind`: "frame", or "crop" for a cut around one plate. `hint`: country or group of
        countries ("US", "EU") the picture is from, for a system that is told such things.
        """
        ...

    def marks(self) -> dict[str, Any]:
        """Of the last picture, not timed: `found`, [x1, y1, x2, y2, score] of whatever the
        detector marked down to a low score, and `floor`, from which score a box is read."""
        ...


def peak_mb() -> float:
    """The most memory this process ever held, in MB (Linux counts in kB)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def serve(make: Callable[[], System], argv: list[str] | None = None) -> int:
    """Answer requests on stdin until it ends; with `--core N`, on that core only."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", type=int)
    options, _ = parser.parse_known_args(argv)
    if options.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    # Libraries print: what they say must not run into the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    system = make()
    answer({"versions": system.versions()})
    for line in sys.stdin:
        request = json.loads(line)
        if "picture" not in request:
            answer({"peak_mb": peak_mb()})
            continue
        data = Path(request["picture"]).read_bytes()
        clock = Clock()
        cpu, wall = time.process_time(), time.perf_counter()
        plates = system.look(data, request["kind"], clock, request["hint"])
        seen = {
            "plates": plates,
            "all_ms": (time.perf_counter() - wall) * 1000,
            "cpu_ms": (time.process_time() - cpu) * 1000,
            "ms": clock.ms,
        }
        answer({**seen, **system.marks()} if request.get("marks") else seen)
    return 0
