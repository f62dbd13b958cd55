"""Charging zones: when a read is charged, for which day, and until when that day can be paid.

One charge per local calendar day with a read inside the window; in a 24 h zone reads on both sides
of midnight are two charges (domain-rules.md, 3).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .calendars import day_start, zone_of
from .facts import Right, RuleError
from .outcomes import RightKind

_PAY_UNTIL = re.compile(r"P(\d{1,3})D midnight")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Window:
    """A zone's charging window on the clocks of `timezone`.

    `days` are ISO weekdays (1 Monday to 7 Sunday). `opens` is inclusive, `closes` exclusive, None
    for the end of the day (24:00); a window that closes when it opens runs round the clock, one
    that closes earlier runs over midnight, and each hour belongs to the calendar day it falls on.
    `holidays` are never charged. A charged day can be paid until 24:00 of the `pay_days`-th day
    after it.
    """

    timezone: ZoneInfo
    days: frozenset[int]
    opens: time
    closes: time | None
    holidays: frozenset[date]
    pay_days: int
    version: str = "window/default"

    @classmethod
    def from_data(
        cls, data: Mapping[str, Any], timezone: str, version: str = "window/default"
    ) -> "Window":
        """A window of scenario.md's shape; `RuleError` `window-malformed` otherwise."""
        try:
            days = frozenset(data["days"])
            pay_until = _PAY_UNTIL.fullmatch(data["pay_until"])
            window = cls(
                timezone=zone_of(timezone),
                days=days,
                opens=_clock(data["from"]),
                closes=None if data["to"] == "24:00" else _clock(data["to"]),
                holidays=frozenset(date.fromisoformat(one) for one in data.get("holidays", ())),
                pay_days=int(pay_until.group(1)) if pay_until else -1,
                version=version,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RuleError("window-malformed", f"The window can't be read: {error!r}.") from error
        if not days <= set(range(1, 8)) or window.pay_days < 0:
            raise RuleError(
                "window-malformed", "Days are 1 to 7; pay_until reads like 'P3D midnight'."
            )
        return window

    def charged_day(self, at: datetime) -> date | None:
        """The local day that a read captured at `at` is charged for, None outside the window."""
        local = at.astimezone(self.timezone)
        day, clock = local.date(), local.time()
        if day.isoweekday() not in self.days or day in self.holidays:
            return None
        if self.closes is None:
            inside = clock >= self.opens
        elif self.opens < self.closes:
            inside = self.opens <= clock < self.closes
        else:
            inside = clock >= self.opens or clock < self.closes
        return day if inside else None

    def deadline(self, day: date) -> datetime:
        """The instant until which `day` can be paid, inclusive, in UTC."""
        return day_start(day + timedelta(days=self.pay_days + 1), self.timezone)


def zone_payment(
    *,
    id: str,
    plate: str,
    country: str | None,
    day: date,
    timezone: ZoneInfo,
    known_at: datetime | None = None,
    version: int = 1,
) -> Right:
    """A payment for one local calendar day, as a `Right` over that day."""
    return Right(
        id=id,
        kind=RightKind.ZONE_PAYMENT,
        plates=(plate,),
        country=country,
        start=day_start(day, timezone),
        end=day_start(day + timedelta(days=1), timezone),
        version=version,
        known_at=known_at,
    )


def _clock(text: str) -> time:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise ValueError("a time of day reads HH:MM")
    return time(int(found.group(1)), int(found.group(2)))
