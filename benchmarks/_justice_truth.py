"""What really happened, as the simulator knows it, and how much of it the product gets to see.

Truth is made first, without any rule of the product: vehicles come, drivers pay or don't, and each
stay or passage is lawful or not by the way it was made. Then noise is laid over it, each sort by
itself and undoable: what a camera missed, misread or dated wrongly, what was typed wrongly, what
became known late. `Noise` names the sorts; leaving one out gives the world in which it never
happened, which is how a wrongful candidate is attributed to its cause (`_justice_causes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from benchmarks._justice_reader import Sight
from enforcement.rights.facts import Right, is_skewed
from enforcement.rights.outcomes import Role
from enforcement.rights.tariffs import Tariff
from inference.voting import Seen

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MARGIN = timedelta(seconds=15)
"""Nobody is made lawful or unlawful by less: a camera's clock decides there, and the boundaries
themselves are the scenarios' business."""


class Noise(StrEnum):
    """What stands between truth and what the product sees."""

    MISREAD = "misread"
    MISSED = "missed"  # hidden behind another vehicle, a camera without power
    CLOCK = "clock"
    OFFLINE = "offline"  # delivered hours later
    TYPED = "typed"
    KNOWN_LATE = "known-late"
    CATEGORY = "category"  # a camera sees no engine


NOTHING: frozenset[Noise] = frozenset()
EVERYTHING = frozenset(Noise)


def clear_sight(plate: str, country: str) -> Sight:
    """What a reader that never errs sees."""
    return Sight((Seen(plate, 0.99, (0.99,) * len(plate), ((plate, 0.99),)),), country)


@dataclass(frozen=True, slots=True)
class Look:
    """One sight of a crossing vehicle, `after` its crossing."""

    after: timedelta
    sight: Sight


@dataclass(slots=True)
class Crossing:
    """A vehicle passing a camera at the true time `at`; `delay` until it was received."""

    id: str
    camera: str
    role: Role
    at: datetime
    plate: str
    country: str
    looks: tuple[Look, ...]
    hidden: bool = False
    clock: timedelta = timedelta(0)
    delay: timedelta = SECOND
    lagging: bool = False
    """Received while the camera's last heartbeat showed its clock to be behind."""

    def reads(self, without: frozenset[Noise]) -> Iterator[Read]:
        """What the camera tells the product of it."""
        if self.hidden and Noise.MISSED not in without:
            return
        clock = timedelta(0) if Noise.CLOCK in without else self.clock
        delay = min(self.delay, SECOND) if Noise.OFFLINE in without else self.delay
        lagging = self.lagging and Noise.CLOCK not in without
        number = 0
        for look in self.looks:
            sight = look.sight
            if Noise.MISREAD in without or (self.hidden and not sight.frames):
                sight = clear_sight(self.plate, self.country)
            for frame in sight.frames:
                at = self.at + look.after + 0.4 * number * SECOND
                name, country = f"{self.id}.{number}", sight.country
                yield Read(self, name, at + clock, at + delay, frame, country, lagging)
                number += 1


@dataclass(frozen=True, slots=True)
class Read:
    """One frame's plate, dated by the camera's clock, received by ours."""

    crossing: Crossing = field(repr=False)
    id: str
    at: datetime
    received: datetime
    seen: Seen = field(repr=False)
    country: str
    lagging: bool = False

    @property
    def quarantined(self) -> bool:
        return self.lagging or is_skewed(self.at, self.received)


@dataclass(frozen=True, slots=True)
class Paid:
    """A right as it was meant (`plates`) and as it was typed (`typed`)."""

    right: Right
    plates: tuple[str, ...] = field(repr=False)
    known_early: datetime | None = None
    """When it would have been known had nothing been late."""

    def as_known(self, without: frozenset[Noise]) -> Right:
        right = self.right
        changes: dict[str, object] = {}
        if Noise.TYPED in without and right.plates != self.plates:
            changes["plates"] = self.plates
        if Noise.KNOWN_LATE in without:
            changes["known_at"] = self.known_early
        return _replaced(right, changes) if changes else right


def _replaced(right: Right, changes: dict[str, object]) -> Right:
    values = {name: getattr(right, name) for name in right.__dataclass_fields__}
    return Right(**(values | changes))


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay as it truly was. `kind` says how it was made."""

    id: str
    plate: str = field(repr=False)
    enter: datetime
    leave: datetime
    lawful: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A camera not heard of over `[start, end)`; by `caught_up` it has delivered what it kept."""

    camera: str
    start: datetime
    end: datetime
    caught_up: datetime

    def holds(self, camera: str, at: datetime) -> bool:
        return self.camera == camera and self.start <= at < self.end


@dataclass(slots=True)
class SiteMonth:
    """One car park over one month, in full."""

    number: int
    first: datetime
    last: datetime
    cameras: dict[str, Role]
    tariff: Tariff | None = None
    stays: list[Stay] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def heard_through(self, camera: str, now: datetime, without: frozenset[Noise]) -> datetime:
        """How far the camera has reported by `now`."""
        if Noise.OFFLINE not in without:
            for outage in self.outages:
                if outage.camera == camera and outage.start <= now < outage.caught_up:
                    return outage.start
        return now - 2 * SECOND

    def heard_of_all(self, at: datetime, without: frozenset[Noise]) -> datetime:
        """The first moment by which every camera has reported past `at`."""
        moment = at + 60 * SECOND  # a heartbeat each minute, and passages close after 45 s
        if Noise.OFFLINE in without:
            return moment
        while True:
            late = [o.caught_up for o in self.outages if o.start <= moment < o.caught_up]
            late = [end for end in late if end > moment]
            if not late:
                return moment
            moment = max(late) + 60 * SECOND
