"""Days are counted by the scheme's law: the last day exactly, and not one day more."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement.cases.deadlines import (
    SCHEMES,
    Channel,
    NoticeDates,
    Terms,
    UnknownCalendar,
    delivered_on,
    last_issue_day,
    notice_dates,
    workdays,
    working_days_after,
)


def terms(code: str, **changed: object) -> Terms:
    scheme = SCHEMES[code]
    made = Terms(
        scheme=scheme,
        country=scheme.country,
        region=scheme.region,
        issue_days=scheme.issue_days,
        discount_days=scheme.discount_days,
        due_days=scheme.due_days,
        appeal_days=scheme.appeal_days,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


UK = terms("uk-postal")


@pytest.mark.parametrize(
    ("posted", "delivered"),
    [
        (date(2026, 3, 2), date(2026, 3, 4)),  # Monday to Wednesday
        (date(2026, 3, 5), date(2026, 3, 9)),  # Thursday: Friday, Monday
        (date(2026, 3, 6), date(2026, 3, 10)),  # Friday: Monday, Tuesday
        (date(2026, 3, 7), date(2026, 3, 10)),  # Saturday counts like Friday
        (date(2026, 4, 2), date(2026, 4, 8)),  # Good Friday and Easter Monday between
        (date(2026, 12, 24), date(2026, 12, 30)),  # Boxing Day's substitute is Monday the 28th
    ],
)
def test_uk_post_is_delivered_on_the_second_working_day(posted: date, delivered: date) -> None:
    assert delivered_on(UK, posted, Channel.PRINT) == delivered


def test_mail_is_delivered_at_once() -> None:
    assert delivered_on(UK, date(2026, 4, 2), Channel.EMAIL) == date(2026, 4, 2)


@pytest.mark.parametrize(
    ("ended", "last"),
    [
        # fourteen days beginning with the day after Monday the 2nd end on Monday the 16th; what is
        # posted on Thursday the 12th arrives on it, on Friday the 13th a day late
        (date(2026, 3, 2), date(2026, 3, 12)),
        # to arrive by Tuesday the 17th: posted on Friday, Saturday or Sunday alike
        (date(2026, 3, 3), date(2026, 3, 15)),
        # to arrive by Easter Tuesday, the 7th of April: Thursday would make it Wednesday
        (date(2026, 3, 24), date(2026, 4, 1)),
    ],
)
def test_a_uk_notice_is_posted_so_that_it_arrives_within_fourteen_days(
    ended: date, last: date
) -> None:
    assert last_issue_day(UK, ended, Channel.PRINT) == last
    within = ended + timedelta(days=14)
    assert delivered_on(UK, last, Channel.PRINT) <= within
    assert delivered_on(UK, last + timedelta(days=1), Channel.PRINT) > within
    assert last_issue_day(UK, ended, Channel.EMAIL) == within


def test_uk_discount_and_due_run_from_the_day_after_delivery() -> None:
    assert notice_dates(UK, date(2026, 3, 6), Channel.PRINT) == NoticeDates(
        issued_on=date(2026, 3, 6),
        delivered_on=date(2026, 3, 10),
        discount_until=date(2026, 3, 24),
        due_on=date(2026, 4, 7),
        appeal_until=date(2026, 4, 7),
    )


def test_a_czech_last_day_moves_off_a_holiday_and_a_weekend() -> None:
    # delivered on Saturday the 18th of April; the fifteenth day is Sunday the 3rd of May
    found = notice_dates(terms("cz"), date(2026, 4, 8), Channel.PRINT)
    assert found.delivered_on == date(2026, 4, 18)
    assert found.due_on == date(2026, 5, 4)
    assert found.discount_until is None
    # the fifteenth day is Friday, the 8th of May, a holiday: Monday it is
    assert notice_dates(terms("cz"), date(2026, 4, 13), Channel.PRINT).due_on == date(2026, 5, 11)


def test_calendar_days_count_from_issue_and_move_for_nobody() -> None:
    found = notice_dates(terms("calendar"), date(2026, 4, 4), Channel.PRINT)
    assert (found.delivered_on, found.discount_until, found.due_on) == (
        date(2026, 4, 4),
        date(2026, 4, 18),
        date(2026, 5, 2),
    )
    assert last_issue_day(terms("calendar"), date(2026, 4, 4), Channel.PRINT) is None
    limited = terms("calendar", issue_days=30)
    assert last_issue_day(limited, date(2026, 4, 4), Channel.PRINT) == date(2026, 5, 4)


def test_a_regions_own_holiday_counts_there_alone() -> None:
    corpus_christi = date(2026, 6, 4)  # a Thursday; a holiday in Bavaria, not in Berlin
    assert working_days_after(date(2026, 6, 3), 1, workdays("DE", "BY")) == date(2026, 6, 5)
    assert working_days_after(date(2026, 6, 3), 1, workdays("DE", "BE")) == corpus_christi
    bavaria = terms("de", region="BY", due_days=1)
    assert notice_dates(bavaria, date(2026, 6, 3), Channel.EMAIL).due_on == date(2026, 6, 5)


def test_without_a_country_only_weekends_are_free() -> None:
    assert working_days_after(date(2026, 12, 24), 1, workdays("")) == date(2026, 12, 25)
    assert working_days_after(date(2026, 12, 25), 1, workdays("")) == date(2026, 12, 28)
    assert working_days_after(date(2026, 12, 26), 0, workdays("")) == date(2026, 12, 26)


@pytest.mark.parametrize(("country", "region"), [("XX", ""), ("DE", "ZZ")])
def test_a_country_without_a_calendar_is_told(country: str, region: str) -> None:
    with pytest.raises(UnknownCalendar, match=country):
        workdays(country, region)


@pytest.mark.parametrize("code", list(SCHEMES))
@given(issued=st.dates(date(2020, 1, 1), date(2030, 12, 31)), channel=st.sampled_from(Channel))
def test_no_day_lies_before_the_one_it_follows(code: str, issued: date, channel: Channel) -> None:
    found = notice_dates(terms(code), issued, channel)
    assert found.issued_on <= found.delivered_on <= found.due_on
    assert found.due_on >= found.issued_on + timedelta(days=SCHEMES[code].due_days)
    if found.discount_until is not None:
        assert found.delivered_on <= found.discount_until <= found.due_on
    later = notice_dates(terms(code), issued + timedelta(days=1), channel)
    assert later.due_on >= found.due_on


@given(ended=st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_the_last_day_to_post_is_the_last(ended: date) -> None:
    last = last_issue_day(UK, ended, Channel.PRINT)
    assert last is not None
    within = ended + timedelta(days=14)
    assert delivered_on(UK, last, Channel.PRINT) <= within
    assert delivered_on(UK, last + timedelta(days=1), Channel.PRINT) > within
