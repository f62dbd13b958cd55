"""Hours of the day and public holidays: when a charging window or a band of a tariff applies.

Hours are those of the clocks on the wall: each belongs to the calendar day it falls on, and on the
nights when clocks change a day has 23 or 25 of them.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from .calendars import day_start
from .facts import RuleError

if TYPE_CHECKING:
    from holidays import HolidayBase

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOLIDAY = 8
"""Beside the ISO weekdays 1 to 7: the day a public holiday is, whatever weekday it falls on."""

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of some days. `days` are ISO weekdays (1 Monday to 7 Sunday), and 8 for holidays.

    `opens` is inclusive, `closes` exclusive, None for the end of the day (24:00). Hours that close
    when they open run round the clock; hours that close earlier run over midnight, and are those of
    the two ends of each day named.
    """

    days: frozenset[int]
    opens: time
    closes: time | None

    def parts(self) -> tuple[tuple[time, time | None], ...]:
        """The stretches of a day named, in order; None is its end."""
        if self.closes is None or self.opens < self.closes:
            return ((self.opens, self.closes),)
        if time.min in (self.closes, self.opens):  # closes at midnight, or all day long
            return ((self.opens, None),)
        return ((time.min, self.closes), (self.opens, None))

    def hold(self, day: int, clock: time) -> bool:
        """True where these hours are open on such a day at that time."""
        return day in self.days and any(
            begins <= clock and (ends is None or clock < ends) for begins, ends in self.parts()
        )


def hours_of(data: Mapping[str, Any], *, holidays_too: bool = False) -> Hours:
    """The hours in `{"days", "from", "to"}`; ValueError, KeyError or TypeError otherwise.

    A day is 1 to 7 or, where `holidays_too`, `"holiday"`; `to` may be `"24:00"`.
    """
    if not isinstance(data["days"], list) or not data["days"]:
        raise ValueError("days are a list of 1 (Monday) to 7 (Sunday)")
    days = set()
    for day in data["days"]:
        if holidays_too and day == "holiday":
            days.add(HOLIDAY)
        elif isinstance(day, int) and not isinstance(day, bool) and 1 <= day <= 7:
            days.add(day)
        else:
            raise ValueError(
                "a day is a number from 1 (Monday) to 7 (Sunday)"
                + (', or "holiday"' if holidays_too else "")
            )
    closes = None if data["to"] == "24:00" else _clock(data["to"])
    return Hours(frozenset(days), _clock(data["from"]), closes)


def _clock(text: Any) -> time:
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a time of day reads HH:MM, the end of the day 24:00")
    return time(int(found.group(1)), int(found.group(2)))


def clock_instant(day: date, clock: time | None, timezone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which clocks show `clock` or later on `day`; None: its end.

    So a time that clocks skip is the instant they skip it, and of one that comes twice the first
    counts: hours next to each other never overlap, and leave nothing between them.
    """
    if clock is None:
        return day_start(day + timedelta(days=1), timezone)
    if clock == time.min:
        return day_start(day, timezone)
    wanted = datetime.combine(day, clock)
    found = wanted.replace(tzinfo=timezone).astimezone(UTC)
    if found.astimezone(timezone).replace(tzinfo=None) == wanted:
        return found
    earliest = wanted.replace(tzinfo=timezone, fold=1).astimezone(UTC)
    skipped = range((found - earliest) // timedelta(seconds=1) + 1)

    def shown(seconds: int) -> bool:
        at = earliest + timedelta(seconds=seconds)
        return at.astimezone(timezone).replace(tzinfo=None) >= wanted

    return earliest + timedelta(seconds=bisect_left(skipped, True, key=shown))


@dataclass(frozen=True, slots=True)
class Holidays:
    """Public holidays: days named one by one, and those of a country by the library `holidays`.

    `country` is an ISO 3166 alpha-2 code, None for none; `subdivision` the library's code of a part
    of it, None for what the whole country keeps.
    """

    dates: frozenset[date] = frozenset()
    country: str | None = None
    subdivision: str | None = None

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Holidays":
        """Those of `{"holidays": ["2026-12-25"], "holidays_of": {"country", "subdivision"}}`, both
        optional; ValueError, KeyError or TypeError otherwise."""
        dates = frozenset(_day(one) for one in data.get("holidays", ()))
        of = data.get("holidays_of")
        if of is None:
            return cls(dates)
        if not isinstance(of, Mapping) or set(of) - {"country", "subdivision"}:
            raise ValueError('“holidays_of” reads {"country": "GB", "subdivision": "ENG"}')
        found = cls(dates, of["country"], of.get("subdivision"))
        _library(found.country, found.subdivision)
        return found

    def __contains__(self, day: date) -> bool:
        return self.name(day) is not None

    def __bool__(self) -> bool:
        return bool(self.dates) or self.country is not None

    def name(self, day: date) -> str | None:
        """What the holiday on `day` is called, None where there is none."""
        if day in self.dates:
            return "a holiday of this site"
        if self.country is None:
            return None
        return _library(self.country, self.subdivision).get(day)

    @property
    def versions(self) -> tuple[str, ...]:
        """The rule version a verdict that used them carries: a newer library may know more."""
        if self.country is None:
            return ()
        where = "-".join(filter(None, (self.country, self.subdivision)))
        return (f"holidays/{where}/{_library_version()}",)


def _day(text: Any) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError("a holiday reads 2026-12-25") from error


@lru_cache(maxsize=1)
def _library_version() -> str:
    return metadata.version("holidays")


@lru_cache(maxsize=64)
def _library(country: str | None, subdivision: str | None) -> "HolidayBase":
    import holidays

    try:
        return holidays.country_holidays(str(country), subdiv=subdivision, language="en_US")
    except NotImplementedError as error:
        raise ValueError("no such country or part of it is known to have holidays") from error


def read_error(error: Exception) -> str:
    """What is wrong with a rule that can't be read, in words of its data rather than of Python."""
    if isinstance(error, RuleError):
        return error.sentence
    if isinstance(error, KeyError):
        return f"“{error.args[0]}” is missing."
    if isinstance(error, ValueError) and error.args:
        text = str(error)
        return f"{text[:1].upper()}{text[1:]}."
    return "Something has the wrong shape."
