"""Every read's capture hears its verdict, also where the verdict was there before the read."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.road import Road, outcome

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_second_frame_of_a_vehicle_hears_the_verdict_of_the_first() -> None:
    road = Road("vignette", {"north": "passing"}, T, scheme="CZ")
    first = road.send("7U15392", "north", T)
    road.turn(T)
    second = road.send("7U15392", "north", T + timedelta(seconds=2))
    road.turn(T + timedelta(seconds=2))
    assert outcome(first)["verdicts"]["0"]["verdict"] == "unpaid"
    assert outcome(second)["verdicts"]["0"]["verdict"] == "unpaid"


def test_an_exit_that_leaves_the_verdict_as_it_is_hears_it_too() -> None:
    road = Road("parking", {"in": "entry", "out": "exit"}, T)
    road.send("2K69135", "in", T)
    road.turn(T)
    last = road.send("2K69135", "out", T + timedelta(hours=1))
    road.turn(T + timedelta(hours=1))
    assert outcome(last)["verdicts"]["0"]["verdict"] == "pending"
