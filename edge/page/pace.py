"""When to show which frame: back in order, evenly, and never long after it was seen.

Frames come out of the pipeline in bursts (a read takes longer than a glance) and, where several
hands work, not in order. They wait here until their turn; how much film waits steers how fast it
is played, by a few percent at a time, so that the picture neither stutters nor falls behind.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SLOWEST: Final = 0.85
FASTEST: Final = 1.25
ANOTHER_S: Final = 5.0
"""A frame seen so long before the last one shown is of another film: the camera was opened anew."""


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    at: float
    arrived: float
    thing: T

    def __lt__(self, other: _Held[T]) -> bool:
        return self.at < other.at


class Reorder(Generic[T]):
    """A small buffer whose size steers the pace. Seconds throughout; not for several threads.

    `target_s`: so much film is meant to wait; also how late a frame may come and still be put back
    in its place. `most_s`: no frame waits longer than that; what would is skipped and counted.
    """

    def __init__(self, target_s: float = 0.15, most_s: float = 0.6) -> None:
        if not 0 < target_s < most_s:
            raise ValueError("the target lies between 0 and the longest wait")
        self._target, self._most = target_s, most_s
        self._heap: list[_Held[T]] = []
        self._newest = float("-inf")
        self._last: _Held[T] | None = None
        self._shown_at = 0.0
        self.skipped = 0
        self.too_late = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def waiting_s(self) -> float:
        """The size: how much film waits to be shown."""
        return max(0.0, self._newest - self._heap[0].at) if self._heap else 0.0

    @property
    def pace(self) -> float:
        """How fast the film is played, `SLOWEST` to `FASTEST`: 1 at the target, more where more
        waits."""
        surplus = (self.waiting_s - self._target) / self._most
        return min(FASTEST, max(SLOWEST, 1.0 + surplus))

    def push(self, at: float, thing: T, now: float) -> None:
        """A frame that was seen `at` has arrived. One that was seen before the last one shown is
        dropped and counted in `too_late`."""
        if self._last is not None and at <= self._last.at:
            if at > self._last.at - ANOTHER_S:
                self.too_late += 1
                return
            self.skipped += len(self._heap)
            self._heap, self._last, self._newest = [], None, at
        heapq.heappush(self._heap, _Held(at, now, thing))
        self._newest = max(self._newest, at)

    def wait(self, now: float) -> float | None:
        """Seconds until the next frame is due; None where none waits."""
        return max(0.0, self._due() - now) if self._heap else None

    def due(self, now: float) -> T | None:
        """The frame to show now, None where it is not yet time. Of several that have waited too
        long only the newest is shown; the others count as `skipped`."""
        if not self._heap or now < self._due():
            return None
        planned = self._due()
        shown = heapq.heappop(self._heap)
        while self._heap and now >= self._latest():
            self.skipped += 1
            shown = heapq.heappop(self._heap)
            planned = now
        self._last = shown
        # From the planned moment, not from now, so that a late tick is no lasting delay; after a
        # gap from now, so that what was missed is not caught up in a rush.
        self._shown_at = planned if now - planned < self._target else now
        return shown.thing

    def _due(self) -> float:
        first, latest = self._heap[0], self._latest()
        if self._last is None:
            return min(latest, first.arrived + self._target)
        step = max(0.0, first.at - self._last.at) / self.pace
        return min(latest, self._shown_at + step)

    def _latest(self) -> float:
        """When the longest waiting one has waited long enough; it may not be the next in order."""
        return min(one.arrived for one in self._heap) + self._most
