"""How long to wait before trying again: longer each time, never together with all others."""

from __future__ import annotations

import random
from typing import Final

_MOST_DOUBLINGS: Final = 30


class Backoff:
    """Doubles from `low` to `high` seconds; each wait is drawn from the upper half of its span, so
    that a thousand devices that lost the same server do not come back in step."""

    def __init__(self, low: float = 1.0, high: float = 60.0, draw: random.Random | None = None):
        self._low, self._high = low, high
        self._draw = draw or random.Random()
        self._failures = 0

    def failed(self) -> float:
        """Seconds to wait now."""
        span = min(self._high, self._low * 2.0 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        return span * self._draw.uniform(0.5, 1.0)

    def worked(self) -> None:
        """The next failure starts from `low` again."""
        self._failures = 0
