"""Vignette schemes as data, and the calendar that turns a purchase into an interval.

Validity is computed on the calendar of the scheme's time zone and handed out in UTC: a day is a
calendar day of 23, 24 or 25 hours, never 24 h (domain-rules.md, 1 and 2). The four schemes that
ship are `schemes.json`; an operator's own has the same shape.
"""

import json
import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .facts import Right, RuleError
from .outcomes import RightKind


def day_start(day: date, timezone: ZoneInfo) -> datetime:
    """The first instant of a local calendar day, in UTC; also where clocks skip its midnight."""
    return datetime.combine(day, time.min, tzinfo=timezone).astimezone(UTC)


def zone_of(name: str) -> ZoneInfo:
    """The named IANA time zone; `RuleError` `unknown-timezone`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RuleError("unknown-timezone", "There is no such time zone.") from error


def months_later(day: date, months: int) -> date:
    """The same-numbered day `months` later, or that month's last day where it has none."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True, slots=True)
class YearDay:
    """A day counted from a named calendar year: `years` added to it, then `month` and `day`."""

    years: int
    month: int
    day: int

    def of(self, year: int) -> date:
        return date(year + self.years, self.month, self.day)


@dataclass(frozen=True, slots=True)
class Product:
    """How long one product of a scheme runs.

    `span` is `days` (`count` calendar days, the first included), `months` (to the same-numbered day
    `count` months later, else that month's last day; that day included), `year` (to the day before
    the same date next year) or `named-year` (from `first` to `last`, both included, of the calendar
    year named with the right).
    """

    span: str
    count: int = 0
    first: YearDay | None = None
    last: YearDay | None = None

    def days(self, first_day: date | None, year: int | None) -> tuple[date, date]:
        """The first day and the last, inclusive; `RuleError` where one cannot be told."""
        try:
            if self.first is not None and self.last is not None:
                if year is None:
                    raise RuleError("year-needed", "This product belongs to a year: name it.")
                return self.first.of(year), self.last.of(year)
            if first_day is None:
                raise RuleError("first-day-needed", "This product counts from a day: name it.")
            return first_day, self._last_from(first_day)
        except (ValueError, OverflowError) as error:
            raise RuleError("date-out-of-range", "There is no such date.") from error

    def _last_from(self, first_day: date) -> date:
        if self.span == "days":
            return first_day + timedelta(days=self.count - 1)
        if self.span == "months":
            return months_later(first_day, self.count)
        if (first_day.month, first_day.day) == (2, 29):
            return date(first_day.year + 1, 2, 28)
        return date(first_day.year + 1, first_day.month, first_day.day) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SchemeExemption:
    """Vehicles that a scheme exempts by itself; `countries` None means of any country.

    They are told by their category or, since few cameras know one, by the `series` of their plates
    (full matches of canonical text). `code` is the explanation's: `exempt-by-scheme` or
    `toll-instead`.
    """

    categories: frozenset[str]
    countries: frozenset[str] | None
    code: str
    series: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """One version of a scheme, in force from `effective_from` until the next version's.

    `heal` is how long before its purchase a right still counts; `advance_months` how far ahead a
    first day may lie (None: any). `counts_as` maps a category to the one it pays as.
    """

    code: str
    timezone: ZoneInfo
    effective_from: datetime
    products: Mapping[str, Product]
    heal: timedelta
    advance_months: int | None
    counts_as: Mapping[str, str]
    exemptions: tuple[SchemeExemption, ...]

    @property
    def version_name(self) -> str:
        return f"{self.code}/{self.effective_from.date().isoformat()}"

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Scheme":
        """A scheme of the shape of `schemes.json`'s; `RuleError` `scheme-malformed` otherwise."""
        try:
            rules = data["rules"]
            effective_from = data["effective_from"]
            if isinstance(effective_from, str):
                effective_from = datetime.fromisoformat(effective_from)
            scheme = cls(
                code=data["code"],
                timezone=zone_of(data["timezone"]),
                effective_from=effective_from,
                products={name: _product(one) for name, one in rules["products"].items()},
                heal=timedelta(minutes=rules.get("heal_min", 0)),
                advance_months=rules.get("advance_months"),
                counts_as=dict(rules.get("counts_as", {})),
                exemptions=tuple(_exemption(one) for one in rules.get("exemptions", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RuleError("scheme-malformed", f"The scheme can't be read: {error!r}.") from error
        if scheme.effective_from.tzinfo is None or scheme.heal < timedelta(0):
            raise RuleError(
                "scheme-malformed", "The scheme needs an offset and a sane healing time."
            )
        return scheme

    def same_category(self, one: str, other: str) -> bool:
        """True where the two categories pay alike."""
        return self.counts_as.get(one, one) == self.counts_as.get(other, other)

    def exemption(self, category: str, country: str | None, text: str = "") -> str | None:
        """The code of the automatic exemption of such a vehicle, None where it has none.

        `text` is its canonical plate; one of an exempt series gives `exempt-by-series`.
        """
        for exemption in self.exemptions:
            if exemption.countries is not None and country not in exemption.countries:
                continue
            if category in exemption.categories:
                return exemption.code
            if any(series.fullmatch(text) for series in exemption.series):
                return "exempt-by-series"
        return None

    def right(
        self,
        *,
        id: str,
        plate: str,
        country: str | None,
        category: str,
        product: str,
        first_day: date | None = None,
        bought_at: datetime | None = None,
        year: int | None = None,
        scope: str | None = None,
        known_at: datetime | None = None,
        version: int = 1,
    ) -> Right:
        """The vignette as a `Right`: what to store is its `start`, `end` and `healed_from`.

        It runs from the later of its first day's first instant and the purchase, to the end of its
        last day; bought after that, it is empty. `bought_at` None: bought before it began.
        Raises `RuleError` (`unknown-product`, `year-needed`, `first-day-needed`,
        `date-out-of-range`, `right-naive-time`).
        """
        if product not in self.products:
            raise RuleError("unknown-product", f"{self.code} has no such product.")
        first, last = self.products[product].days(first_day, year)
        try:
            begins = day_start(first, self.timezone)
            end = day_start(last + timedelta(days=1), self.timezone)
        except OverflowError as error:
            raise RuleError("date-out-of-range", "There is no such date.") from error
        healed_from = None
        start = begins
        if bought_at is not None:
            if bought_at.tzinfo is None:
                raise RuleError("right-naive-time", "A right's times must carry their offset.")
            start = min(max(begins, bought_at.astimezone(UTC)), end)
            if self.heal and bought_at >= begins:
                healed_from = bought_at.astimezone(UTC) - self.heal
        return Right(
            id=id,
            kind=RightKind.VIGNETTE,
            plates=(plate,),
            country=country,
            start=start,
            end=end,
            version=version,
            known_at=known_at,
            category=category,
            scheme=self.code,
            scope=scope,
            healed_from=healed_from,
        )

    def check_advance(self, product: str, first_day: date, bought_at: datetime) -> None:
        """Refuse a first day further ahead of its purchase than the scheme sells.

        Of a product that belongs to a named year the first day plays no part. `RuleError`
        `first-day-too-far`. For whoever sells; a state's own registry is believed.
        """
        if self.advance_months is None or self.products[product].first is not None:
            return
        bought_on = bought_at.astimezone(self.timezone).date()
        if first_day > months_later(bought_on, self.advance_months):
            raise RuleError(
                "first-day-too-far",
                f"The first day may lie at most {self.advance_months} months ahead.",
            )


def scheme_at(schemes: Iterable[Scheme], code: str, at: datetime) -> Scheme:
    """The version of the scheme in force at `at`; `RuleError` `unknown-scheme` where none is."""
    in_force = [one for one in schemes if one.code == code and one.effective_from <= at]
    if not in_force:
        raise RuleError("unknown-scheme", "No such scheme was in force at that time.")
    return max(in_force, key=lambda one: one.effective_from)


def scheme_data() -> list[dict[str, Any]]:
    """The schemes that ship, as data."""
    text = Path(__file__).with_name("schemes.json").read_text(encoding="utf-8")
    data: list[dict[str, Any]] = json.loads(text)
    return data


def load_schemes() -> tuple[Scheme, ...]:
    """The schemes that ship."""
    return tuple(Scheme.from_data(one) for one in scheme_data())


def _product(data: Mapping[str, Any]) -> Product:
    span = data["span"]
    if span in ("days", "months"):
        count = data["count"]
        if not isinstance(count, int) or count < 1:
            raise ValueError("a product's count must be a whole number above 0")
        return Product(span, count=count)
    if span == "year":
        return Product(span)
    if span == "named-year":
        product = Product(span, first=YearDay(**data["first"]), last=YearDay(**data["last"]))
        # A common year: a 29 February would pass in a leap year, and fail three years of four.
        first, last = product.days(None, 2027)
        if last < first:
            raise ValueError("a product's year ends before it starts")
        return product
    raise ValueError("a product's span must be days, months, year or named-year")


def _exemption(data: Mapping[str, Any]) -> SchemeExemption:
    countries = data["countries"]
    if data["code"] not in ("exempt-by-scheme", "toll-instead"):
        raise ValueError("an exemption's code is exempt-by-scheme or toll-instead")
    try:
        series = tuple(re.compile(one) for one in data.get("series", ()))
    except re.error as error:
        raise ValueError("an exemption's series is a regular expression") from error
    return SchemeExemption(
        categories=frozenset(data["categories"]),
        countries=None if countries is None else frozenset(countries),
        code=data["code"],
        series=series,
    )
