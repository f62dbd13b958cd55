"""A month of one British car park: who came, who paid, and what the cameras and keypads made of it.

Half of the car parks run over the leap day and into the night in which clocks go forward, half into
the autumn in which they go back. Each has an entry and an exit, every second one also a camera on
the road outside; every third one has a tariff, the others charge always.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from benchmarks import _justice_plates as plates
from benchmarks._justice_noise import HIDDEN, lay_noise, looks_again
from benchmarks._justice_reader import Quirk, Reader, Sight
from benchmarks._justice_tariff import charged, charged_time, evening, tariff
from benchmarks._justice_truth import (
    DAY,
    HOUR,
    MARGIN,
    MINUTE,
    SECOND,
    Crossing,
    Look,
    Paid,
    SiteMonth,
    Stay,
)
from enforcement.rights.facts import BEGINNING, Right, SiteRules
from enforcement.rights.outcomes import RightKind, Role

LONDON: Final = ZoneInfo("Europe/London")
SEASONS: Final = (date(2028, 2, 26), date(2028, 10, 1))
DAYS: Final = 30
RULES: Final = SiteRules(version="site/justice")

KINDS: Final = {
    "paid": 0.67,
    "extended": 0.07,
    "paid in two parts": 0.03,
    "within the grace period": 0.06,
    "turned round": 0.09,
    "paid afterwards": 0.02,
    "reserved": 0.015,
    "paid, stayed for days": 0.003,
    "never paid": 0.02,
    "overstayed": 0.015,
    "paid with a gap": 0.001,
    "paid the day before": 0.002,
}
"""How a visitor's stay is made; permit holders and exempt vehicles come besides."""
UNLAWFUL: Final = frozenset({"never paid", "overstayed", "paid with a gap", "paid the day before"})
_SUMS: Final = list(KINDS.values())

PERMITS: Final = 0.08
SHARED: Final = 0.04
EXEMPT: Final = 0.01
FLEET: Final = 0.04
FOREIGN: Final = 0.05
TOGETHER: Final = 0.5
"""Vehicles of a fleet whose neighbour by plate comes right behind them."""
AGAIN: Final = 0.07
"""Vehicles that come a second time on the same day."""
FIRM_PLATES: Final = 6
FIRM_PLACES: Final = 3

FREE_STAYS: Final = 0.2
"""Where there is a tariff: visitors who use what it leaves free."""
TYPED_WRONGLY: Final = 0.03
"""Payments whose plate was typed wrongly; of these, by slips (0: another vehicle's altogether)."""
SLIPS: Final = {1: 0.90, 2: 0.07, 0: 0.03}
TERMINAL_LATE: Final = 0.01
"""Payments that a terminal without a line hands on hours later."""


@dataclass(slots=True)
class _Vehicle:
    plate: str = field(repr=False)
    country: str
    quirk: Quirk | None
    sort: str = "visitor"
    mate: str = field(default="", repr=False)
    busy_until: datetime = BEGINNING


class CarPark:
    """Makes one `SiteMonth`. The same seed, number and size give the same month."""

    def __init__(self, seed: int, number: int, stays: int, reader: Reader) -> None:
        self.rng = Random(f"{seed}/car park/{number}")
        self.noise = Random(f"{seed}/car park/{number}/noise")
        self.reader = reader
        self.first_day = SEASONS[number % 2]
        start = datetime.combine(self.first_day, time(), LONDON).astimezone(UTC)
        cameras = {"in": Role.ENTRY, "out": Role.EXIT}
        if number % 4 >= 2:
            cameras["road"] = Role.PASSING
        self.month = SiteMonth(number, start, start + DAYS * DAY, cameras)
        if number % 3 == 2:
            self.month.tariff = tariff()
        self.daily = max(4, round(stays / DAYS / (1 + AGAIN)))
        self.fleet = self._vehicles()
        self.by_plate = {vehicle.plate: vehicle for vehicle in self.fleet}
        self.firms: list[list[_Vehicle]] = []

    def make(self) -> SiteMonth:
        """The month; crossings and rights in no particular order."""
        self._permits()
        for number in range(DAYS):
            self._day(self.first_day + timedelta(days=number))
        self._judge_shared()
        lay_noise(self.month, self.noise)
        return self.month

    # --- vehicles ----------------------------------------------------------------------------

    def _vehicles(self) -> list[_Vehicle]:
        wanted = self.daily * 6
        made: dict[str, _Vehicle] = {}
        while len(made) < wanted:
            country = "GB" if self.rng.random() >= FOREIGN else self.rng.choice(("PL", "DE"))
            text = plates.plate(self.rng, country)
            mate = plates.fleet_mate(self.rng, text, country) if self.rng.random() < FLEET else ""
            for one, other in ((text, mate), (mate, "")):
                if one:
                    quirk = self.reader.quirk(self.noise, one, country)
                    made.setdefault(one, _Vehicle(one, country, quirk, mate=other))
        return list(made.values())

    def _permits(self) -> None:
        always = (self.month.first - 60 * DAY, self.month.last + 60 * DAY)
        shared: list[_Vehicle] = []
        for vehicle in self.fleet:
            chance = self.rng.random()
            if chance < PERMITS:
                vehicle.sort = "permit"
                self._grant(RightKind.PERMIT, (vehicle.plate,), *always)
            elif chance < PERMITS + SHARED and self.month.tariff is None:
                vehicle.sort = "shared permit"
                shared.append(vehicle)
            elif chance < PERMITS + SHARED + EXEMPT:
                vehicle.sort = "exempt"
                self._grant(RightKind.EXEMPTION, (vehicle.plate,), *always)
        self.firms = [shared[at : at + FIRM_PLATES] for at in range(0, len(shared), FIRM_PLATES)]
        for firm in self.firms:
            names = tuple(vehicle.plate for vehicle in firm)
            self._grant(RightKind.PERMIT, names, *always, places=FIRM_PLACES)

    def _grant(
        self,
        kind: RightKind,
        names: tuple[str, ...],
        start: datetime,
        end: datetime,
        *,
        known_at: datetime | None = None,
        early: datetime | None = None,
        version_of: str | None = None,
        version: int = 1,
        typed: tuple[str, ...] | None = None,
        places: int | None = None,
        country: str | None = None,
    ) -> str:
        name = version_of or f"{kind.value}-{len(self.month.paid)}"
        right = Right(
            id=name,
            kind=kind,
            plates=typed or names,
            country=country,
            start=start,
            end=end,
            version=version,
            known_at=known_at,
            max_present=places,
        )
        self.month.paid.append(Paid(right, names, early if early is not None else known_at))
        return name

    # --- days --------------------------------------------------------------------------------

    def _day(self, day: date) -> None:
        coming = self.rng.sample(self.fleet, min(len(self.fleet), self.daily))
        for vehicle in coming:
            enter = self._moment(day)
            self._visit(vehicle, enter)
            if vehicle.mate and self.rng.random() < TOGETHER:
                self._visit(self.by_plate[vehicle.mate], enter + 3 * SECOND)

    def _visit(self, vehicle: _Vehicle, enter: datetime) -> None:
        """A stay, unless the vehicle is there; now and then another one on the same day."""
        if enter <= vehicle.busy_until:
            return
        leave = self._stay(vehicle, enter)
        vehicle.busy_until = leave + 3 * MINUTE
        if self.rng.random() < AGAIN:
            again = leave + self.rng.uniform(4, 300) * MINUTE
            if again.date() == leave.date():
                vehicle.busy_until = self._stay(vehicle, again) + 3 * MINUTE

    def _moment(self, day: date) -> datetime:
        """An arrival: mostly by day, some late at night, where clocks change."""
        hour = self.rng.gauss(13, 4) if self.rng.random() < 0.95 else self.rng.uniform(20, 27)
        seconds = max(0.0, min(27.5, hour)) * 3600
        local = datetime.combine(day, time()) + timedelta(seconds=seconds)
        return local.replace(tzinfo=LONDON).astimezone(UTC)

    def _length(self) -> timedelta:
        return min(11 * 60, max(8.0, self.rng.lognormvariate(4.3, 0.7))) * MINUTE

    def _stay(self, vehicle: _Vehicle, enter: datetime) -> datetime:
        """Make a stay of the vehicle's sort; when it left."""
        if vehicle.sort == "visitor":
            kind, leave = self._visit_by_tariff(vehicle, enter) or ("", enter)
            if not kind:
                kind = self.rng.choices(list(KINDS), _SUMS)[0]
                if self.month.tariff is not None and kind in UNLAWFUL:
                    kind = self._by_day(kind, enter)
                leave = self._visitor(vehicle, enter, kind)
        else:
            kind = vehicle.sort
            leave = enter + self._length() * (1 if self.rng.random() < 0.9 else 1.5)
        number = len(self.month.stays)
        lawful = kind not in UNLAWFUL
        self.month.stays.append(Stay(f"s{number}", vehicle.plate, enter, leave, lawful, kind))
        self._cross(vehicle, f"{number}i", "in", Role.ENTRY, enter)
        self._cross(vehicle, f"{number}o", "out", Role.EXIT, leave)
        if "road" in self.month.cameras:
            for suffix, at in (("a", enter - 40 * SECOND), ("b", leave + 40 * SECOND)):
                if self.rng.random() < 0.5:
                    self._cross(vehicle, f"{number}{suffix}", "road", Role.PASSING, at)
        return leave

    def _visit_by_tariff(self, vehicle: _Vehicle, enter: datetime) -> tuple[str, datetime] | None:
        """Where there is a tariff: a stay that it lets be free, wholly or in part."""
        rng = self.rng
        if self.month.tariff is None or rng.random() > FREE_STAYS:
            return None
        if not charged(enter):
            leave = enter + self._length()
            return None if charged_time(enter, leave) else ("free of charge", leave)
        if rng.random() < 0.5:
            leave = enter + rng.uniform(6, 30 - MARGIN / MINUTE) * MINUTE
            return "free as a short stay", leave
        closes = evening(enter)
        leave = closes + rng.uniform(10, 600) * MINUTE
        start = enter + rng.uniform(0, 240) * SECOND
        if start + MINUTE >= closes or charged_time(closes, leave):
            return None
        self._pay(vehicle, start, closes)
        return "paid until charging ends", leave

    def _by_day(self, kind: str, enter: datetime) -> str:
        """Where there is a tariff, nobody is unlawful but in the morning of a charged day: what is
        unpaid then is charged for, whatever its length. Others pay."""
        morning = charged(enter) and enter.astimezone(LONDON).hour < 12
        # a gap may lie in an hour that was paid for anyway
        return kind if morning and kind != "paid with a gap" else "paid"

    def _visitor(self, vehicle: _Vehicle, enter: datetime, kind: str) -> datetime:
        rng, length, least = self.rng, self._length(), 1.0
        if self.month.tariff is not None and kind in UNLAWFUL:
            length, least = (
                rng.uniform(50, 240) * MINUTE,
                35.0,
            )  # no short stay, over before evening
        allowed = RULES.consideration + RULES.grace
        before = rng.uniform(0, (RULES.consideration - MARGIN) / SECOND) * SECOND
        start, leave = enter + before, enter + length
        if kind == "turned round":
            return enter + rng.uniform(20, (RULES.consideration - MARGIN) / SECOND) * SECOND
        if kind == "never paid":
            return leave
        if kind == "paid the day before":
            self._pay(vehicle, start - DAY, leave - DAY - HOUR)
            return leave
        if kind == "paid, stayed for days":
            leave = enter + rng.uniform(25, 60) * HOUR
        if kind == "extended":
            first = start + rng.uniform(0.3, 0.8) * (leave - start)
            name = self._pay(vehicle, start, first, typed=(typed := self._typed(vehicle)))
            until = leave + rng.uniform(0, 30) * MINUTE
            known = first - rng.uniform(0.2, 5) * MINUTE
            self._pay(vehicle, start, until, known=known, of=name, version=2, typed=typed)
            return leave
        if kind == "paid in two parts":
            middle = start + rng.uniform(0.3, 0.7) * (leave - start)
            self._pay(vehicle, start, middle)
            self._pay(vehicle, middle - MINUTE, leave + 5 * MINUTE, known=middle - MINUTE)
            return leave
        if kind == "paid with a gap":
            gap = rng.uniform(20, 60) * MINUTE
            leave += 2 * gap
            self._pay(vehicle, start, start + 20 * MINUTE)
            late = start + 20 * MINUTE + gap
            self._pay(vehicle, late, max(late, leave) + 10 * MINUTE)
            return max(late + MINUTE, leave)
        if kind == "within the grace period":
            rest = (allowed - before - MARGIN) / SECOND
            self._pay(vehicle, start, leave)
            return leave + rng.uniform(5, rest) * SECOND
        if kind == "overstayed":
            self._pay(vehicle, start, leave)
            return leave + allowed + rng.uniform(least, 180) * MINUTE
        until = leave + rng.uniform(0, 40) * MINUTE
        if kind == "paid afterwards":
            known = leave + rng.uniform(0.2, 40) * HOUR
            self._pay(vehicle, enter, until, known=known, early=enter)
        elif kind == "reserved":
            name = RightKind.RESERVATION
            self._pay(vehicle, enter - 10 * MINUTE, until, known=enter - DAY, kind=name)
        else:
            self._pay(vehicle, start, until)
        return leave

    def _pay(
        self,
        vehicle: _Vehicle,
        start: datetime,
        end: datetime,
        *,
        known: datetime | None = None,
        early: datetime | None = None,
        of: str | None = None,
        version: int = 1,
        typed: str | None = None,
        kind: RightKind = RightKind.PAYMENT,
    ) -> str:
        known_at = known or start + self.rng.uniform(1, 15) * SECOND
        early = early or known_at
        if known is None and self.rng.random() < TERMINAL_LATE:
            known_at += self.rng.uniform(1, 6) * HOUR
        return self._grant(
            kind,
            (vehicle.plate,),
            start,
            max(end, start + MINUTE),
            known_at=known_at,
            early=early,
            version_of=of,
            version=version,
            typed=(typed or self._typed(vehicle),),
            # some apps ask for the country, and have it right
            country=vehicle.country if self.rng.random() < 0.3 else None,
        )

    def _typed(self, vehicle: _Vehicle) -> str:
        """The plate as the driver types it: mostly right."""
        if self.noise.random() >= TYPED_WRONGLY:
            return vehicle.plate
        slips = self.noise.choices(list(SLIPS), list(SLIPS.values()))[0]
        if slips == 0:
            return plates.plate(self.noise, vehicle.country)
        return plates.mistyped(self.noise, vehicle.plate, slips)

    def _judge_shared(self) -> None:
        """Who of a firm came when all its places were held stayed unlawfully: counted here from
        true presences, first come first served."""
        firm_of = {v.plate: n for n, firm in enumerate(self.firms) for v in firm}
        held: dict[int, list[datetime]] = {}
        order = sorted(range(len(self.month.stays)), key=lambda at: self.month.stays[at].enter)
        for at in order:
            stay = self.month.stays[at]
            if stay.kind != "shared permit":
                continue
            holders = held.setdefault(firm_of[stay.plate], [])
            holders[:] = [leave for leave in holders if leave > stay.enter]
            if len(holders) < FIRM_PLACES:
                holders.append(stay.leave)
            else:
                kind = "permit in use"
                self.month.stays[at] = Stay(
                    stay.id, stay.plate, stay.enter, stay.leave, lawful=False, kind=kind
                )

    def _cross(self, vehicle: _Vehicle, name: str, camera: str, role: Role, at: datetime) -> None:
        """One passage, and what the reader makes of it."""

        def sight() -> Sight:
            return self.reader.look(self.noise, vehicle.plate, vehicle.country, vehicle.quirk)

        rng, looks = self.noise, [Look(timedelta(0), sight())]
        if role is not Role.PASSING:
            looks += [Look(after, sight()) for after in looks_again(rng)]
        self.month.crossings.append(
            Crossing(
                id=name,
                camera=camera,
                role=role,
                at=at,
                plate=vehicle.plate,
                country=vehicle.country,
                looks=tuple(looks),
                hidden=rng.random() < HIDDEN,
                delay=rng.uniform(0.2, 2.0) * SECOND,
            )
        )
