"""Vignette roads and charging zones: each passage is judged by itself."""

import pytest

from cameras.models import Capture
from enforcement.visits.models import VerdictVersion
from tests.integration.visits.world import at, city, motorway

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def test_a_first_read_is_judged_at_once_and_finally_when_the_camera_has_reported() -> None:
    road = motorway()
    road.right(
        "vignette", "1AB2345", country="CZ", scheme="CZ", product="1-day", first_day="2026-03-02"
    )
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.judge()
    first = road.verdict(read)
    assert (first.verdict, first.reason, first.provisional) == ("paid", "vignette", True)
    assert road.passage(read).final_at is None
    capture = Capture.objects.get(pk=read.capture_id)
    assert capture.judged_at == road.now
    assert capture.outcome["verdicts"]["0"]["verdict"] == "paid"
    assert capture.outcome["verdicts"]["0"]["provisional"] is True
    judged_at = capture.judged_at

    road.settle(at("10:05"))
    last = road.verdict(read)
    assert (last.verdict, last.provisional, last.version) == ("paid", False, first.version + 1)
    assert road.passage(read).final_at == at("10:05")
    capture.refresh_from_db()
    assert capture.judged_at == judged_at
    assert capture.outcome["verdicts"]["0"]["provisional"] is False


def test_without_a_vignette_it_is_unpaid_and_never_final() -> None:
    road = motorway()
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.settle(at("10:05"))
    verdict = road.verdict(read)
    assert (verdict.verdict, verdict.reason, verdict.provisional) == ("unpaid", "no-right", False)
    assert verdict.act_due
    assert road.passage(read).final_at is None


def test_one_that_ended_yesterday_is_named_as_the_reason() -> None:
    road = motorway()
    right = road.right(
        "vignette",
        "1AB2345",
        country="CZ",
        scheme="CZ",
        product="1-day",
        first_day="2026-03-01",
        bought_at=at("08:00", -1),
    )
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.settle(at("10:05"))
    verdict = road.verdict(read)
    assert (verdict.verdict, verdict.reason, verdict.right_id) == (
        "unpaid",
        "right-ended",
        right.pk,
    )
