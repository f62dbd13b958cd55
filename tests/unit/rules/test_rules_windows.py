"""Charging windows and zone payments as data."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from enforcement.rights.facts import RuleError
from enforcement.rights.zones import Window, zone_payment

LONDON = ZoneInfo("Europe/London")


def window(**more: Any) -> dict[str, Any]:
    data = {"days": [1, 2, 3, 4, 5], "from": "07:00", "to": "18:00", "pay_until": "P3D midnight"}
    return {**data, **more}


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def test_a_window_carries_its_version() -> None:
    assert Window.from_data(window(), "Europe/London").versions == ("window/default",)
    named = Window.from_data(window(), "Europe/London", "window/2026-03-01")
    assert named.versions == ("window/2026-03-01",)


def test_a_zone_may_be_charged_at_several_hours() -> None:
    twice = Window.from_data(
        {
            "hours": [
                {"days": [1, 2, 3, 4, 5], "from": "07:00", "to": "10:00"},
                {"days": [6], "from": "09:00", "to": "12:00"},
            ],
            "pay_until": "P0D midnight",
        },
        "Europe/London",
    )
    assert twice.charged_day(local("2026-03-02T09:59:59")) == date(2026, 3, 2)
    assert twice.charged_day(local("2026-03-02T10:00")) is None
    assert twice.charged_day(local("2026-03-07T08:00")) is None
    assert twice.charged_day(local("2026-03-07T11:00")) == date(2026, 3, 7)
    assert twice.charged_day(local("2026-03-08T11:00")) is None
    assert twice.deadline(date(2026, 3, 7)) == datetime(2026, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize("pay_until", ["P3D", "3 days", "P3D midnight or so", ""])
def test_a_deadline_that_cannot_be_read_is_refused_in_words(pay_until: str) -> None:
    with pytest.raises(RuleError) as refused:
        Window.from_data(window(pay_until=pay_until), "Europe/London")
    assert refused.value.code == "window-malformed"
    assert refused.value.sentence == (
        "The window can't be read: “pay_until” reads like “P3D midnight”."
    )


def test_a_window_without_a_deadline_is_refused_at_its_place() -> None:
    data = window()
    del data["pay_until"]
    with pytest.raises(RuleError) as refused:
        Window.from_data(data, "Europe/London")
    assert refused.value.code == "window-malformed"
    assert refused.value.sentence == "The window can't be read: “pay_until” is missing."


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ("2026-07-06", "2026-07-05T23:00:00+00:00", "2026-07-06T23:00:00+00:00"),
        ("2026-03-29", "2026-03-29T00:00:00+00:00", "2026-03-29T23:00:00+00:00"),  # 23 hours
        ("2026-10-25", "2026-10-24T23:00:00+00:00", "2026-10-26T00:00:00+00:00"),  # 25 hours
    ],
)
def test_a_zone_payment_is_for_a_local_day(day: str, start: str, end: str) -> None:
    right = zone_payment(
        id="z", plate="AB12CDE", country="GB", day=date.fromisoformat(day), timezone=LONDON
    )
    assert (right.start, right.end) == tuple(map(datetime.fromisoformat, (start, end)))
    assert right.version == 1


def test_a_zone_payment_keeps_what_was_sold() -> None:
    known_at = datetime(2026, 3, 2, tzinfo=UTC)
    right = zone_payment(
        id="z7",
        plate="AB12CDE",
        country="GB",
        day=date(2026, 3, 2),
        timezone=LONDON,
        known_at=known_at,
        version=4,
    )
    assert (right.id, right.plates, right.country) == ("z7", ("AB12CDE",), "GB")
    assert (right.known_at, right.version) == (known_at, 4)
