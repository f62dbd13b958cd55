"""What a stay costs: amounts falling due one after the other, capped, rounded and explained.

Amounts are in minor units of a currency (pence, haléř, cents); in between they are exact fractions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import groupby
from zoneinfo import ZoneInfo

MICROSECOND = timedelta(microseconds=1)

NO_MINOR_UNIT = ("CLP", "ISK", "JPY", "KRW", "PYG", "VND", "XAF", "XOF", "XPF")  # ISO 4217

Interval = tuple[datetime, datetime]


def money(amount: int, currency: str) -> str:
    """An amount of minor units as `12.50 GBP` (`1250 JPY`), for explanations and the admin."""
    if currency in NO_MINOR_UNIT:
        return f"{amount} {currency}"
    sign, whole = ("−" if amount < 0 else ""), abs(amount)
    return f"{sign}{whole // 100}.{whole % 100:02} {currency}"


def rounded(amount: Fraction, to: int, way: str) -> int:
    """`amount` as a multiple of `to`; `way` is `up`, `down` or `nearest` (halves up)."""
    units = amount / to
    if way == "up":
        return to * -(-units.numerator // units.denominator)
    if way == "nearest":
        units += Fraction(1, 2)
    return to * (units.numerator // units.denominator)


@dataclass(frozen=True, slots=True)
class Due:
    """One unit of a tariff's step: `amount` for being there over `[start, end)`.

    A unit is due when it starts, all of it; an `exact` one in proportion to the time.
    """

    band: str
    start: datetime
    end: datetime
    amount: Fraction
    exact: bool

    def paid_by(self, covered: Sequence[Interval]) -> Fraction:
        """How much of it stretches that are paid for, apart from each other, pay."""
        if not self.exact:
            return self.amount if any(a <= self.start < b for a, b in covered) else Fraction(0)
        inside = sum(
            (max(min(b, self.end) - max(a, self.start), timedelta(0)) for a, b in covered),
            timedelta(0),
        )
        return self.amount * ratio(inside, self.end - self.start)


def ratio(part: timedelta, whole: timedelta) -> Fraction:
    """`part` of `whole`, which is not zero."""
    return Fraction(part // MICROSECOND, whole // MICROSECOND)


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One line of a charge: `amount` in minor units, and why. The lines add up to the charge."""

    code: str
    amount: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Charge:
    """What a stay costs beyond what is paid already, in minor units, with its explanation.

    `free` are the stretches of the stay that cost nothing, apart from each other and in order.
    `outside` is True where the whole stay lies in hours that are never charged.
    """

    amount: int
    currency: str
    lines: tuple[ChargeLine, ...]
    free: tuple[Interval, ...]
    outside: bool
    version: str

    @property
    def free_time(self) -> timedelta:
        """How long it costs nothing."""
        return sum((end - start for start, end in self.free), timedelta(0))

    @property
    def text(self) -> str:
        """The amount with its currency."""
        return money(self.amount, self.currency)


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals in order, those that touch or overlap as one, the empty ones left out."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def owed(
    dues: Sequence[Due],
    covered: Sequence[Interval],
    *,
    cap: int | None,
    period: Callable[[datetime], int],
) -> tuple[Fraction, Fraction, Fraction]:
    """What the dues come to: all of them, what the cap takes off, and what is paid of the rest.

    `cap` is the most that one `period` costs. Paid time is worth what it alone would cost, so
    whoever paid a day up to its cap owes nothing more for that day.
    """
    total = capped = paid = Fraction(0)
    for _, group in groupby(dues, key=lambda due: period(due.start)):
        here = list(group)
        whole = sum((due.amount for due in here), Fraction(0))
        mine = sum((due.paid_by(covered) for due in here), Fraction(0))
        total += whole
        capped += whole if cap is None else min(whole, Fraction(cap))
        paid += mine if cap is None else min(mine, Fraction(cap))
    return total, total - capped, paid


Told = tuple[datetime, ChargeLine]
"""A line, and when what it speaks of begins."""


def due_lines(dues: Sequence[Due], timezone: ZoneInfo, currency: str) -> list[Told]:
    """A line for each run of units of one band at one price."""
    lines = []
    runs = groupby(dues, key=lambda due: (due.band, due.exact, None if due.exact else due.amount))
    for (band, exact, each), group in runs:
        run = list(group)
        amount = rounded(sum((due.amount for due in run), Fraction(0)), 1, "nearest")
        when = span(run[0].start, run[-1].end, timezone)
        if exact:
            how = "by the minute"
        else:
            how = f"{len(run)} × {money(rounded(each or Fraction(0), 1, 'nearest'), currency)}"
        lines.append((run[0].start, ChargeLine("band", amount, f"{band}, {when}: {how}.")))
    return lines


def span(start: datetime, end: datetime, timezone: ZoneInfo) -> str:
    """A stretch on the clocks of a place: its days are named once where they are one."""
    begins, ends = start.astimezone(timezone), end.astimezone(timezone)
    last = "%H:%M" if begins.date() == ends.date() else "%Y-%m-%d %H:%M"
    return f"{begins:%Y-%m-%d %H:%M} to {ends:{last}}"
