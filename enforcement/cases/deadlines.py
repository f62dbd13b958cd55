"""Deadlines of a notice: until when it may go out, be paid and be appealed. Pure.

All days are calendar days of the site's time zone; a last day counts whole. Schemes are data: the
ones below ship, and a site's policy may name other numbers than theirs.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Protocol

import holidays

ONE_DAY = timedelta(days=1)
_LONGEST_RUN = 60
"""No country has this many days without work in a row: an end for the search."""


class Channel(StrEnum):
    """How a notice reaches the addressee."""

    PRINT = "print"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class DeadlineScheme:
    """How a country's law counts. `issue_days`: within so many days beginning with the day after
    the violation the notice must be given (None: no such limit); `given` says whether that means
    delivered or sent. Post counts as delivered `post_days` after posting, working days if
    `post_working`; e-mail at once. The times to pay and to appeal begin with the day after
    delivery (`from_delivery`) or after issue; a last day that is no working day moves to the next
    one where `rolls`. `source`: the text it was taken from."""

    code: str
    name: str
    country: str
    region: str
    issue_days: int | None
    given_is_delivered: bool
    post_days: int
    post_working: bool
    from_delivery: bool
    rolls: bool
    discount_days: int
    due_days: int
    appeal_days: int
    source: str


@dataclass(frozen=True, slots=True)
class Terms:
    """A scheme with a site's own numbers. `country`, `region`: whose public holidays count
    (ISO 3166), "" for none but Saturday and Sunday."""

    scheme: DeadlineScheme
    country: str
    region: str
    issue_days: int | None
    discount_days: int
    due_days: int
    appeal_days: int


@dataclass(frozen=True, slots=True)
class NoticeDates:
    """The days printed on a notice; each the last on which the thing may still be done."""

    issued_on: date
    delivered_on: date
    discount_until: date | None
    due_on: date
    appeal_until: date


class Workdays(Protocol):
    """What is asked of a calendar of public holidays."""

    def is_working_day(self, key: date) -> bool:
        """Whether people work on this day."""


class UnknownCalendar(ValueError):
    """No public holidays are known of this country or region."""


class _Weekends:
    def is_working_day(self, key: date) -> bool:
        return key.weekday() < 5


@cache
def workdays(country: str, region: str = "") -> Workdays:
    """The working days of a country (ISO 3166) or a region of it; of "": Monday to Friday.

    UnknownCalendar where the library `holidays` has none.
    """
    if not country:
        return _Weekends()
    try:
        found: Workdays = holidays.country_holidays(country, subdiv=region or None)
    except NotImplementedError as error:
        raise UnknownCalendar(f"no calendar of {country} {region}".rstrip()) from error
    return found


def working_days_after(day: date, count: int, calendar: Workdays) -> date:
    """The `count`-th working day after `day` (`day` itself for 0)."""
    for _ in range(count):
        day = _next_working(day + ONE_DAY, calendar)
    return day


def _next_working(day: date, calendar: Workdays) -> date:
    for _ in range(_LONGEST_RUN):
        if calendar.is_working_day(day):
            return day
        day += ONE_DAY
    raise UnknownCalendar("a calendar without working days")


def delivered_on(terms: Terms, issued: date, channel: Channel) -> date:
    """The day a notice issued on this day counts as delivered."""
    scheme = terms.scheme
    if channel is Channel.EMAIL or scheme.post_days == 0:
        return issued
    if scheme.post_working:
        return working_days_after(issued, scheme.post_days, workdays(terms.country, terms.region))
    return issued + timedelta(days=scheme.post_days)


def last_issue_day(terms: Terms, ended: date, channel: Channel) -> date | None:
    """The last day on which a notice of what ended on `ended` may be issued; None: no limit.

    It may lie before `ended`, where post can't arrive in time at all.
    """
    if terms.issue_days is None:
        return None
    day = ended + timedelta(days=terms.issue_days)
    if not terms.scheme.given_is_delivered:
        return day
    last = day
    while delivered_on(terms, day, channel) > last:
        day -= ONE_DAY
    return day


def notice_dates(terms: Terms, issued: date, channel: Channel) -> NoticeDates:
    """The days that a notice issued on this day prints."""
    delivered = delivered_on(terms, issued, channel)
    start = delivered if terms.scheme.from_delivery else issued

    def last(days: int) -> date:
        day = start + timedelta(days=days)
        if terms.scheme.rolls:
            day = _next_working(day, workdays(terms.country, terms.region))
        return day

    return NoticeDates(
        issued_on=issued,
        delivered_on=delivered,
        discount_until=last(terms.discount_days) if terms.discount_days else None,
        due_on=last(terms.due_days),
        appeal_until=last(terms.appeal_days),
    )


SCHEMES: dict[str, DeadlineScheme] = {
    scheme.code: scheme
    for scheme in (
        DeadlineScheme(
            code="uk-postal",
            name="United Kingdom: postal notice to keeper",
            country="GB",
            region="ENG",
            issue_days=14,
            given_is_delivered=True,
            post_days=2,
            post_working=True,
            from_delivery=True,
            rolls=False,
            discount_days=14,
            due_days=28,
            appeal_days=28,
            source="Protection of Freedoms Act 2012, schedule 4, paragraph 9(4)–(6); BPA code",
        ),
        DeadlineScheme(
            code="cz",
            name="Czechia: delivered ten days after posting at the latest, fifteen to pay",
            country="CZ",
            region="",
            issue_days=None,
            given_is_delivered=False,
            post_days=10,
            post_working=False,
            from_delivery=True,
            rolls=True,
            discount_days=0,
            due_days=15,
            appeal_days=15,
            source="zákon 361/2000 Sb., § 125h; zákon 500/2004 Sb., § 24 and § 40",
        ),
        DeadlineScheme(
            code="de",
            name="Germany: delivered on the fourth day after posting, two weeks to object",
            country="DE",
            region="",
            issue_days=None,
            given_is_delivered=False,
            post_days=4,
            post_working=False,
            from_delivery=True,
            rolls=True,
            discount_days=0,
            due_days=14,
            appeal_days=14,
            source="VwVfG § 41 (2), BGB § 193, OWiG § 67",
        ),
        DeadlineScheme(
            code="at",
            name="Austria: delivered on the third working day after posting, four weeks to pay",
            country="AT",
            region="",
            issue_days=None,
            given_is_delivered=False,
            post_days=3,
            post_working=True,
            from_delivery=True,
            rolls=True,
            discount_days=0,
            due_days=28,
            appeal_days=14,
            source="ZustG § 26 (2), VStG § 49 and § 49a, AVG § 33",
        ),
        DeadlineScheme(
            code="calendar",
            name="Calendar days from the day of issue",
            country="",
            region="",
            issue_days=None,
            given_is_delivered=False,
            post_days=0,
            post_working=False,
            from_delivery=False,
            rolls=False,
            discount_days=14,
            due_days=28,
            appeal_days=28,
            source="ours",
        ),
    )
}
"""The schemes a site's policy chooses from, by code."""
