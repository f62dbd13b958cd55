"""Stays where parking has a price: what costs nothing is no violation."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement.rights.facts import Reading, Right, SiteRules, SiteState
from enforcement.rights.outcomes import (
    ACCUSING,
    Judgement,
    Reason,
    RightKind,
    Verdict,
    VisitStatus,
)
from enforcement.rights.presence import Presence, Presences
from enforcement.rights.stays import Stay, judge_stay
from enforcement.rights.tariffs import Tariff

PLATE = "AB12CDE"
NOW = datetime(2026, 4, 1, tzinfo=UTC)
HOURLY = [{"minutes": 60, "amount": 200}]


def at(clock: str) -> datetime:
    """`HH:MM` of Monday 2026-03-02, or a full instant; UTC, like the site's clocks."""
    text = clock if "-" in clock else f"2026-03-02T{clock}"
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tariff(steps: list[dict[str, Any]] | None = None, **more: Any) -> Tariff:
    """08:00 to 18:00 every day at 2.00 a started hour; the rest free."""
    every = {"days": [1, 2, 3, 4, 5, 6, 7]}
    bands = [
        {**every, "name": "day", "from": "08:00", "to": "18:00", "steps": steps or HOURLY},
        {**every, "name": "night", "from": "18:00", "to": "08:00", "free": True},
    ]
    return Tariff.from_data(
        {"bands": bands, **more}, timezone="UTC", currency="GBP", version="tariff/1"
    )


def payment(id: str, start: str, end: str, plate: str = PLATE) -> Right:
    return Right(id, RightKind.PAYMENT, (plate,), "GB", at(start), at(end))


def judged(
    start: str, end: str, *rights: Right, by: Tariff | None, confidence: float = 0.98
) -> Judgement:
    reading = Reading(PLATE, "GB", confidence)
    stay = Stay("v1", VisitStatus.COMPLETE, at(start), at(end), (reading, reading))
    return judge_stay(
        stay,
        rights=rights,
        presences=Presences([Presence("v1", (PLATE,), "GB", at(start), at(end))]),
        rules=SiteRules(version="site/1"),
        state=SiteState(NOW, NOW),
        now=NOW,
        tariff=by,
    )


def said(judgement: Judgement) -> tuple[Verdict, Reason | None, int]:
    return judgement.verdict, judgement.reason, judgement.overstay_min


def codes(judgement: Judgement) -> list[str]:
    return [line.code for line in judgement.explanation]


@pytest.mark.parametrize(
    ("start", "end", "verdict", "reason"),
    [
        ("18:00", "23:00", Verdict.NONE, Reason.OUTSIDE_WINDOW),
        ("02:00", "08:00", Verdict.NONE, Reason.OUTSIDE_WINDOW),  # leaves as charging begins
        ("02:00", "08:05", Verdict.EXCUSED, Reason.CONSIDERATION),  # five minutes of it
        ("02:00", "08:06", Verdict.UNPAID, Reason.NO_RIGHT),
        ("17:55", "23:00", Verdict.EXCUSED, Reason.CONSIDERATION),
        ("17:54", "23:00", Verdict.UNPAID, Reason.NO_RIGHT),
        ("09:00", "09:05", Verdict.EXCUSED, Reason.CONSIDERATION),
        ("09:00", "09:06", Verdict.UNPAID, Reason.NO_RIGHT),
    ],
)
def test_free_hours_are_no_violation(
    start: str, end: str, verdict: Verdict, reason: Reason
) -> None:
    assert said(judged(start, end, by=tariff())) == (verdict, reason, 0)


def test_the_first_free_minutes_excuse_and_no_minute_more() -> None:
    free = tariff(first_free_min=30)
    assert said(judged("09:00", "09:30", by=free))[:2] == (Verdict.EXCUSED, Reason.CONSIDERATION)
    assert "costs-nothing" not in codes(judged("09:00", "09:30", by=free))
    # then the consideration period still stands
    assert said(judged("09:00", "09:35", by=free))[0] is Verdict.EXCUSED
    assert said(judged("09:00", "09:36", by=free))[:2] == (Verdict.UNPAID, Reason.NO_RIGHT)


def test_a_first_step_that_costs_nothing_excuses_too() -> None:
    steps = [{"minutes": 120, "amount": 0}, {"minutes": 60, "amount": 200}]
    assert said(judged("09:00", "11:00", by=tariff(steps)))[0] is Verdict.EXCUSED
    assert said(judged("09:00", "11:06", by=tariff(steps)))[0] is Verdict.UNPAID


def test_what_rounds_to_nothing_costs_nothing() -> None:
    steps = [{"minutes": 60, "amount": 200, "exact": True}]
    down = tariff(steps, round_to=100, rounding="down")
    judgement = judged("09:00", "09:29", by=down)
    assert said(judgement)[:2] == (Verdict.EXCUSED, Reason.CONSIDERATION)
    assert codes(judgement) == ["costs-nothing"]
    assert said(judged("09:00", "09:30", by=down))[0] is Verdict.UNPAID


def test_free_time_after_a_payment_is_no_overstay() -> None:
    evening = payment("p1", "16:00", "18:00")
    assert said(judged("16:00", "2026-03-03T07:59", evening, by=tariff())) == (
        Verdict.PAID,
        Reason.PAYMENT,
        0,
    )
    # a quarter of an hour of the next morning is grace and unused consideration
    assert said(judged("16:00", "2026-03-03T08:15", evening, by=tariff()))[:2] == (
        Verdict.EXCUSED,
        Reason.GRACE,
    )
    late = judged("16:00", "2026-03-03T08:16", evening, by=tariff())
    assert said(late) == (Verdict.OVERSTAY, Reason.RIGHT_ENDED, 1)
    assert [line.sentence for line in late.explanation if line.code == "owed"] == [
        "By the tariff the time without a right costs 2.00 GBP."
    ]


def test_free_time_before_a_payment_leaves_the_time_to_consider_whole() -> None:
    morning = payment("p1", "08:05", "10:00")
    assert said(judged("06:00", "10:00", morning, by=tariff()))[:2] == (
        Verdict.PAID,
        Reason.PAYMENT,
    )
    later = payment("p1", "08:06", "10:00")
    assert said(judged("06:00", "10:00", later, by=tariff()))[:2] == (
        Verdict.EXCUSED,
        Reason.GRACE,
    )


def test_a_free_night_between_two_payments_is_no_second_arrival() -> None:
    days = (
        payment("p1", "16:00", "18:00"),
        payment("p2", "2026-03-03T08:00", "2026-03-03T12:00"),
    )
    assert said(judged("16:00", "2026-03-03T12:00", *days, by=tariff()))[0] is Verdict.PAID
    # without the tariff the night is unpaid, and looks like one
    without = judged("16:00", "2026-03-03T12:00", *days, by=None)
    assert said(without)[:2] == (Verdict.REVIEW, Reason.CONTRADICTION)


def test_staying_on_after_a_paid_second_day_is_an_overstay_and_no_second_arrival() -> None:
    days = (
        payment("p1", "16:00", "18:00"),
        payment("p2", "2026-03-03T08:00", "2026-03-03T12:00"),
    )
    late = judged("16:00", "2026-03-03T14:00", *days, by=tariff())
    assert said(late) == (Verdict.OVERSTAY, Reason.RIGHT_ENDED, 2 * 60 - 15)


def test_an_hour_unpaid_beside_a_free_night_is_a_second_arrival() -> None:
    days = (
        payment("p1", "16:00", "17:00"),
        payment("p2", "2026-03-03T08:00", "2026-03-03T12:00"),
    )
    by = tariff([{"minutes": 60, "amount": 200, "exact": True}])
    assert said(judged("16:00", "2026-03-03T12:00", *days, by=by))[:2] == (
        Verdict.REVIEW,
        Reason.CONTRADICTION,
    )


def test_a_right_of_several_days_covers_its_nights_too() -> None:
    week = payment("p1", "09:00", "2026-03-05T10:00")
    assert said(judged("09:00", "2026-03-04T10:00", week, by=tariff()))[0] is Verdict.PAID
    over = judged("09:00", "2026-03-05T10:16", week, by=tariff())
    assert said(over) == (Verdict.OVERSTAY, Reason.RIGHT_ENDED, 1)


def test_free_hours_before_one_late_payment_are_no_second_arrival() -> None:
    one = judged("06:00", "14:00", payment("p1", "10:00", "12:00"), by=tariff())
    assert said(one) == (Verdict.OVERSTAY, Reason.RIGHT_ENDED, 2 * 60 + 2 * 60 - 15)


def test_who_paid_up_to_the_cap_of_the_day_has_paid_the_day() -> None:
    capped = tariff(daily_cap=600)
    judgement = judged("08:00", "17:00", payment("p1", "08:00", "11:00"), by=capped)
    assert said(judgement)[:2] == (Verdict.PAID, Reason.PAYMENT)
    assert "nothing-more" in codes(judgement)
    less = judged("08:00", "17:00", payment("p1", "08:00", "10:00"), by=capped)
    assert said(less)[:2] == (Verdict.OVERSTAY, Reason.RIGHT_ENDED)


def test_a_right_of_another_time_is_not_asked_for_where_nothing_costs() -> None:
    other = payment("p1", "08:00", "09:00")
    assert said(judged("19:00", "20:00", other, by=tariff()))[0] is Verdict.NONE


def test_two_near_payments_do_not_call_for_a_person_where_nothing_costs() -> None:
    near = (payment("p1", "19:00", "20:00", "AB12CDF"), payment("p2", "19:00", "20:00", "AB12CDG"))
    assert said(judged("19:00", "20:00", *near, by=tariff()))[0] is Verdict.NONE
    assert said(judged("19:00", "20:00", *near, by=None))[:2] == (
        Verdict.REVIEW,
        Reason.SEVERAL_CANDIDATES,
    )


def test_doubt_still_stands_before_an_accusation() -> None:
    unsure = judged("09:00", "12:00", by=tariff(), confidence=0.5)
    assert said(unsure)[:2] == (Verdict.REVIEW, Reason.LOW_CONFIDENCE)


def test_a_verdict_names_the_tariff_and_what_is_owed() -> None:
    judgement = judged("09:00", "11:30", by=tariff())
    assert judgement.rules[-1] == "tariff/1"
    assert "By the tariff the time without a right costs 6.00 GBP." in [
        line.sentence for line in judgement.explanation
    ]


@pytest.mark.parametrize("minutes", [0, 4, 5, 6, 75, 76, 600])
@pytest.mark.parametrize("paid", [None, ("09:00", "10:00"), ("09:03", "11:00")])
def test_a_tariff_of_one_price_all_day_changes_no_verdict(
    minutes: int, paid: tuple[str, str] | None
) -> None:
    always = {"name": "always", "days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00"}
    exact = [{"minutes": 1, "amount": 1, "exact": True}]
    flat = Tariff.from_data(
        {"bands": [{**always, "steps": exact}], "rounding": "up"}, timezone="UTC", currency="GBP"
    )
    end = (at("09:00") + timedelta(minutes=minutes)).isoformat()[:16]
    rights = [payment("p1", *paid)] if paid else []
    with_one = judged("09:00", end, *rights, by=flat)
    assert said(with_one) == said(judged("09:00", end, *rights, by=None))


MINUTES = st.integers(0, 2 * 24 * 60)
PAYMENTS = st.lists(st.tuples(MINUTES, st.integers(1, 600)), max_size=3)
TARIFFS = st.sampled_from(
    [
        tariff(),
        tariff(first_free_min=30),
        tariff(first_free_min=30, first_free="short-stays"),
        tariff(daily_cap=500),
        tariff([{"minutes": 20, "amount": 0}, {"minutes": 15, "amount": 70, "exact": True}]),
        tariff([{"amount": 500}], round_to=100, rounding="down"),
    ]
)


@given(by=TARIFFS, start=MINUTES, length=MINUTES, paid=PAYMENTS)
def test_a_tariff_accuses_nobody_who_was_not_accused_without(
    by: Tariff, start: int, length: int, paid: list[tuple[int, int]]
) -> None:
    def clock(minutes: int) -> str:
        return (at("00:00") + timedelta(minutes=minutes)).isoformat()[:16]

    rights = [
        payment(f"p{number}", clock(begins), clock(begins + minutes))
        for number, (begins, minutes) in enumerate(paid)
    ]
    stay = clock(start), clock(start + length)
    with_one, without = judged(*stay, *rights, by=by), judged(*stay, *rights, by=None)
    assert with_one.overstay_min <= without.overstay_min or without.verdict is not Verdict.OVERSTAY
    if with_one.verdict in ACCUSING:
        assert without.verdict in ACCUSING
