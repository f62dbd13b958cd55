"""A parking tariff, once as the product is told it, once as a driver reads the sign."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from enforcement.rights.tariffs import Tariff

ZONE: Final = ZoneInfo("Europe/London")
OPENS: Final = 8
CLOSES: Final = 20
HOLIDAYS: Final = (date(2028, 3, 1), date(2028, 10, 2))

DATA: Final[dict[str, Any]] = {
    "bands": [
        {
            "name": "day",
            "days": [1, 2, 3, 4, 5, 6],
            "from": "08:00",
            "to": "20:00",
            "steps": [{"minutes": 60, "amount": 150}],
        },
        {
            "name": "night",
            "days": [1, 2, 3, 4, 5, 6],
            "from": "20:00",
            "to": "08:00",
            "free": True,
        },
        {
            "name": "Sundays and holidays",
            "days": [7, "holiday"],
            "from": "00:00",
            "to": "24:00",
            "free": True,
        },
    ],
    "holidays": [day.isoformat() for day in HOLIDAYS],
    "first_free_min": 30,
    "first_free": "short-stays",
    "daily_cap": 1200,
}


def tariff() -> Tariff:
    """As the product reads it."""
    return Tariff.from_data(
        DATA, timezone="Europe/London", currency="GBP", version="tariff/justice"
    )


def charged(at: datetime) -> bool:
    """The sign: Monday to Saturday, 8 to 20 by the clock on the wall, but not on holidays."""
    local = at.astimezone(ZONE)
    return local.isoweekday() < 7 and local.date() not in HOLIDAYS and OPENS <= local.hour < CLOSES


def charged_time(start: datetime, end: datetime) -> timedelta:
    """How much of `[start, end)` costs something, counted by tens of seconds."""
    tick = timedelta(seconds=10)
    ticks = int((end - start) / tick)
    return tick * sum(charged(start + n * tick) for n in range(ticks))


def evening(at: datetime) -> datetime:
    """When charging ends on the local day of `at`."""
    local = at.astimezone(ZONE).replace(hour=CLOSES, minute=0, second=0, microsecond=0)
    return local.astimezone(at.tzinfo)
