"""Section control: two cameras, two clocks, one speed."""

import pytest

from enforcement.cases.models import Case
from enforcement.cases.services import cases_act
from tests.integration.visits.world import World, at

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def section() -> World:
    return World(
        "section",
        cameras={"in": "entry", "out": "exit"},
        section={"metres": 2000, "limits": {"car": 80}, "tolerance": 3, "clock_s": 1},
        max_stay_minutes=30,
    )


def test_who_drove_too_fast_is_a_candidate_and_who_did_not_is_final_at_once() -> None:
    road = section()
    fast = road.read("in", "1AB2345", at("09:00:00"))
    slow = road.read("in", "2AB2345", at("09:00:10"))
    road.read("out", "1AB2345", at("09:01:00"))
    road.read("out", "2AB2345", at("09:02:00"))
    road.settle(at("09:10"))
    assert road.says(fast) == ("too-fast", "average-speed")
    assert road.says(slow) == ("compliant", "within-limit")
    assert road.visit(slow).final_at is not None
    assert not road.visit(slow).fuzzy
    cases_act(now=road.now)
    (case,) = Case.objects.all()
    assert (case.state, case.verdict) == (Case.State.CANDIDATE, "too-fast")
    (line,) = case.explanation
    assert "At least 116 km/h on average over 2000 m; 80 km/h are allowed" in line["sentence"]


def test_an_exempt_vehicle_and_one_that_left_between_are_no_cases() -> None:
    road = section()
    road.right("exemption", "3AB2345", reason="emergency")
    exempt = road.read("in", "3AB2345", at("09:00:00"))
    road.read("out", "3AB2345", at("09:00:40"))
    left = road.read("in", "4AB2345", at("09:00:00"))
    late = road.read("out", "4AB2345", at("09:40:00"))
    road.settle(at("10:00"))
    assert road.says(exempt) == ("exempt", "exemption")
    assert road.says(left) == ("none", "inferred-end")
    assert road.visit(late).status == "expired"
    cases_act(now=road.now)
    assert not Case.objects.exists()


def test_a_section_without_numbers_accuses_nobody() -> None:
    road = World("section", cameras={"in": "entry", "out": "exit"})
    read = road.read("in", "1AB2345", at("09:00:00"))
    road.read("out", "1AB2345", at("09:00:30"))
    road.settle(at("09:10"))
    assert road.says(read)[0] == "pending"
    cases_act(now=road.now)
    assert not Case.objects.exists()
