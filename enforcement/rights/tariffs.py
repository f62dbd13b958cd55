"""Parking tariffs as data: bands of hours, steps within them, free minutes, a cap, rounding.

A stay `[start, end)` is charged by the version in force at its start. Hours are those of the
site's clocks, lengths are real time (`hours.py`). The shape of a tariff is in docs/rules.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from .calendars import zone_of
from .charges import (
    Charge,
    ChargeLine,
    Due,
    Interval,
    due_lines,
    joined,
    money,
    owed,
    ratio,
    rounded,
    span,
)
from .facts import RuleError
from .hours import HOLIDAY, WEEKDAYS, Holidays, Hours, clock_instant, hours_of, read_error

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(hours=24)
_MOST = 100_000_000
"""No amount is above a million of whole units."""

_KEYS = {
    "bands",
    "holidays",
    "holidays_of",
    "first_free_min",
    "first_free",
    "daily_cap",
    "cap_per",
    "round_to",
    "rounding",
}
_BAND_KEYS = {"name", "days", "from", "to", "free", "steps"}
_STEP_KEYS = {"minutes", "amount", "exact"}


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of a band's price: `amount` minor units for each started `length`, or in proportion
    to the time where `exact`. `length` None: once, for all the rest of the stretch."""

    length: timedelta | None
    amount: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """Hours with one price. Each stretch of a stay in them goes through `steps` from the first; the
    last repeats. No steps: free."""

    name: str
    hours: Hours
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part `[start, end)` of a stay within one band."""

    band: Band
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of a tariff. `bands` cover every hour of every kind of day exactly once.

    `first_free` is chargeable time at the start of a stay that costs nothing; where
    `short_stays_only`, only as long as nothing but that much of it is unpaid. `daily_cap` is the
    most that a calendar day costs, or each 24 h from the start where `cap_rolling`.
    """

    timezone: ZoneInfo
    currency: str
    bands: tuple[Band, ...]
    holidays: Holidays
    first_free: timedelta = timedelta(0)
    short_stays_only: bool = False
    daily_cap: int | None = None
    cap_rolling: bool = False
    round_to: int = 1
    rounding: str = "nearest"
    version: str = "tariff/default"

    @property
    def versions(self) -> tuple[str, ...]:
        """The rule versions a verdict by this tariff carries."""
        return (self.version, *self.holidays.versions)

    @classmethod
    def from_data(
        cls, data: Any, *, timezone: str, currency: str, version: str = "tariff/default"
    ) -> "Tariff":
        """A tariff of the shape in docs/rules.md.

        Raises `RuleError`: `tariff-malformed`, or, naming the place, `tariff-hole` where no band
        holds and `tariff-overlap` where two do.
        """
        place = ""
        try:
            _only(data, _KEYS)
            bands = []
            if not isinstance(data["bands"], list):
                raise ValueError("bands are a list")
            for number, one in enumerate(data["bands"], 1):
                place = f"Band {number}: "
                bands.append(_band(one))
            place = ""
            cap = data.get("daily_cap")
            tariff = cls(
                timezone=zone_of(timezone),
                currency=currency,
                bands=tuple(bands),
                holidays=Holidays.from_data(data),
                first_free=_MINUTE * _whole(data.get("first_free_min", 0), "first_free_min", 0),
                short_stays_only=_one_of(data, "first_free", ("always", "short-stays")) == 1,
                daily_cap=None if cap is None else _whole(cap, "daily_cap", 0),
                cap_rolling=_one_of(data, "cap_per", ("calendar-day", "24h")) == 1,
                round_to=_whole(data.get("round_to", 1), "round_to", 1),
                rounding=("nearest", "up", "down")[
                    _one_of(data, "rounding", ("nearest", "up", "down"))
                ],
                version=version,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RuleError) as error:
            raise RuleError("tariff-malformed", place + read_error(error)) from error
        tariff._check_bands()
        return tariff

    def _check_bands(self) -> None:
        """Refuse a tariff that leaves an hour without a price, or gives it two."""
        named = any(HOLIDAY in band.hours.days for band in self.bands)
        if named and not self.holidays:
            raise RuleError(
                "tariff-malformed", "A band is for holidays, but no holidays are named."
            )
        kinds = [*range(1, 8), *([HOLIDAY] if self.holidays else [])]
        for kind in kinds:
            day = "a holiday" if kind == HOLIDAY else WEEKDAYS[kind - 1]
            reached: time | None = time.min
            last = ""
            for begins, ends, band in self._parts(kind):
                if reached is None or begins < reached:
                    raise RuleError(
                        "tariff-overlap",
                        f"On {day}, “{last}” and “{band.name}” both hold from {begins:%H:%M}.",
                    )
                if begins > reached:
                    raise _hole(day, reached, begins)
                reached, last = ends, band.name
            if reached is not None:
                raise _hole(day, reached, None)

    def _parts(self, kind: int) -> list[tuple[time, time | None, Band]]:
        """The bands of a kind of day, in order."""
        parts = [
            (begins, ends, band)
            for band in self.bands
            if kind in band.hours.days
            for begins, ends in band.hours.parts()
        ]
        return sorted(parts, key=lambda part: part[0])

    def charge(self, start: datetime, end: datetime, covered: Iterable[Interval] = ()) -> Charge:
        """What the stay `[start, end)` costs beyond the stretches `covered` that are paid for.

        Both must carry their offset and `end` not come before `start`; `RuleError` otherwise
        (`stay-naive-time`, `stay-ends-before-start`).
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise RuleError("stay-naive-time", "A stay's times must carry their offset.")
        if end < start:
            raise RuleError("stay-ends-before-start", "The stay ends before it starts.")
        start, end = start.astimezone(UTC), end.astimezone(UTC)  # differences in real time
        paid = joined((max(a, start), min(b, end)) for a, b in covered)
        stretches = self._stretches(start, end)
        charged = [one for one in stretches if one.band.steps]
        free = [(one.start, one.end) for one in stretches if not one.band.steps]
        told = [
            (one.start, ChargeLine("free", 0, f"{one.band.name}, {self._span(one)}: free."))
            for one in stretches
            if not one.band.steps
        ]
        first = self._first_free(charged, paid, start, end)
        if first:
            minutes = sum((b - a for a, b in first), timedelta(0)) // _MINUTE
            told.append(
                (first[0][0], ChargeLine("first-free", 0, f"The first {minutes} min are free."))
            )
            free += first
            charged = _after(charged, first[-1][1])
        dues = [due for stretch in charged for due in self._dues(stretch, start)]
        free += [(due.start, due.end) for due in dues if not due.amount]
        told += due_lines([due for due in dues if due.amount], self.timezone, self.currency)
        lines = [line for _, line in sorted(told, key=lambda one: one[0])]
        total, over, mine = owed(dues, paid, cap=self.daily_cap, period=self._period(start))
        if over:
            cap = money(self.daily_cap or 0, self.currency)
            lines.append(ChargeLine("cap", -_whole_of(over), f"A day costs at most {cap}."))
        if mine:
            lines.append(ChargeLine("paid", -_whole_of(mine), "Of this, paid for."))
        amount = rounded(total - over - mine, self.round_to, self.rounding)
        rest = amount - sum(line.amount for line in lines)
        if rest:
            lines.append(ChargeLine("rounding", rest, "Rounded."))
        return Charge(
            amount=amount,
            currency=self.currency,
            lines=tuple(lines),
            free=tuple(joined(free)),
            outside=start < end and all(not one.band.steps for one in stretches),
            version=self.version,
        )

    def _span(self, stretch: _Stretch) -> str:
        return span(stretch.start, stretch.end, self.timezone)

    def _stretches(self, start: datetime, end: datetime) -> list[_Stretch]:
        """The stay, cut where another band begins to hold."""
        found: list[_Stretch] = []
        parts: dict[int, list[tuple[time, time | None, Band]]] = {}
        day, last = start.astimezone(self.timezone).date(), end.astimezone(self.timezone).date()
        while day <= last:
            kind = HOLIDAY if self.holidays and day in self.holidays else day.isoweekday()
            if kind not in parts:
                parts[kind] = self._parts(kind)
            for begins, ends, band in parts[kind]:
                a = max(clock_instant(day, begins, self.timezone), start)
                b = min(clock_instant(day, ends, self.timezone), end)
                if a >= b:
                    continue
                if found and found[-1].band is band:
                    found[-1] = replace(found[-1], end=b)
                else:
                    found.append(_Stretch(band, a, b))
            day += timedelta(days=1)
        return found

    def _first_free(
        self,
        charged: Sequence[_Stretch],
        paid: Sequence[Interval],
        start: datetime,
        end: datetime,
    ) -> list[Interval]:
        """The chargeable stretches at the start that are free."""
        left, found = self.first_free, []
        until = end
        if self.short_stays_only:
            until = paid[0][0] if paid else end
            before = sum(
                (max(min(one.end, until) - one.start, timedelta(0)) for one in charged),
                timedelta(0),
            )
            if before > self.first_free:
                return []
        for one in charged:
            length = min(min(one.end, until) - one.start, left)
            if length <= timedelta(0):
                break
            found.append((one.start, one.start + length))
            left -= length
        return found

    def _dues(self, stretch: _Stretch, stay_start: datetime) -> Iterable[Due]:
        """The units of a stretch, one after the other; exact ones cut where a capped day ends."""
        at, place = stretch.start, 0
        while at < stretch.end:
            step = stretch.band.steps[min(place, len(stretch.band.steps) - 1)]
            ends = stretch.end if step.length is None else min(at + step.length, stretch.end)
            if step.exact and step.length is not None:
                for a, b in self._cut(at, ends, stay_start):
                    amount = step.amount * ratio(b - a, step.length)
                    yield Due(stretch.band.name, a, b, amount, True)
            else:
                yield Due(stretch.band.name, at, ends, Fraction(step.amount), False)
            at, place = ends, place + 1

    def _cut(self, start: datetime, end: datetime, stay_start: datetime) -> Iterable[Interval]:
        at = start
        while at < end:
            if self.daily_cap is None:
                until = end
            elif self.cap_rolling:
                until = stay_start + _DAY * ((at - stay_start) // _DAY + 1)
            else:
                until = clock_instant(at.astimezone(self.timezone).date(), None, self.timezone)
            yield at, min(until, end)
            at = min(until, end)

    def _period(self, start: datetime) -> Any:
        if self.cap_rolling:
            return lambda at: (at - start) // _DAY
        return lambda at: at.astimezone(self.timezone).date().toordinal()


def _after(stretches: Sequence[_Stretch], at: datetime) -> list[_Stretch]:
    """What is left of the stretches after `at`."""
    return [replace(one, start=max(one.start, at)) for one in stretches if one.end > at]


def _hole(day: str, begins: time, ends: time | None) -> RuleError:
    until = "24:00" if ends is None else f"{ends:%H:%M}"
    return RuleError("tariff-hole", f"On {day}, nothing says what {begins:%H:%M} to {until} costs.")


def _whole_of(amount: Fraction) -> int:
    return rounded(amount, 1, "nearest")


def _only(data: Any, keys: set[str]) -> None:
    if not isinstance(data, Mapping):
        raise ValueError("this is a JSON object")
    unknown = sorted(set(data) - keys)
    if unknown:
        raise ValueError(f"there is no “{unknown[0]}”")


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
        raise ValueError(f"“{name}” is a whole number from {least}")
    return value


def _one_of(data: Mapping[str, Any], name: str, values: tuple[str, ...]) -> int:
    """The place of the value among `values`, 0 where it isn't told."""
    value = data.get(name, values[0])
    if value not in values:
        raise ValueError(f"“{name}” is one of {', '.join(values)}")
    return values.index(value)


def _band(data: Any) -> Band:
    _only(data, _BAND_KEYS)
    name = data["name"]
    if not isinstance(name, str) or not 1 <= len(name) <= 40:
        raise ValueError("a band's name is 1 to 40 characters")
    if data.get("free", False) is True:
        if data.get("steps"):
            raise ValueError("a free band has no steps")
        steps: tuple[Step, ...] = ()
    else:
        if not isinstance(data["steps"], list) or not data["steps"]:
            raise ValueError("a band has steps, or is free")
        steps = tuple(_step(one) for one in data["steps"])
        if any(step.length is None for step in steps[:-1]):
            raise ValueError("only the last step may go without minutes")
        if not any(step.amount for step in steps):
            raise ValueError('a band that costs nothing reads "free": true')
    return Band(name, hours_of(data, holidays_too=True), steps)


def _step(data: Any) -> Step:
    _only(data, _STEP_KEYS)
    exact = data.get("exact", False)
    if not isinstance(exact, bool):
        raise ValueError("“exact” is true or false")
    minutes = data.get("minutes")
    if minutes is None and exact:
        raise ValueError("an exact step counts minutes")
    length = None if minutes is None else _MINUTE * _whole(minutes, "minutes", 1)
    return Step(length, _whole(data["amount"], "amount", 0), exact)
