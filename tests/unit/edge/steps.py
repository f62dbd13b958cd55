"""A clock that only moves when a test moves it, or when the code under test waits."""

from __future__ import annotations

from edge.clock import Clock


class Steps:
    """`clock` for the code under test, `wait` in place of its pauses, `waited` what it asked."""

    def __init__(self, wall_at_zero: float = 1_772_366_400.0) -> None:
        self.ticks = 1000.0
        self.wall_at_zero = wall_at_zero
        self.waited: list[float] = []
        self.clock = Clock(monotonic=lambda: self.ticks, wall=self.wall, synchronised=lambda: True)

    def wall(self) -> float:
        return self.wall_at_zero + self.ticks

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.ticks += seconds
