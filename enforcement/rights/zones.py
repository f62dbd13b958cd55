"""Charging zones: when a read is charged, for which day, and until when that day can be paid.

One charge per local calendar day with a read inside the window; in a 24 h zone reads on both sides
of midnight are two charges (domain-rules.md, 3).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .calendars import day_start, zone_of
from .facts import Right, RuleError
from .hours import Holidays, Hours, hours_of, read_error
from .outcomes import RightKind

_PAY_UNTIL = re.compile(r"P(\d{1,3})D midnight")


@dataclass(frozen=True, slots=True)
class Window:
    """A zone's charging window on the clocks of `timezone`: the `hours` it is charged in.

    `holidays` are never charged. A charged day can be paid until 24:00 of the `pay_days`-th day
    after it.
    """

    timezone: ZoneInfo
    hours: tuple[Hours, ...]
    holidays: Holidays
    pay_days: int
    version: str = "window/default"

    @property
    def versions(self) -> tuple[str, ...]:
        """The rule versions a verdict by this window carries."""
        return (self.version, *self.holidays.versions)

    @classmethod
    def from_data(
        cls, data: Mapping[str, Any], timezone: str, version: str = "window/default"
    ) -> "Window":
        """A window of scenario.md's shape; `RuleError` `window-malformed` otherwise.

        Instead of `days`, `from` and `to` it may have `hours`, a list of such; and beside
        `holidays`, `holidays_of` names a country (`hours.Holidays`).
        """
        try:
            pay_until = _PAY_UNTIL.fullmatch(data["pay_until"])
            if pay_until is None:
                raise ValueError("“pay_until” reads like “P3D midnight”")
            return cls(
                timezone=zone_of(timezone),
                hours=tuple(hours_of(one) for one in data.get("hours") or [data]),
                holidays=Holidays.from_data(data),
                pay_days=int(pay_until.group(1)),
                version=version,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            sentence = f"The window can't be read: {read_error(error)}"
            raise RuleError("window-malformed", sentence) from error

    def charged_day(self, at: datetime) -> date | None:
        """The local day that a read captured at `at` is charged for, None outside the window."""
        local = at.astimezone(self.timezone)
        day, clock = local.date(), local.time()
        inside = any(hours.hold(day.isoweekday(), clock) for hours in self.hours)
        return day if inside and day not in self.holidays else None

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
