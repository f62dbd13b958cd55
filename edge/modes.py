"""What is sent: frames, crops or reads. In mode "auto" the device chooses, and says why.

Reads need least of the line and most of the processor; frames the other way round. What each step
costs is measured as it goes, and so are the source's rate, the line and how wide plates are here.
A choice changes only when another has been the better one for a while.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Final, Literal

from edge.health import Health
from edge.items import Frame, Kind
from edge.settings import Settings
from edge.squeeze import Squeeze
from inference.results import Box

ENOUGH: Final = 4.0
"""Frames a second that must be looked at: a vehicle is seldom in view for less than a second."""
ROOM: Final = 1.25
"""How much better than enough a dearer choice must be to be taken up."""
HOLD: Final = 30.0
"""Seconds for which another choice must have been the better one."""
EVERY: Final = 5.0
"""Seconds between two looks at what is best."""
TRIAL: Final = 60.0
"""Seconds after which plates are looked for once where that is not done otherwise: what it costs,
and how wide they are."""
WEAK_RATE: Final = 2.0
"""Frames a second that are sent, while something moves, where no plates are looked for."""
NEEDS: Final = 60.0
"""Width of a plate in pixels from which a squeezed frame is read as well as an unsqueezed one:
measured by `run bench edge`, drawn in docs/benchmarks."""
LEAST_WIDTHS: Final = 10
"""Plates that must have been seen before a frame is squeezed by itself."""
_NARROW: Final = 0.1
"""Share of the plates that may be narrower than what squeezing is measured by."""
_ABOVE: Final = 0.05
"""Share of a picture's height that is left above the highest plate."""
_NEWEST: Final = 0.05
_BYTES_PER_PIXEL: Final = 0.15
"""What a JPEG takes before any was made here."""


Why = Literal["set", "starting", "cpu", "bandwidth", "room"]


@dataclass(frozen=True, slots=True)
class Plan:
    """`detect`: whether plates are looked for; without it, frames go out as they move. `because`:
    for people; `why`: the same in a word, which is all the server takes."""

    kind: Kind
    detect: bool
    squeeze: Squeeze
    because: str
    why: Why

    @property
    def sparing(self) -> bool:
        """Whether the server reads anyhow, and reading here only says which pictures are good."""
        return self.kind != "read"


class Chooser:
    """What one device sends. `came` and `sent` may be called from threads of their own."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._costs: dict[str, float] = {}
        self._interval: float | None = None
        self._last: Frame | None = None
        self._widths: deque[tuple[int, float]] = deque(maxlen=200)
        self._kind: Kind = "read"
        self._because = "until it is measured what this device can do"
        self._why: Why = "starting"
        self._other: tuple[Kind, float] | None = None
        self._looked_at = -math.inf
        self._tried_at = -math.inf
        self._known: tuple[Settings, Plan] | None = None
        self._bytes_per_pixel = _BYTES_PER_PIXEL

    # --- what is measured -------------------------------------------------------------------------
    def came(self, frame: Frame) -> None:
        """A frame of the source, also one that is dropped."""
        if self._last is not None and frame.at > self._last.at:
            passed = min(frame.at - self._last.at, 10.0)
            self._interval = _blend(self._interval, passed)
        self._last = frame

    def took(self, stage: str, ms: float) -> None:
        """What "detect" or "read" took for one frame in which it had something to do: what an
        empty road costs says nothing of the moment that matters."""
        self._costs[stage] = _blend(self._costs.get(stage), ms)

    def plate(self, box: Box, picture_height: int) -> None:
        """A plate that was seen here."""
        self._widths.append((box[2] - box[0], box[1] / picture_height))

    def sent(self, size: int, squeeze: Squeeze) -> None:
        """A frame was sent, squeezed so, in `size` bytes."""
        self._bytes_per_pixel = _blend(self._bytes_per_pixel, size / self._pixels(squeeze))

    def trial(self, at: float) -> bool:
        """Whether to look for plates once although the plan does not."""
        if at - self._tried_at < TRIAL:
            return False
        self._tried_at = at
        return True

    @property
    def apart(self) -> float:
        """Seconds between frames of the source; 1 before it is known."""
        return 1.0 if self._interval is None else self._interval

    # --- what follows from it ---------------------------------------------------------------------
    def plan(self, settings: Settings, at: float) -> Plan:
        if self._known and self._known[0] == settings and at - self._looked_at < EVERY:
            return self._known[1]
        self._looked_at = at
        found = self._auto(settings, at) if settings.mode == "auto" else self._set(settings)
        self._known = (settings, found)
        self._health.note("mode", found.kind)
        self._health.note("mode_because", found.because)
        self._health.note("mode_why", found.why)
        self._health.note("source_fps", round(1 / self.apart, 1))
        self._health.note("ms_per_frame", round(sum(self._costs.values()), 1))
        narrow = self._narrow()
        if narrow is not None:
            self._health.note("plate_px", narrow)
        return found

    def _set(self, settings: Settings) -> Plan:
        kind: Kind = "read" if settings.mode == "auto" else settings.mode
        because = "set so"
        if settings.blur == "plates" and kind != "read":
            kind, because = "read", "plates are made unreadable, so they are read here"
        detect = kind != "frame" or settings.blur != "none" or self._bears("detect")
        if not detect:
            because += "; this device is too slow to look for plates"
        return Plan(kind, detect, Squeeze.of(settings), because, "set")

    def _auto(self, settings: Settings, at: float) -> Plan:
        line = self._line()
        if settings.blur == "plates":
            self._kind, self._other = "read", None
            because = "plates are made unreadable, so they are read here"
            return Plan("read", True, Squeeze.of(settings), because, "set")
        better, because, why = self._best(line, settings)
        if better == self._kind:
            self._other, self._because, self._why = None, because, why
        elif self._other is None or self._other[0] != better:
            self._other = (better, at)
        elif at - self._other[1] >= HOLD:
            self._kind, self._because, self._why, self._other = better, because, why, None
        squeeze = Squeeze.of(settings)
        if self._kind == "frame":
            squeeze = self._bearable(self._thinned(squeeze, line))
        detect = self._kind != "frame" or settings.blur != "none"
        return Plan(self._kind, detect, squeeze, self._because, self._why)

    def _best(self, line: float | None, settings: Settings) -> tuple[Kind, str, Why]:
        rate = f"{self._looks('detect', 'read'):.0f} frames a second"
        if not self._costs:
            return self._kind, self._because, self._why
        if self._bears("detect", "read", dearer=self._kind != "read"):
            return "read", f"this device reads {rate}", "room"
        if self._bears("detect", dearer=self._kind == "frame"):
            return "crop", f"this device finds plates in time and would read only {rate}", "cpu"
        needed = self._bytes_of_frame(self._bearable(self._thinned(Squeeze.of(settings), line)))
        if line is None or line >= needed * WEAK_RATE:
            return "frame", f"this device would read only {rate}, and the line bears frames", "cpu"
        because = f"the line bears no frames: {rate} are read here, the others are dropped"
        return "read", because, "bandwidth"

    def _looks(self, *stages: str) -> float:
        """Frames a second in which these stages can be done; without end before it is measured."""
        ms = sum(self._costs.get(stage, 0.0) for stage in stages)
        return 1000 / ms if ms else math.inf

    def _bears(self, *stages: str, dearer: bool = False) -> bool:
        enough = min(ENOUGH, 1 / self.apart)
        return self._looks(*stages) >= enough * (ROOM if dearer else 1.0)

    def _line(self) -> float | None:
        """Bytes a second that go to the server, as the sender measures it."""
        known = self._health.snapshot().get("bytes_per_second")
        return float(known) if isinstance(known, int | float) and known > 0 else None

    def _size(self) -> tuple[int, int]:
        height, width = self._last.picture.shape[:2] if self._last is not None else (720, 1280)
        return width, height

    def _pixels(self, squeeze: Squeeze) -> float:
        width, height = self._size()
        return width * height * squeeze.scale(width) ** 2 * (1 - squeeze.cut_top)

    def _bytes_of_frame(self, squeeze: Squeeze) -> float:
        return self._bytes_per_pixel * self._pixels(squeeze)

    def _narrow(self) -> int | None:
        """The width that all but the narrowest plates here have; None before enough are known."""
        if len(self._widths) < LEAST_WIDTHS:
            return None
        widths = sorted(width for width, _ in self._widths)
        return widths[int(_NARROW * len(widths))]

    def _thinned(self, squeeze: Squeeze, line: float | None) -> Squeeze:
        """A squeeze, tightened as far as a thin line asks for."""
        needed = self._bytes_of_frame(squeeze) * WEAK_RATE
        if line is None or line >= needed:
            return squeeze
        width, _ = self._size()
        scale = squeeze.scale(width) * math.sqrt(line / needed)
        return replace(squeeze, width=max(1, int(width * scale)), grey=True)

    def _bearable(self, squeeze: Squeeze) -> Squeeze:
        """A squeeze, loosened to what the plates seen here bear: none before enough are known."""
        narrow = self._narrow()
        if narrow is None:
            return replace(squeeze, width=0, cut_top=0.0)
        width, _ = self._size()
        highest = min(top for _, top in self._widths)
        cut = min(squeeze.cut_top, max(0.0, highest - _ABOVE))
        if not squeeze.width:
            return replace(squeeze, cut_top=cut)
        least = math.ceil(width * min(1.0, NEEDS / max(narrow, 1)))
        return replace(squeeze, width=max(squeeze.width, least), cut_top=cut)


def _blend(before: float | None, newest: float) -> float:
    return newest if before is None else (1 - _NEWEST) * before + _NEWEST * newest
