"""Hours of the day on the clocks of a place, and public holidays."""

from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement.rights.facts import RuleError
from enforcement.rights.hours import HOLIDAY, Holidays, Hours, clock_instant, hours_of
from enforcement.rights.zones import Window

MONDAY = date(2026, 3, 2)


def hours(opens: str, closes: str, *days: Any) -> Hours:
    return hours_of({"days": list(days or (1,)), "from": opens, "to": closes}, holidays_too=True)


@pytest.mark.parametrize(
    ("opens", "closes", "open_at", "shut_at"),
    [
        ("07:00", "18:00", ["07:00", "17:59"], ["06:59", "18:00"]),
        ("18:00", "08:00", ["00:00", "07:59", "18:00", "23:59"], ["08:00", "17:59"]),
        ("18:00", "24:00", ["18:00", "23:59"], ["00:00", "17:59"]),
        ("18:00", "00:00", ["18:00", "23:59"], ["00:00", "17:59"]),
        ("00:00", "08:00", ["00:00", "07:59"], ["08:00", "23:59"]),
        ("00:00", "24:00", ["00:00", "23:59"], []),
        ("00:00", "00:00", ["00:00", "23:59"], []),
        ("07:00", "07:00", ["00:00", "06:59", "07:00", "23:59"], []),
    ],
)
def test_hours_open_and_close(
    opens: str, closes: str, open_at: list[str], shut_at: list[str]
) -> None:
    found = hours(opens, closes)
    assert all(found.hold(1, time.fromisoformat(at)) for at in open_at)
    assert not any(found.hold(1, time.fromisoformat(at)) for at in shut_at)
    assert not any(found.hold(2, time.fromisoformat(at)) for at in (*open_at, *shut_at))
    assert found.parts() == tuple(sorted(found.parts(), key=lambda part: part[0]))


def test_a_holiday_is_a_day_of_its_own() -> None:
    found = hours("00:00", "24:00", "holiday")
    assert found.hold(HOLIDAY, time(12))
    assert not any(found.hold(day, time(12)) for day in range(1, 8))
    with pytest.raises(ValueError, match=r"1 \(Monday\) to 7"):
        hours_of({"days": ["holiday"], "from": "00:00", "to": "24:00"})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"days": []}, "The window can't be read: Days are a list"),
        ({"days": [0]}, "A day is a number from 1"),
        ({"days": [8]}, "A day is a number from 1"),
        ({"days": [True]}, "A day is a number from 1"),
        ({"from": "7:00"}, "A time of day reads HH:MM"),
        ({"from": "24:00"}, "A time of day reads HH:MM"),
        ({"to": None}, "A time of day reads HH:MM"),
        ({"pay_until": "P3D"}, "“pay_until” reads like"),
        ({"holidays_of": {"country": "GB", "subdivision": "QQ"}}, "No such country or part"),
        ({"holidays": ["2026-02-29"]}, "A holiday reads 2026-12-25."),
        ({"hours": "always"}, "wrong shape"),
    ],
)
def test_a_window_says_what_is_wrong_with_it(data: dict[str, Any], says: str) -> None:
    good = {"days": [1], "from": "07:00", "to": "18:00", "pay_until": "P3D midnight"}
    with pytest.raises(RuleError) as refused:
        Window.from_data({**good, **data}, "Europe/Prague")
    assert refused.value.code == "window-malformed"
    assert says in refused.value.sentence


@pytest.mark.parametrize(
    ("zone", "clock", "instant"),
    [
        ("Europe/Prague", "01:59", "2026-03-29T00:59"),
        ("Europe/Prague", "02:00", "2026-03-29T01:00"),  # skipped: when it would have come
        ("Europe/Prague", "02:30", "2026-03-29T01:00"),
        ("Europe/Prague", "03:00", "2026-03-29T01:00"),
        ("Europe/Prague", "03:01", "2026-03-29T01:01"),
        ("UTC", "02:30", "2026-03-29T02:30"),
    ],
)
def test_an_hour_that_clocks_skip(zone: str, clock: str, instant: str) -> None:
    found = clock_instant(date(2026, 3, 29), time.fromisoformat(clock), ZoneInfo(zone))
    assert found == datetime.fromisoformat(instant).replace(tzinfo=UTC)


def test_of_a_time_that_comes_twice_the_first_counts() -> None:
    found = clock_instant(date(2026, 10, 25), time(2, 30), ZoneInfo("Europe/Prague"))
    assert found == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(
    day=st.dates(date(2024, 1, 1), date(2027, 12, 31)),
    clocks=st.lists(st.times().map(lambda at: at.replace(second=0, microsecond=0)), min_size=2),
    zone=st.sampled_from(
        ["Europe/London", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Beirut"]
    ),
)
def test_the_hours_of_a_day_follow_each_other(day: date, clocks: list[time], zone: str) -> None:
    ordered = [clock_instant(day, clock, ZoneInfo(zone)) for clock in sorted(clocks)]
    ends = clock_instant(day, None, ZoneInfo(zone))
    assert all(one <= other for one, other in pairwise([*ordered, ends]))


def test_holidays_are_named() -> None:
    english = Holidays.from_data(
        {"holidays": ["2026-03-02"], "holidays_of": {"country": "GB", "subdivision": "ENG"}}
    )
    assert english.name(MONDAY) == "a holiday of this site"
    assert english.name(date(2026, 12, 28)) == "Boxing Day (observed)"
    assert english.name(date(2026, 3, 3)) is None
    assert MONDAY in english
    assert english
    (version,) = english.versions
    assert version.startswith("holidays/GB-ENG/")


def test_without_holidays_there_is_nothing_to_name() -> None:
    none = Holidays.from_data({})
    assert not none
    assert none.versions == ()
    assert date(2026, 12, 25) not in none
    assert Holidays.from_data({"holidays": ["2026-03-02"]}).versions == ()
