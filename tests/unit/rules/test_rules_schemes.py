"""Schemes as data: every word of it counts, and what cannot be meant is refused in a sentence."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from enforcement.rights.calendars import (
    Product,
    Scheme,
    SchemeExemption,
    YearDay,
    load_schemes,
    scheme_at,
    scheme_data,
    zone_of,
)
from enforcement.rights.facts import RuleError


def czech(**rules: Any) -> dict[str, Any]:
    scheme = next(one for one in scheme_data() if one["code"] == "CZ")
    return {**scheme, "rules": {**scheme["rules"], **rules}}


EVERYONE = {"categories": ["bus"], "countries": None, "code": "exempt-by-scheme"}


def shipped(code: str) -> Scheme:
    return next(scheme for scheme in load_schemes() if scheme.code == code)


def annual(**days: Any) -> dict[str, Any]:
    span = {"span": "named-year", "first": {"years": 0, "month": 1, "day": 1}, **days}
    return czech(products={"annual": span})


def test_the_shipped_schemes_say_what_the_table_says() -> None:
    assert {scheme.code for scheme in load_schemes()} == {"CZ", "SK", "AT", "HU"}
    assert shipped("CZ").products == {
        "1-day": Product("days", 1),
        "10-day": Product("days", 10),
        "month": Product("days", 30),
        "annual": Product("year"),
    }
    assert shipped("SK").products == {
        "1-day": Product("days", 1),
        "10-day": Product("days", 10),
        "month": Product("days", 30),
        "annual": Product("days", 365),
    }
    assert shipped("AT").products == {
        "1-day": Product("days", 1),
        "10-day": Product("days", 10),
        "month": Product("months", 2),
        "annual": Product("named-year", 0, YearDay(-1, 12, 1), YearDay(1, 1, 31)),
    }
    assert shipped("HU").products == {
        "1-day": Product("days", 1),
        "10-day": Product("days", 10),
        "month": Product("months", 1),
        "annual": Product("named-year", 0, YearDay(0, 1, 1), YearDay(1, 1, 31)),
    }
    heals = {scheme.code: scheme.heal for scheme in load_schemes()}
    assert heals == {
        "CZ": timedelta(0),
        "SK": timedelta(0),
        "AT": timedelta(0),
        "HU": timedelta(minutes=60),
    }
    advance = {scheme.code: scheme.advance_months for scheme in load_schemes()}
    assert advance == {"CZ": 3, "SK": None, "AT": None, "HU": None}


def test_exemptions_are_for_whom_they_name() -> None:
    assert shipped("CZ").exemptions == (
        SchemeExemption(
            frozenset({"electric", "hydrogen", "historic"}),
            frozenset({"CZ"}),
            "exempt-by-scheme",
            (re.compile(r"EL\d{3}[A-Z]{2}"), re.compile(r"\d{2}V\d{4}")),
        ),
        SchemeExemption(frozenset({"over-3.5t"}), None, "toll-instead"),
    )
    assert not shipped("SK").exemptions


def test_a_plate_that_is_not_told_is_of_no_series() -> None:
    scheme = Scheme.from_data(czech(exemptions=[{**EVERYONE, "series": [".+"]}]))
    assert scheme.exemption("car", "CZ") is None
    assert scheme.exemption("car", "CZ", "1AB2345") == "exempt-by-series"
    assert scheme.exemption("bus", "CZ") == "exempt-by-scheme"


def test_categories_that_pay_alike_do_so_both_ways() -> None:
    scheme = shipped("SK")
    assert scheme.same_category("car", "electric")
    assert scheme.same_category("electric", "car")
    assert scheme.same_category("historic", "hydrogen")
    assert not scheme.same_category("trailer", "car")
    assert scheme.same_category("trailer", "trailer")


def test_a_right_keeps_what_was_sold() -> None:
    known_at = datetime(2026, 3, 1, tzinfo=UTC)
    right = shipped("HU").right(
        id="v7",
        plate="ABC123",
        country="HU",
        category="car",
        product="10-day",
        first_day=date(2026, 3, 2),
        scope="county-3",
        known_at=known_at,
        version=4,
    )
    assert (right.id, right.plates, right.country) == ("v7", ("ABC123",), "HU")
    assert (right.category, right.scheme, right.scope) == ("car", "HU", "county-3")
    assert (right.known_at, right.version) == (known_at, 4)


def test_intervals_are_handed_out_in_utc() -> None:
    right = shipped("HU").right(
        id="v",
        plate="ABC123",
        country="HU",
        category="car",
        product="1-day",
        first_day=date(2026, 3, 2),
        bought_at=datetime.fromisoformat("2026-03-02T10:00:00+05:30"),
    )
    assert right.start.tzinfo is UTC
    assert right.end.tzinfo is UTC
    assert right.healed_from is not None
    assert right.healed_from.tzinfo is UTC


@pytest.mark.parametrize(
    ("bought_at", "first_allowed"),
    [
        # three months after a purchase that is on the next day already where the scheme lives
        ("2026-01-31T23:30:00+00:00", "2026-05-01"),
        ("2026-01-31T22:30:00+00:00", "2026-04-30"),
    ],
)
def test_the_day_of_a_purchase_is_the_schemes(bought_at: str, first_allowed: str) -> None:
    last = date.fromisoformat(first_allowed)
    scheme, bought = shipped("CZ"), datetime.fromisoformat(bought_at)
    scheme.check_advance("10-day", last, bought)
    with pytest.raises(RuleError):
        scheme.check_advance("10-day", last + timedelta(days=1), bought)


COUNT = 'ValueError("a product\'s count must be a whole number above 0")'
CODE = 'ValueError("an exemption\'s code is exempt-by-scheme or toll-instead")'
SERIES = 'ValueError("an exemption\'s series is a regular expression")'
SPAN = 'ValueError("a product\'s span must be days, months, year or named-year")'


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ({"products": {"a": {"span": "days", "count": 0}}}, COUNT),
        ({"products": {"a": {"span": "days", "count": "3"}}}, COUNT),
        ({"products": {"a": {"span": "months", "count": -1}}}, COUNT),
        ({"products": {"a": {"span": "fortnight"}}}, SPAN),
        ({"products": {"a": {"count": 3}}}, "KeyError('span')"),
        ({"exemptions": [{"categories": ["electric"]}]}, "KeyError('countries')"),
        ({"exemptions": [{**EVERYONE, "code": "because"}]}, CODE),
        ({"exemptions": [{**EVERYONE, "series": ["("]}]}, SERIES),
    ],
)
def test_a_malformed_scheme_is_refused_at_its_place(rules: dict[str, Any], what: str) -> None:
    with pytest.raises(RuleError) as refused:
        Scheme.from_data(czech(**rules))
    assert refused.value.code == "scheme-malformed"
    assert refused.value.sentence == f"The scheme can't be read: {what}."


def test_a_year_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(RuleError, match=r"ValueError\(.a product's year ends before it starts.\)"):
        Scheme.from_data(annual(last={"years": -1, "month": 12, "day": 31}))
    one_day = Scheme.from_data(annual(last={"years": 0, "month": 1, "day": 1}))
    assert one_day.products["annual"].days(None, 2026) == (date(2026, 1, 1), date(2026, 1, 1))


def test_a_named_year_needs_no_first_day_and_a_counted_product_no_year() -> None:
    assert shipped("AT").products["annual"].days(None, 2026) == (
        date(2025, 12, 1),
        date(2027, 1, 31),
    )
    assert shipped("CZ").products["month"].days(date(2026, 3, 2), None)[1] == date(2026, 3, 31)


REFUSALS: dict[str, Callable[[], object]] = {
    "unknown-timezone": lambda: zone_of("Europe/Atlantis"),
    "year-needed": lambda: shipped("AT").products["annual"].days(date(2026, 1, 1), None),
    "first-day-needed": lambda: shipped("CZ").products["annual"].days(None, 2026),
    "date-out-of-range": lambda: shipped("AT").products["annual"].days(None, 0),
    "right-naive-time": lambda: shipped("CZ").right(
        id="v",
        plate="1AB2345",
        country="CZ",
        category="car",
        product="1-day",
        first_day=date(2026, 3, 2),
        bought_at=datetime(2026, 3, 2),  # noqa: DTZ001
    ),
    "unknown-product": lambda: shipped("CZ").right(
        id="v", plate="1AB2345", country="CZ", category="car", product="weekly"
    ),
    "first-day-too-far": lambda: shipped("CZ").check_advance(
        "1-day", date(2027, 1, 1), datetime(2026, 3, 2, tzinfo=UTC)
    ),
    "unknown-scheme": lambda: scheme_at(load_schemes(), "XX", datetime(2026, 3, 2, tzinfo=UTC)),
    "scheme-malformed": lambda: Scheme.from_data(czech(heal_min=-1)),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_has_its_code_and_a_sentence(code: str) -> None:
    with pytest.raises(RuleError) as refused:
        REFUSALS[code]()
    sentence = refused.value.sentence
    assert refused.value.code == code
    assert sentence.endswith(".")
    assert not sentence.isupper()
    assert sentence[0].isupper()


def test_the_last_calendar_day_there_is_has_no_day_after() -> None:
    with pytest.raises(RuleError, match="no such date") as refused:
        shipped("CZ").right(
            id="v",
            plate="1AB2345",
            country="CZ",
            category="car",
            product="1-day",
            first_day=date(9999, 12, 31),
        )
    assert refused.value.sentence == "There is no such date."
