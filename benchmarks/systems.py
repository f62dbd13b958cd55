"""The systems side by side: each in a process of its own, asked one picture at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from benchmarks.measures import Box, Found

ROOT: Final = Path(__file__).resolve().parent.parent
CONVERT_SECONDS: Final = 600

OURS: Final = "ours"
HINTED: Final = "ours, region hinted"
FP32: Final = "ours, FP32"


class BenchmarkError(Exception):
    """Something the benchmark needs isn't there; a sentence that names it."""


@dataclass(frozen=True, slots=True)
class Read:
    """One text handed on as a plate, where, and how sure the system says it is (0–1)."""

    text: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system made of one picture. `ms` by stage; `found` and `floor` only when asked for:
    whatever its detector marked, and from which score on it reads a mark."""

    plates: tuple[Read, ...]
    ms: dict[str, float]
    all_ms: float
    cpu_ms: float
    found: tuple[Found, ...] = ()
    floor: float = 0.0


def as_answer(values: dict[str, Any]) -> Answer:
    """The line a process answered with."""
    return Answer(
        plates=tuple(
            Read(one["text"], _box(one["box"]), float(one["score"])) for one in values["plates"]
        ),
        ms=values["ms"],
        all_ms=values["all_ms"],
        cpu_ms=values["cpu_ms"],
        found=tuple(Found(_box(one[:4]), float(one[4])) for one in values.get("found", ())),
        floor=float(values.get("floor", 0.0)),
    )


def _box(values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = map(float, values)
    return x1, y1, x2, y2


@dataclass
class System:
    """`name` for tables; `command` is the process that speaks `peers/protocol.py`."""

    name: str
    command: list[str]
    _process: subprocess.Popen[str] | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def start(self, core: int | None = None) -> None:
        """Start it and wait until its models are loaded. Raises BenchmarkError."""
        self._process = subprocess.Popen(
            self.command + ([] if core is None else ["--core", str(core)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        self.versions = self._line()["versions"]

    def ask(
        self, picture: Path, *, kind: str = "frame", marks: bool = False, hint: str = ""
    ) -> Answer:
        """Read the picture in this file. Raises BenchmarkError where the process has died."""
        request = {"picture": str(picture), "kind": kind, "marks": marks, "hint": hint}
        return as_answer(self._exchange(request))

    def peak_mb(self) -> float:
        """The most memory it has held so far, in MB."""
        return float(self._exchange({})["peak_mb"])

    def stop(self) -> None:
        if self._process is not None and self._process.stdin:
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchmarkError(f"{self.name} ended before its pictures did.") from None
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError(f"{self.name} ended before its pictures did.")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Running:
    """Systems started together and stopped together; with `core`, all on that one core."""

    systems: Sequence[System]
    core: int | None = None

    def __enter__(self) -> Sequence[System]:
        try:
            for system in self.systems:
                system.start(self.core)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self.systems

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for system in self.systems:
            system.stop()


def ours(name: str = OURS, *options: str) -> System:
    """This product, with options of `benchmarks.ours`."""
    return System(name, [sys.executable, "-P", "-m", "benchmarks.ours", *options])


def peers(tools: Path, data: Path) -> list[System]:
    """The peers, in the environment `./run` made in `tools`; converts weights on first use.

    Raises BenchmarkError where the environment or the peer's reader is missing.
    """
    python = tools / "peers" / "venv" / "bin" / "python"
    reader = data / "peers" / "cct_xs_v1_global.onnx"
    for path in (python, reader):
        if not path.exists():
            raise BenchmarkError(f"The peers need {path}: see docs/benchmarks.md.")
    detector = tools / "peers" / "yolov8n.onnx"
    if not detector.exists():
        print("  converting the peer's detector …", file=sys.stderr, flush=True)
        subprocess.run(
            [str(python), "-P", "-m", "benchmarks.peers.convert", str(detector)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=sys.stderr,
            timeout=CONVERT_SECONDS,
            check=True,
        )

    def peer(name: str, *command: str) -> System:
        return System(name, [str(python), "-P", "-m", *command])

    return [
        peer("YOLOv8n + cct-xs", "benchmarks.peers.yolo_cct", str(detector), str(reader)),
        peer("PP-OCRv6 (any line)", "benchmarks.peers.ppocr"),
    ]


class Progress:
    """A line on stderr now and then, so that nobody wonders whether it hangs."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.told = time.monotonic()

    def step(self) -> None:
        self.done += 1
        if time.monotonic() - self.told > 20:
            self.told = time.monotonic()
            print(f"  {self.what}: {self.done} of {self.total}", file=sys.stderr, flush=True)
