"""The product as one of the systems: what counts as found, and what time counts as whose."""

from __future__ import annotations

import time

import pytest

from benchmarks.measures import Box, Found
from benchmarks.networks import picture_shape
from benchmarks.ours import Ours, Timed, ranked
from benchmarks.peers.protocol import Clock

PLATE: Box = (100, 100, 180, 120)
OTHER: Box = (400, 100, 480, 120)


def test_what_is_read_ranks_above_what_is_only_marked() -> None:
    certain = [Found(PLATE, 0.3)]
    every = [Found((101, 100, 181, 120), 0.8), Found(OTHER, 0.6)]
    found, floor = ranked(certain, every)
    assert found[0] == certain[0]
    assert [one.box for one in found[1:]] == [OTHER]
    assert found[1].score < floor == 0.3


def test_marks_below_the_floor_keep_their_scores() -> None:
    found, floor = ranked([], [Found(PLATE, 0.2), Found(OTHER, 0.05)])
    assert [one.score for one in found] == [0.2, 0.05]
    assert floor > 0.2


class Part:
    version = "part@1"

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def read(self, *given: object) -> str:
        self.calls.append(given)
        return "read"

    def calibrate(self, raw: float) -> float:
        return raw / 2


def test_only_a_parts_work_counts_towards_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([1.0, 1.25])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    part = Part()
    timed = Timed(part, "read")
    timed.clock = Clock()
    assert timed.version == "part@1"
    assert timed.calibrate(0.5) == 0.25
    assert timed.read("picture", ["quad"]) == "read"
    assert part.calls == [("picture", ["quad"])]
    assert timed.clock.ms["read"] == 250.0


def test_both_kinds_of_files_are_named_in_the_versions() -> None:
    whole, eight = Ours(fp32=True).versions(), Ours().versions()
    assert whole["detector"].startswith("plate-detector.fp32@")
    assert whole["recogniser"].startswith("plate-reader.fp32@")
    assert eight["detector"].startswith("plate-detector@")


@pytest.mark.parametrize(
    ("long_side", "shape"),
    [(512, (1, 288, 512, 3)), (208, (1, 128, 224, 3)), (1280, (1, 736, 1280, 3))],
)
def test_the_detectors_input_is_padded(long_side: int, shape: tuple[int, ...]) -> None:
    assert picture_shape(long_side) == shape
