"""What the agent knows of itself: counters and gauges, for heartbeat, page and doctor."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any, Final

Value = bool | int | float | str

_RATE_SECONDS: Final = 10.0


class Health:
    """Threads share one. Names are fixed words in code, never data of a picture."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._facts: dict[str, Value] = {}
        self._marks: dict[str, deque[float]] = {}
        self._troubles: dict[str, str] = {}
        self.started = time.monotonic()

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter, such as `frames_dropped` or `items_sent`."""
        with self._lock:
            self._counts[name] += by

    def note(self, name: str, value: Value) -> None:
        """Set a gauge, such as `spool_items` or `mode`."""
        with self._lock:
            self._facts[name] = value

    def mark(self, name: str) -> None:
        """Something happened now; `snapshot` gives its rate as `<name>_per_second`."""
        now = time.monotonic()
        with self._lock:
            marks = self._marks.setdefault(name, deque(maxlen=4096))
            marks.append(now)

    def trouble(self, name: str, sentence: str | None) -> None:
        """A part's trouble in one sentence for people, or None when it is over: `source` "no
        picture for 20 s, trying again in 8 s"."""
        with self._lock:
            if sentence is None:
                self._troubles.pop(name, None)
            else:
                self._troubles[name] = sentence

    @property
    def troubles(self) -> dict[str, str]:
        with self._lock:
            return dict(self._troubles)

    def snapshot(self) -> dict[str, Value]:
        """Everything: counters, gauges, rates, `uptime_s`."""
        now = time.monotonic()
        with self._lock:
            found: dict[str, Any] = {**self._counts, **self._facts}
            for name, marks in self._marks.items():
                recent = [at for at in marks if now - at <= _RATE_SECONDS]
                found[f"{name}_per_second"] = round(
                    len(recent) / min(_RATE_SECONDS, max(1.0, now - self.started)), 2
                )
        found["uptime_s"] = round(now - self.started, 1)
        return found
