"""Vignettes on the calendar: the last day counts to its midnight, a day is not 24 hours."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from enforcement.rights.calendars import (
    Scheme,
    day_start,
    load_schemes,
    months_later,
    scheme_at,
    scheme_data,
    zone_of,
)
from enforcement.rights.facts import Right, RuleError

SCHEMES = {scheme.code: scheme for scheme in load_schemes()}


def vignette(scheme: str, product: str, first_day: str | None = None, **more: Any) -> Right:
    return SCHEMES[scheme].right(
        id="v",
        plate="1A23456",
        country="CZ",
        category="car",
        product=product,
        first_day=date.fromisoformat(first_day) if first_day else None,
        **more,
    )


def local(text: str, code: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SCHEMES[code].timezone)


@pytest.mark.parametrize(
    ("scheme", "product", "first_day", "first", "after"),
    [
        # ordinary days
        ("CZ", "1-day", "2026-03-02", "2026-03-02", "2026-03-03"),
        ("CZ", "10-day", "2026-03-02", "2026-03-02", "2026-03-12"),
        ("CZ", "month", "2026-03-02", "2026-03-02", "2026-04-01"),  # 30 calendar days
        ("CZ", "annual", "2026-03-02", "2026-03-02", "2027-03-02"),
        ("SK", "1-day", "2026-03-02", "2026-03-02", "2026-03-03"),
        ("SK", "10-day", "2026-03-02", "2026-03-02", "2026-03-12"),
        ("SK", "month", "2026-03-02", "2026-03-02", "2026-04-01"),
        ("SK", "annual", "2026-03-02", "2026-03-02", "2027-03-02"),  # 365 days
        ("AT", "1-day", "2026-03-02", "2026-03-02", "2026-03-03"),
        ("AT", "10-day", "2026-03-02", "2026-03-02", "2026-03-12"),
        ("AT", "month", "2026-03-02", "2026-03-02", "2026-05-03"),  # two months
        ("HU", "1-day", "2026-03-02", "2026-03-02", "2026-03-03"),
        ("HU", "10-day", "2026-03-02", "2026-03-02", "2026-03-12"),  # first day + 9
        ("HU", "month", "2026-03-02", "2026-03-02", "2026-04-03"),  # same-numbered day included
        # leap days
        ("CZ", "annual", "2028-02-29", "2028-02-29", "2029-03-01"),  # to 28 February
        ("CZ", "annual", "2027-03-01", "2027-03-01", "2028-03-01"),  # to 29 February
        ("CZ", "annual", "2028-03-01", "2028-03-01", "2029-03-01"),
        ("CZ", "annual", "2027-02-28", "2027-02-28", "2028-02-28"),
        ("SK", "annual", "2027-06-01", "2027-06-01", "2028-05-31"),  # 365 days, over a leap day
        ("SK", "annual", "2028-02-29", "2028-02-29", "2029-02-28"),
        ("HU", "month", "2028-01-29", "2028-01-29", "2028-03-01"),
        ("HU", "1-day", "2028-02-29", "2028-02-29", "2028-03-01"),
        # month ends
        ("HU", "month", "2026-01-31", "2026-01-31", "2026-03-01"),  # to 28 February
        ("HU", "month", "2028-01-31", "2028-01-31", "2028-03-01"),  # to 29 February
        ("HU", "month", "2026-03-31", "2026-03-31", "2026-05-01"),  # to 30 April
        ("HU", "month", "2026-02-28", "2026-02-28", "2026-03-29"),  # to 28 March, not the 31st
        ("HU", "month", "2026-12-31", "2026-12-31", "2027-02-01"),
        ("AT", "month", "2026-12-31", "2026-12-31", "2027-03-01"),  # to 28 February
        ("AT", "month", "2026-07-31", "2026-07-31", "2026-10-01"),  # to 30 September
        # clocks change: 23 and 25 hours
        ("CZ", "1-day", "2026-03-29", "2026-03-29", "2026-03-30"),
        ("CZ", "1-day", "2026-10-25", "2026-10-25", "2026-10-26"),
        ("HU", "10-day", "2026-10-20", "2026-10-20", "2026-10-30"),
    ],
)
def test_interval(scheme: str, product: str, first_day: str, first: str, after: str) -> None:
    right = vignette(scheme, product, first_day)
    assert right.start == local(f"{first}T00:00", scheme)
    assert right.end == local(f"{after}T00:00", scheme)
    assert right.start.tzinfo is UTC
    assert right.end.tzinfo is UTC


@pytest.mark.parametrize(
    ("scheme", "first", "after"),
    [("AT", "2025-12-01", "2027-02-01"), ("HU", "2026-01-01", "2027-02-01")],
)
def test_an_annual_vignette_of_a_named_year(scheme: str, first: str, after: str) -> None:
    for first_day in (None, "2026-06-15"):  # its first day plays no part
        right = vignette(scheme, "annual", first_day, year=2026)
        assert right.start == local(f"{first}T00:00", scheme)
        assert right.end == local(f"{after}T00:00", scheme)


def test_an_annual_vignette_starts_no_earlier_than_its_purchase() -> None:
    bought = local("2026-06-15T12:34", "AT")
    right = vignette("AT", "annual", year=2026, bought_at=bought)
    assert right.start == bought
    assert right.end == local("2027-02-01T00:00", "AT")


def test_the_days_of_the_clock_change_have_23_and_25_hours() -> None:
    spring, autumn = vignette("CZ", "1-day", "2026-03-29"), vignette("CZ", "1-day", "2026-10-25")
    assert spring.end - spring.start == timedelta(hours=23)
    assert autumn.end - autumn.start == timedelta(hours=25)


def test_a_day_without_midnight_starts_at_its_first_instant() -> None:
    sao_paulo = zone_of("America/Sao_Paulo")
    assert day_start(date(2018, 11, 4), sao_paulo) == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_a_right_bought_in_advance_starts_at_midnight_and_one_bought_during_at_purchase() -> None:
    advance = vignette("CZ", "1-day", "2026-03-02", bought_at=local("2026-03-01T10:00", "CZ"))
    during = vignette("CZ", "1-day", "2026-03-02", bought_at=local("2026-03-02T10:00", "CZ"))
    assert advance.start == local("2026-03-02T00:00", "CZ")
    assert during.start == local("2026-03-02T10:00", "CZ")
    assert advance.healed_from is during.healed_from is None


def test_a_right_bought_after_its_last_day_is_empty() -> None:
    right = vignette("CZ", "1-day", "2026-03-02", bought_at=local("2026-03-05T10:00", "CZ"))
    assert right.start == right.end


def test_only_hungary_heals_and_only_where_the_purchase_starts_the_right() -> None:
    bought = local("2026-03-02T10:00", "HU")
    healed = vignette("HU", "1-day", "2026-03-02", bought_at=bought)
    assert healed.healed_from == bought - timedelta(minutes=60)
    midnight = local("2026-03-02T00:00", "HU")
    at_midnight = vignette("HU", "1-day", "2026-03-02", bought_at=midnight)
    assert at_midnight.healed_from == midnight - timedelta(minutes=60)
    ahead = vignette("HU", "1-day", "2026-03-05", bought_at=bought)
    assert ahead.healed_from is None
    for other in ("CZ", "SK", "AT"):
        assert vignette(other, "1-day", "2026-03-02", bought_at=bought).healed_from is None


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"scheme": "CZ", "product": "weekly", "first_day": "2026-03-02"}, "unknown-product"),
        ({"scheme": "HU", "product": "annual", "first_day": "2026-03-02"}, "year-needed"),
        ({"scheme": "CZ", "product": "annual"}, "first-day-needed"),
        ({"scheme": "AT", "product": "annual", "year": 0}, "date-out-of-range"),
        ({"scheme": "AT", "product": "annual", "year": 99999}, "date-out-of-range"),
        ({"scheme": "CZ", "product": "annual", "first_day": "9999-12-31"}, "date-out-of-range"),
        ({"scheme": "CZ", "product": "1-day", "first_day": "9999-12-31"}, "date-out-of-range"),
        ({"scheme": "CZ", "product": "1-day", "first_day": "0001-01-01"}, "date-out-of-range"),
        (
            {
                "scheme": "CZ",
                "product": "1-day",
                "first_day": "2026-03-02",
                "bought_at": datetime(2026, 3, 2),  # noqa: DTZ001
            },
            "right-naive-time",
        ),
    ],
)
def test_a_right_that_cannot_be_meant_is_refused(call: dict[str, Any], code: str) -> None:
    with pytest.raises(RuleError) as refused:
        vignette(**call)
    assert refused.value.code == code


def test_czech_sales_reach_three_months_ahead_and_no_further() -> None:
    bought = local("2026-03-02T23:30", "CZ")
    SCHEMES["CZ"].check_advance("10-day", date(2026, 6, 2), bought)
    with pytest.raises(RuleError) as refused:
        SCHEMES["CZ"].check_advance("10-day", date(2026, 6, 3), bought)
    assert refused.value.code == "first-day-too-far"
    SCHEMES["CZ"].check_advance("10-day", date(2027, 2, 28), local("2026-11-30T12:00", "CZ"))
    with pytest.raises(RuleError):
        SCHEMES["CZ"].check_advance("10-day", date(2027, 3, 1), local("2026-11-30T12:00", "CZ"))
    SCHEMES["SK"].check_advance("10-day", date(2030, 1, 1), bought)  # no such rule there


@pytest.mark.parametrize(
    ("category", "country", "code"),
    [
        ("electric", "CZ", "exempt-by-scheme"),
        ("hydrogen", "CZ", "exempt-by-scheme"),
        ("historic", "CZ", "exempt-by-scheme"),
        ("car", "CZ", None),
        ("electric", "SK", None),  # only what is registered there
        ("electric", None, None),
        ("over-3.5t", "SK", "toll-instead"),
        ("over-3.5t", None, "toll-instead"),
    ],
)
def test_automatic_exemptions(category: str, country: str | None, code: str | None) -> None:
    assert SCHEMES["CZ"].exemption(category, country, "1AB2345") == code
    assert SCHEMES["HU"].exemption(category, country, "1AB2345") is None


@pytest.mark.parametrize(
    ("text", "country", "code"),
    [
        ("EL123AB", "CZ", "exempt-by-series"),
        ("01V2345", "CZ", "exempt-by-series"),
        ("EL123AB", "SK", None),  # an ordinary one there would look the same
        ("EL123AB", None, None),
        ("EL123A", "CZ", None),
        ("1EL1234", "CZ", None),
        ("1V23456", "CZ", None),
    ],
)
def test_czech_series_of_exempt_vehicles_are_known_without_a_category(
    text: str, country: str | None, code: str | None
) -> None:
    assert SCHEMES["CZ"].exemption("car", country, text) == code
    assert SCHEMES["SK"].exemption("car", country, text) is None


@pytest.mark.parametrize("wrong", [{"code": "because"}, {"series": ["(EL"]}, {"series": [5]}])
def test_an_exemption_that_cannot_be_told_or_explained_is_refused(wrong: dict[str, Any]) -> None:
    exemption = {"categories": [], "countries": None, "code": "toll-instead", **wrong}
    data = {
        "code": "XX",
        "timezone": "UTC",
        "effective_from": "2026-01-01T00:00:00+00:00",
        "rules": {"products": {}, "exemptions": [exemption]},
    }
    with pytest.raises(RuleError) as refused:
        Scheme.from_data(data)
    assert refused.value.code == "scheme-malformed"


def test_a_foreign_electric_car_pays_as_a_car() -> None:
    assert SCHEMES["CZ"].same_category("car", "electric")
    assert not SCHEMES["CZ"].same_category("car", "trailer")


def data(**rules: Any) -> dict[str, Any]:
    scheme = scheme_data()[0]
    return {**scheme, "rules": {**scheme["rules"], **rules}}


def test_a_changed_rule_never_reaches_back() -> None:
    old = data()
    new = {**data(products={"1-day": {"span": "days", "count": 2}})}
    new["effective_from"] = "2026-06-01T00:00:00+02:00"
    both = [Scheme.from_data(new), Scheme.from_data(old)]
    assert scheme_at(both, "CZ", local("2026-05-31T23:59", "CZ")).products["1-day"].count == 1
    assert scheme_at(both, "CZ", local("2026-06-01T00:00", "CZ")).products["1-day"].count == 2
    assert both[0].version_name == "CZ/2026-06-01"
    with pytest.raises(RuleError) as refused:
        scheme_at(both, "CZ", local("1999-01-01T00:00", "CZ"))
    assert refused.value.code == "unknown-scheme"


def test_a_fifth_scheme_needs_no_code() -> None:
    fifth = Scheme.from_data(
        {
            "code": "XX",
            "timezone": "Pacific/Auckland",
            "effective_from": datetime(2026, 1, 1, tzinfo=UTC),
            "rules": {"products": {"week": {"span": "days", "count": 7}}},
        }
    )
    right = fifth.right(
        id="v",
        plate="ABC123",
        country=None,
        category="car",
        product="week",
        first_day=date(2026, 4, 1),
    )
    assert right.end - right.start == timedelta(days=7, hours=1)  # clocks go back on 5 April
    assert right.version == 1
    assert fifth.heal == timedelta(0)
    assert fifth.exemption("electric", "CZ", "EL123AB") is None


@pytest.mark.parametrize(
    "scheme",
    [
        {},
        {**data(), "rules": None},
        {**data(), "effective_from": "2026-01-01T00:00:00"},
        {**data(), "effective_from": "yesterday"},
        data(products={"1-day": {"span": "days", "count": 0}}),
        data(products={"1-day": {"span": "days", "count": "many"}}),
        data(products={"1-day": {"span": "fortnight"}}),
        data(products={"1-day": {}}),
        data(
            products={
                "1-day": {
                    "span": "fortnight",
                    "first": {"years": 0, "month": 1, "day": 1},
                    "last": {"years": 0, "month": 1, "day": 14},
                }
            }
        ),
        data(
            products={
                "annual": {
                    "span": "named-year",
                    "first": {"years": 0, "month": 2, "day": 1},
                    "last": {"years": 0, "month": 1, "day": 31},
                }
            }
        ),
        data(
            products={
                "annual": {
                    "span": "named-year",
                    "first": {"years": 0, "month": 2, "day": 29},
                    "last": {"years": 1, "month": 1, "day": 31},
                }
            }
        ),
        data(heal_min=-1),
        data(exemptions=[{"categories": ["electric"]}]),
    ],
)
def test_a_scheme_with_a_hole_is_refused_when_it_is_read(scheme: dict[str, Any]) -> None:
    with pytest.raises(RuleError) as refused:
        Scheme.from_data(scheme)
    assert refused.value.code in {"scheme-malformed", "date-out-of-range"}


def test_an_unknown_time_zone_is_refused() -> None:
    for name in ("Europe/Atlantis", "", "../etc/passwd"):
        with pytest.raises(RuleError) as refused:
            zone_of(name)
        assert refused.value.code == "unknown-timezone"


def test_months_later_never_skips_a_month() -> None:
    assert months_later(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert months_later(date(2026, 12, 31), 2) == date(2027, 2, 28)
    assert months_later(date(2026, 10, 15), 15) == date(2028, 1, 15)
