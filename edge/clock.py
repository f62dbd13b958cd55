"""What time it is, for a device whose clock may be wrong and may be set while it runs.

Two times are known of every frame: seconds that never go back (`Clock.now`), and UTC as this clock
understands it (`Clock.utc`). UTC comes from the device's clock as long as that agrees with the
server's, else from the server's own: `heard` is told of each answer that carries the server's time
and measures as NTP does, so that a device clock stepped by an hour, or never set since the power
came back, is seen through. Capture times never run backwards: where they were behind they go
forwards at once; where they were ahead they go on at a tenth of the speed until time has caught up.

**Whether the time is known.** A machine without a battery begins somewhere in the past when the
power comes back. So its time counts as known only once the server was heard, or the kernel says
that something such as NTP keeps its clock; for the rest of that run of the machine it stays known.
A real-time clock is not believed: nothing tells whether its battery is flat. What was captured
before the time became known gets its true time then, from the second that never goes back
(`utc` of a moment before `known_since`). Until then, time is at least what it was when it was last
known: `remember` keeps that, and what the server said, for the next process and the next boot.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edge.boot import boot_id, is_synchronised
from edge.disk import write_whole

_UNNOTICED: Final = 0.05
"""Seconds: the times read from two clocks one after the other differ by less when both are fine."""

_DRIFT: Final = 1e-4
"""Seconds a second by which a device's quartz may err: an old measurement says less and less."""

_SLOWED: Final = 0.1
_MEASUREMENTS: Final = 16
_STRETCHES: Final = 64
_YEARS: Final = range(2020, 2200)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """From `at` on, UTC is `utc` (seconds since 1970) and runs at `rate`."""

    at: float
    utc: float
    rate: float = 1.0

    def at_moment(self, at: float) -> float:
        return self.utc + self.rate * (at - self.at)


@dataclass(frozen=True, slots=True)
class _Measured:
    """The server's time is `at` + `ahead`, give or take `give`, as measured at `at`."""

    at: float
    ahead: float
    give: float

    def give_at(self, at: float) -> float:
        return self.give + _DRIFT * abs(at - self.at)

    def agrees(self, before: _Measured) -> bool:
        apart = abs(self.ahead - before.ahead)
        return apart <= self.give + before.give_at(self.at) + _UNNOTICED


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What an earlier process knew: UTC was `now()` + `ahead`, give or take `give`, as measured at
    `at`; it knew so until `until`. Moments of `boot`."""

    boot: str
    at: float
    ahead: float
    give: float
    until: float


class Clock:
    """Threads share one. `memory`: the file of `remember`. The rest is for tests: `monotonic` and
    `wall` in seconds, the latter since 1970."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        synchronised: Callable[[], bool] = is_synchronised,
        boot: str | None = None,
        memory: Path | None = None,
    ) -> None:
        self.boot = boot or boot_id()
        self._monotonic, self._wall, self._synchronised = monotonic, wall, synchronised
        self._lock = threading.Lock()
        self._measured: deque[_Measured] = deque(maxlen=_MEASUREMENTS)
        self._doubted: _Measured | None = None
        self._stretches: deque[_Stretch] = deque(maxlen=_STRETCHES)
        self._memory = memory
        self._known_since: float | None = None
        self._floor = -math.inf  # UTC less `now()` cannot be less while it is not known
        now = monotonic()
        last = None if memory is None else _remembered(memory)
        if last is not None and last.boot == self.boot and last.until <= now:
            self._measured.append(_Measured(last.at, last.ahead, last.give))
        elif last is not None:
            self._floor = last.until + last.ahead - now
        self._stretches.append(_Stretch(now, now + self._ahead(now)))
        self._learn(now)

    def now(self) -> float:
        """Seconds that never go back, whatever happens to the device's clock."""
        return self._monotonic()

    def utc(self, at: float | None = None) -> datetime:
        """The UTC of a moment of `now()`, by default of this one.

        Never runs backwards from `known_since` on: a later moment has a later UTC, however the
        clocks were set between.
        """
        with self._lock:
            now = self._monotonic()
            self._learn(now)
            self._keep_up(now)
            moment = now if at is None else at
            stretch = next(
                (one for one in reversed(self._stretches) if one.at <= moment), self._stretches[0]
            )
            # before the first stretch, time is taken to have run as it should
            rate = stretch.rate if moment >= stretch.at else 1.0
            return _EPOCH + timedelta(seconds=stretch.utc + rate * (moment - stretch.at))

    def heard(self, sent: float, server_time: datetime, received: float) -> None:
        """The server said what time it was, in an answer to what was sent.

        `sent`, `received`: moments of `now()` around the exchange. The server spoke somewhere
        between them, so the midpoint errs by at most half the round trip. One that contradicts
        what was measured before counts only when the next agrees with it: then the server's own
        clock was set. A time that is no year of this product's is passed over.
        """
        if received < sent:
            raise ValueError("received lies before sent")
        if server_time.year not in _YEARS:
            return
        midpoint = (sent + received) / 2
        new = _Measured(
            midpoint, (server_time - _EPOCH).total_seconds() - midpoint, (received - sent) / 2
        )
        with self._lock:
            if all(new.agrees(one) for one in self._measured):
                self._doubted = None
            elif self._doubted is None or not new.agrees(self._doubted):
                self._doubted = new
                return
            else:
                self._measured.clear()
                self._measured.append(self._doubted)
                self._doubted = None
            self._measured.append(new)
            self._learn(self._monotonic())

    @property
    def known_since(self) -> float | None:
        """The moment of `now()` since when the time is known; None: it is not."""
        with self._lock:
            self._learn(self._monotonic())
            return self._known_since

    def remember(self) -> None:
        """Keep what is known for the next process and the next boot. OSError."""
        with self._lock:
            now = self._monotonic()
            self._learn(now)
            if self._memory is None or self._known_since is None:
                return
            told = self._best(now)
            if told is None or self._ahead(now) != told.ahead:  # the device's own, which is kept
                told = _Measured(now, self._ahead(now), _UNNOTICED)
        known = _Remembered(self.boot, told.at, told.ahead, told.give, now)
        write_whole(self._memory, json.dumps(asdict(known)).encode())

    @property
    def offset_s(self) -> float | None:
        """Seconds by which the server's clock is ahead of the device's; None if never heard."""
        with self._lock:
            best = self._best(self._monotonic())
            return None if best is None else best.ahead - self._device_ahead()

    def _device_ahead(self) -> float:
        """The device's clock less `now()`. Both are read within `_UNNOTICED` of each other, or
        again: a thread may be held up between the two."""
        for _ in range(8):
            before = self._monotonic()
            wall = self._wall()
            after = self._monotonic()
            if after - before < _UNNOTICED / 2:
                break
        return wall - (before + after) / 2

    def _best(self, now: float) -> _Measured | None:
        return min(self._measured, key=lambda one: one.give_at(now), default=None)

    def _ahead(self, now: float) -> float:
        """UTC less `now()` as it should be: the device's, unless the server's says otherwise by
        more than the measurement may err. A clock kept by NTP is better than one exchange."""
        device = self._device_ahead()
        if self._known_since is None:
            device = max(device, self._floor)
        best = self._best(now)
        if best is None or abs(best.ahead - device) <= best.give_at(now) + 2 * _UNNOTICED:
            return device
        return best.ahead

    def _learn(self, now: float) -> None:
        """Notice that the time has become known. UTC then begins anew, backwards if need be: what
        was told of it before is not believed by anybody yet."""
        if self._known_since is None and (self._measured or self._synchronised()):
            self._known_since = now
            self._stretches.clear()
            self._stretches.append(_Stretch(now, now + self._ahead(now)))

    def _keep_up(self, now: float) -> None:
        """Bend the line of UTC where it no longer leads to where it should."""
        last = self._stretches[-1]
        ahead = self._ahead(now)
        if abs(ahead - (last.utc - last.at)) <= _UNNOTICED:
            return
        while self._stretches[-1].at > now and len(self._stretches) > 1:
            self._stretches.pop()  # where it was to be right again
        here = self._stretches[-1].at_moment(now)
        excess = here - (now + ahead)
        if excess <= 0:
            self._stretches.append(_Stretch(now, now + ahead))
            return
        slow = excess / (1 - _SLOWED)
        self._stretches.append(_Stretch(now, here, _SLOWED))
        self._stretches.append(_Stretch(now + slow, here + _SLOWED * slow))


def _remembered(memory: Path) -> _Remembered | None:
    """None where there is nothing, or nothing that can be right."""
    try:
        said = json.loads(memory.read_bytes())
        numbers = [float(said[one.name]) for one in fields(_Remembered)[1:]]
        found = _Remembered(str(said["boot"]), *numbers)
        year = (_EPOCH + timedelta(seconds=found.until + found.ahead)).year
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None
    right = all(map(math.isfinite, numbers)) and found.give >= 0 and year in _YEARS
    return found if right else None
