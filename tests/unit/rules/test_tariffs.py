"""Parking tariffs: what a stay costs, on paper and here."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement.rights.charges import Charge, money
from enforcement.rights.facts import RuleError
from enforcement.rights.tariffs import Tariff
from enforcement.rights.zones import Window

PRAGUE = "Europe/Prague"

DAY: dict[str, Any] = {
    "name": "day",
    "days": [1, 2, 3, 4, 5],
    "from": "08:00",
    "to": "18:00",
    "steps": [{"minutes": 60, "amount": 200}],
}
NIGHT: dict[str, Any] = {
    "name": "night",
    "days": [1, 2, 3, 4, 5],
    "from": "18:00",
    "to": "08:00",
    "free": True,
}
WEEKEND: dict[str, Any] = {
    "name": "weekend",
    "days": [6, 7],
    "from": "00:00",
    "to": "24:00",
    "free": True,
}
ALWAYS: dict[str, Any] = {
    "name": "always",
    "days": [1, 2, 3, 4, 5, 6, 7],
    "from": "00:00",
    "to": "24:00",
    "steps": [{"minutes": 60, "amount": 200}],
}


def tariff(*bands: dict[str, Any], timezone: str = PRAGUE, **more: Any) -> Tariff:
    data = {"bands": list(bands or (DAY, NIGHT, WEEKEND)), **more}
    return Tariff.from_data(data, timezone=timezone, currency="CZK")


def round_the_clock(*steps: dict[str, Any], **more: Any) -> Tariff:
    return tariff({**ALWAYS, "steps": list(steps)}, **more)


def local(text: str, timezone: str = PRAGUE) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone))


def cost(one: Tariff, start: str, end: str, *covered: tuple[str, str]) -> int:
    return charged(one, start, end, *covered).amount


def charged(one: Tariff, start: str, end: str, *covered: tuple[str, str]) -> Charge:
    paid = [(local(a), local(b)) for a, b in covered]
    return one.charge(local(start), local(end), paid)


# 2026-03-02 is a Monday


@pytest.mark.parametrize(
    ("start", "end", "amount"),
    [
        ("2026-03-02T09:00", "2026-03-02T09:00", 0),
        ("2026-03-02T09:00", "2026-03-02T09:01", 200),  # a started hour
        ("2026-03-02T09:00", "2026-03-02T10:00", 200),  # exactly one
        ("2026-03-02T09:00", "2026-03-02T10:00:01", 400),  # one second into the second
        ("2026-03-02T07:00", "2026-03-02T08:00", 0),  # up to 08:00, which is outside
        ("2026-03-02T07:00", "2026-03-02T08:00:01", 200),
        ("2026-03-02T18:00", "2026-03-02T23:00", 0),  # from 18:00 on, which is free
        ("2026-03-02T17:59:59", "2026-03-02T23:00", 200),
        ("2026-03-02T17:30", "2026-03-03T08:30", 400),  # an end, a free night, a beginning
        ("2026-03-06T17:00", "2026-03-09T09:00", 400),  # a free weekend between
        ("2026-03-07T00:00", "2026-03-09T00:00", 0),
    ],
)
def test_started_hours_of_the_day_band(start: str, end: str, amount: int) -> None:
    assert cost(tariff(), start, end) == amount


def test_steps_follow_each_other_and_the_last_repeats() -> None:
    one = round_the_clock({"minutes": 30, "amount": 100}, {"minutes": 60, "amount": 150})
    assert cost(one, "2026-03-02T09:00", "2026-03-02T09:30") == 100
    assert cost(one, "2026-03-02T09:00", "2026-03-02T09:31") == 250
    assert cost(one, "2026-03-02T09:00", "2026-03-02T10:31") == 400


def test_a_last_step_without_minutes_is_once_for_all_the_rest() -> None:
    one = round_the_clock({"minutes": 60, "amount": 200}, {"amount": 500})
    assert cost(one, "2026-03-02T09:00", "2026-03-02T10:00") == 200
    assert cost(one, "2026-03-02T09:00", "2026-03-02T10:01") == 700
    assert cost(one, "2026-03-02T09:00", "2026-03-04T09:00") == 700


def test_an_exact_step_costs_in_proportion() -> None:
    one = round_the_clock({"minutes": 60, "amount": 200, "exact": True})
    assert cost(one, "2026-03-02T09:00", "2026-03-02T09:15") == 50
    assert cost(one, "2026-03-02T09:00", "2026-03-02T10:45") == 350


@pytest.mark.parametrize(("rounding", "amount"), [("nearest", 70), ("up", 80), ("down", 70)])
def test_rounding(rounding: str, amount: int) -> None:
    one = round_the_clock(
        {"minutes": 60, "amount": 200, "exact": True}, round_to=10, rounding=rounding
    )
    # 22 minutes of 200 an hour are 73 1/3
    charge = charged(one, "2026-03-02T09:00", "2026-03-02T09:22")
    assert charge.amount == amount
    assert sum(line.amount for line in charge.lines) == amount


def test_halves_round_up_to_the_nearest() -> None:
    one = round_the_clock({"minutes": 60, "amount": 300, "exact": True}, round_to=10)
    assert cost(one, "2026-03-02T09:00", "2026-03-02T09:01") == 10  # 5


@pytest.mark.parametrize(
    ("minutes", "always", "short_stays"),
    [(15, 0, 0), (16, 200, 200), (75, 200, 400), (76, 400, 400)],
)
def test_the_first_minutes_are_free(minutes: int, always: int, short_stays: int) -> None:
    start = local("2026-03-02T09:00")
    end = start + timedelta(minutes=minutes)
    assert tariff(first_free_min=15).charge(start, end).amount == always
    short = tariff(first_free_min=15, first_free="short-stays")
    assert short.charge(start, end).amount == short_stays


def test_free_minutes_count_only_time_that_would_cost() -> None:
    one = tariff(first_free_min=15)
    assert cost(one, "2026-03-02T06:00", "2026-03-02T08:15") == 0
    assert cost(one, "2026-03-02T06:00", "2026-03-02T08:16") == 200
    assert cost(one, "2026-03-02T17:50", "2026-03-03T08:05") == 0  # ten and five
    assert cost(one, "2026-03-02T17:50", "2026-03-03T08:06") == 200


def test_a_short_stay_may_pay_within_its_free_minutes() -> None:
    one = tariff(first_free_min=30, first_free="short-stays")
    paid = ("2026-03-02T09:30", "2026-03-02T12:00")
    assert cost(one, "2026-03-02T09:00", "2026-03-02T12:00", paid) == 0
    late = ("2026-03-02T09:31", "2026-03-02T12:00")
    assert cost(one, "2026-03-02T09:00", "2026-03-02T12:00", late) == 200


@pytest.mark.parametrize(
    ("start", "end", "calendar_day", "rolling"),
    [
        ("2026-03-02T09:00", "2026-03-02T12:00", 600, 600),
        ("2026-03-02T09:00", "2026-03-02T20:00", 1000, 1000),
        ("2026-03-02T09:00", "2026-03-03T02:00", 1400, 1000),  # two hours of the next day
        ("2026-03-02T09:00", "2026-03-03T09:00", 2000, 1000),
        ("2026-03-02T09:00", "2026-03-03T09:01", 2000, 1200),  # a second 24 h begins
    ],
)
def test_a_day_costs_at_most_its_cap(start: str, end: str, calendar_day: int, rolling: int) -> None:
    assert cost(tariff(ALWAYS, daily_cap=1000), start, end) == calendar_day
    assert cost(tariff(ALWAYS, daily_cap=1000, cap_per="24h"), start, end) == rolling


def test_an_exact_unit_is_cut_where_the_capped_day_ends() -> None:
    one = round_the_clock({"minutes": 120, "amount": 1200, "exact": True}, daily_cap=500)
    # 23:00 to 01:00: an hour of 600 on each day, each capped
    assert cost(one, "2026-03-02T23:00", "2026-03-03T01:00") == 1000


def test_who_paid_a_day_up_to_its_cap_owes_nothing_more_for_it() -> None:
    one = tariff(ALWAYS, daily_cap=1000)
    paid = ("2026-03-02T09:00", "2026-03-02T14:00")
    assert cost(one, "2026-03-02T09:00", "2026-03-02T23:00", paid) == 0
    less = ("2026-03-02T09:00", "2026-03-02T13:00")
    assert cost(one, "2026-03-02T09:00", "2026-03-02T23:00", less) == 200


def test_a_unit_is_paid_by_who_covers_its_start_and_no_other() -> None:
    paid = ("2026-03-02T09:00", "2026-03-02T10:20")
    assert cost(tariff(), "2026-03-02T09:00", "2026-03-02T10:40", paid) == 0
    assert cost(tariff(), "2026-03-02T09:00", "2026-03-02T11:01", paid) == 200
    later = ("2026-03-02T09:01", "2026-03-02T10:00")
    assert cost(tariff(), "2026-03-02T09:00", "2026-03-02T10:00", later) == 200


def test_an_exact_unit_is_paid_for_the_time_it_is_covered() -> None:
    one = round_the_clock({"minutes": 60, "amount": 240, "exact": True})
    half = ("2026-03-02T09:15", "2026-03-02T09:45")
    assert cost(one, "2026-03-02T09:00", "2026-03-02T10:00", half) == 120
    twice = (half, ("2026-03-02T09:30", "2026-03-02T09:50"))  # overlapping counts once
    assert cost(one, "2026-03-02T09:00", "2026-03-02T10:00", *twice) == 100


def test_a_holiday_has_bands_of_its_own() -> None:
    holiday = {**WEEKEND, "name": "holiday", "days": [6, 7, "holiday"]}
    one = tariff(DAY, NIGHT, holiday, holidays_of={"country": "CZ"}, holidays=["2026-03-02"])
    assert cost(one, "2026-03-02T09:00", "2026-03-02T12:00") == 0  # named
    assert cost(one, "2026-05-01T09:00", "2026-05-01T12:00") == 0  # Labour Day, a Friday
    assert cost(one, "2026-05-04T09:00", "2026-05-04T12:00") == 600
    assert any(version.startswith("holidays/CZ/") for version in one.versions)


def test_a_part_of_a_country_keeps_its_own_holidays() -> None:
    holiday = {**WEEKEND, "name": "holiday", "days": [6, 7, "holiday"]}

    def in_part(part: str) -> int:
        of = {"country": "DE", "subdivision": part}
        one = tariff(DAY, NIGHT, holiday, holidays_of=of)
        return cost(one, "2026-06-04T09:00", "2026-06-04T10:00")  # Corpus Christi

    assert in_part("BY") == 0
    assert in_part("BE") == 200


# --- nights when clocks change -------------------------------------------------------------------
# Prague: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00 again.


def test_a_night_of_eleven_hours_costs_eleven() -> None:
    one = round_the_clock({"minutes": 60, "amount": 100})
    assert cost(one, "2026-03-28T20:00", "2026-03-29T08:00") == 1100
    assert cost(one, "2026-10-24T20:00", "2026-10-25T08:00") == 1300


def test_hours_that_clocks_skip_cost_nothing_and_leave_no_gap() -> None:
    early = {**ALWAYS, "name": "early", "to": "02:30", "steps": [{"minutes": 1, "amount": 1}]}
    skipped = {**early, "name": "skipped", "from": "02:30", "to": "03:00"}
    late = {**early, "name": "late", "from": "03:00", "to": "24:00"}
    one = tariff(early, skipped, late)
    charge = charged(one, "2026-03-29T01:00", "2026-03-29T04:00")
    assert charge.amount == 120  # two hours passed
    assert [line.sentence.split(",")[0] for line in charge.lines] == ["early", "late"]


def test_hours_that_come_twice_are_charged_for_both() -> None:
    early = {**ALWAYS, "name": "early", "to": "02:00", "steps": [{"minutes": 1, "amount": 1}]}
    late = {**early, "name": "late", "from": "02:00", "to": "24:00"}
    charge = charged(tariff(early, late), "2026-10-25T01:00", "2026-10-25T03:00")
    assert charge.amount == 180  # three hours passed
    assert [line.amount for line in charge.lines] == [60, 120]


def test_the_capped_calendar_day_may_have_25_hours() -> None:
    one = round_the_clock({"minutes": 60, "amount": 100, "exact": True}, daily_cap=2450)
    assert cost(one, "2026-10-25T00:00", "2026-10-26T00:00") == 2450
    assert cost(one, "2026-10-26T00:00", "2026-10-27T00:00") == 2400


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bands", "more", "code", "says"),
    [
        ([DAY, NIGHT], {}, "tariff-hole", "On Saturday, nothing says what 00:00 to 24:00 costs."),
        (
            [DAY, {**NIGHT, "from": "19:00"}, WEEKEND],
            {},
            "tariff-hole",
            "On Monday, nothing says what 18:00 to 19:00 costs.",
        ),
        (
            [DAY, {**NIGHT, "to": "07:59"}, WEEKEND],
            {},
            "tariff-hole",
            "On Monday, nothing says what 07:59 to 08:00 costs.",
        ),
        (
            [DAY, {**NIGHT, "from": "17:00"}, WEEKEND],
            {},
            "tariff-overlap",
            "On Monday, “day” and “night” both hold from 17:00.",
        ),
        (
            [DAY, NIGHT, WEEKEND],
            {"holidays": ["2026-12-25"]},
            "tariff-hole",
            "On a holiday, nothing says what 00:00 to 24:00 costs.",
        ),
        ([{**ALWAYS, "days": [1, 2, 3, 4, 5, 6]}], {}, "tariff-hole", "On Sunday"),
        ([{**ALWAYS, "days": [1, 2, 3, 4, 5, 6, 7, "holiday"]}], {}, "tariff-malformed", "holid"),
        ([], {}, "tariff-hole", "On Monday"),
        ([{**ALWAYS, "steps": []}], {}, "tariff-malformed", "Band 1: A band has steps"),
        ([DAY, {**NIGHT, "free": False}], {}, "tariff-malformed", "Band 2: “steps” is missing"),
        ([{**ALWAYS, "days": [0]}], {}, "tariff-malformed", "Band 1: A day is a number"),
        ([{**ALWAYS, "from": "25:00"}], {}, "tariff-malformed", "Band 1: A time of day"),
        ([{**ALWAYS, "price": 3}], {}, "tariff-malformed", "Band 1: There is no “price”"),
        ([ALWAYS], {"cap": 3}, "tariff-malformed", "There is no “cap”"),
        ([ALWAYS], {"daily_cap": -1}, "tariff-malformed", "“daily_cap” is a whole number from 0"),
        ([ALWAYS], {"daily_cap": True}, "tariff-malformed", "“daily_cap” is a whole number"),
        ([ALWAYS], {"rounding": "sideways"}, "tariff-malformed", "“rounding” is one of"),
        ([ALWAYS], {"round_to": 0}, "tariff-malformed", "“round_to” is a whole number from 1"),
        ([ALWAYS], {"first_free_min": 1.5}, "tariff-malformed", "“first_free_min” is a whole"),
        ([ALWAYS], {"holidays": ["Christmas"]}, "tariff-malformed", "A holiday reads 2026"),
        ([ALWAYS], {"holidays_of": {"country": "XX"}}, "tariff-malformed", "No such country"),
        ([ALWAYS], {"holidays_of": "CZ"}, "tariff-malformed", "“holidays_of” reads"),
        (
            [{**ALWAYS, "steps": [{"amount": 1}, {"minutes": 1, "amount": 1}]}],
            {},
            "tariff-malformed",
            "Only the last step",
        ),
        (
            [{**ALWAYS, "steps": [{"amount": 1, "exact": True}]}],
            {},
            "tariff-malformed",
            "An exact step counts minutes",
        ),
        (
            [{**ALWAYS, "steps": [{"minutes": 60, "amount": 0}]}],
            {},
            "tariff-malformed",
            "A band that costs nothing",
        ),
        ([{**ALWAYS, "steps": [{"minutes": 0, "amount": 1}]}], {}, "tariff-malformed", "“minutes”"),
    ],
)
def test_a_tariff_that_cannot_be_meant_is_refused_with_the_place(
    bands: list[dict[str, Any]], more: dict[str, Any], code: str, says: str
) -> None:
    with pytest.raises(RuleError) as refused:
        Tariff.from_data({"bands": bands, **more}, timezone=PRAGUE, currency="CZK")
    assert refused.value.code == code
    assert says in refused.value.sentence


@pytest.mark.parametrize("data", [None, [], "x", {}, {"bands": {}}, {"bands": [None]}])
def test_what_is_no_tariff_at_all_is_refused(data: Any) -> None:
    with pytest.raises(RuleError) as refused:
        Tariff.from_data(data, timezone=PRAGUE, currency="CZK")
    assert refused.value.code == "tariff-malformed"


def test_the_examples_in_the_documentation_are_what_they_say() -> None:
    text = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    examples = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", text, re.S)]
    (window,) = (one for one in examples if "pay_until" in one)
    (documented,) = (one for one in examples if "bands" in one)
    opens = local("2026-03-02T07:00", "Europe/London")
    assert Window.from_data(window, "Europe/London").charged_day(opens) == opens.date()
    one = Tariff.from_data(documented, timezone="Europe/London", currency="GBP")
    # 15 free minutes, an hour, two started half hours, the night: 2.00 + 2 * 0.80 + 3.00
    start, end = (local(f"2026-03-02T{at}", "Europe/London") for at in ("16:00", "23:00"))
    assert one.charge(start, end).amount == 660


def test_a_stay_needs_an_offset_and_a_direction() -> None:
    start = local("2026-03-02T09:00")
    with pytest.raises(RuleError) as refused:
        tariff().charge(start, start - timedelta(minutes=1))
    assert refused.value.code == "stay-ends-before-start"
    with pytest.raises(RuleError) as refused:
        tariff().charge(start.replace(tzinfo=None), start)
    assert refused.value.code == "stay-naive-time"


# --- what always holds ---------------------------------------------------------------------------

MOMENT = st.timedeltas(timedelta(0), timedelta(days=364)).map(
    lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since
)
LENGTH = st.timedeltas(timedelta(0), timedelta(days=4))
TARIFFS = st.sampled_from(
    [
        tariff(),
        tariff(first_free_min=20),
        tariff(first_free_min=20, first_free="short-stays"),
        tariff(ALWAYS, daily_cap=900),
        tariff(ALWAYS, daily_cap=900, cap_per="24h", round_to=50, rounding="up"),
        tariff({**DAY, "steps": [{"minutes": 7, "amount": 31, "exact": True}]}, NIGHT, WEEKEND),
        round_the_clock({"minutes": 30, "amount": 0}, {"minutes": 60, "amount": 120}),
        tariff(timezone="Australia/Lord_Howe"),  # its clocks change by half an hour
    ]
)


@given(one=TARIFFS, start=MOMENT, length=LENGTH)
def test_lines_add_up_and_free_time_lies_within(
    one: Tariff, start: datetime, length: timedelta
) -> None:
    end = start + length
    charge = one.charge(start, end)
    assert sum(line.amount for line in charge.lines) == charge.amount >= 0
    edges = [edge for pair in charge.free for edge in pair]
    assert edges == sorted(edges)
    assert all(start <= edge <= end for edge in edges)
    if charge.outside:
        assert charge.amount == 0
        assert charge.free_time == length


@given(one=TARIFFS, start=MOMENT, length=LENGTH, more=LENGTH)
def test_staying_longer_never_costs_less(
    one: Tariff, start: datetime, length: timedelta, more: timedelta
) -> None:
    longer = one.charge(start, start + length + more).amount
    assert one.charge(start, start + length).amount <= longer


@given(one=TARIFFS, start=MOMENT, length=LENGTH, first=LENGTH, paid=LENGTH)
def test_paying_helps_and_paying_all_pays_all(
    one: Tariff, start: datetime, length: timedelta, first: timedelta, paid: timedelta
) -> None:
    end = start + length
    part = (start + first, start + first + paid)
    assert one.charge(start, end, [part]).amount <= one.charge(start, end).amount
    assert one.charge(start, end, [(start, end)]).amount == 0


@given(one=TARIFFS, start=MOMENT, length=LENGTH)
def test_the_same_instants_cost_the_same_however_they_are_written(
    one: Tariff, start: datetime, length: timedelta
) -> None:
    end = start + length
    zone = ZoneInfo("Pacific/Auckland")
    elsewhere = one.charge(start.astimezone(zone), end.astimezone(zone))
    assert elsewhere == one.charge(start, end)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "GBP", "12.50 GBP"),
        (5, "CZK", "0.05 CZK"),
        (-200, "EUR", "−2.00 EUR"),
        (70, "JPY", "70 JPY"),
    ],
)
def test_money_in_words(amount: int, currency: str, text: str) -> None:
    assert money(amount, currency) == text
