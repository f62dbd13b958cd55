"""What was delivered but not read yet may change a verdict: nothing is final before it is read."""

from datetime import UTC, datetime, timedelta

import pytest

from enforcement.cases.models import Case
from enforcement.cases.services import cases_act
from enforcement.visits.services import passages_judge, passages_rejudge_due
from plates.gathering import passages_close
from tests.integration.road import Road, outcome

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_no_case_is_opened_while_a_delivered_capture_waits_to_be_read() -> None:
    road = Road("parking", {"in": "entry", "out": "exit"}, T)
    road.send("2K69135", "in", T)
    last = road.send("2K69135", "out", T + HOUR)
    road.turn(T + HOUR)
    # delivered by a busy site, not recognised yet: it may show that the vehicle left and came back
    road.send("2K69135", "out", T + HOUR / 2)
    now = T + 2 * HOUR
    road.report(now)
    for _ in range(3):
        passages_close(now=now)
        passages_rejudge_due(now=now)
        passages_judge(now=now)
        cases_act(now=now)
    said = outcome(last)["verdicts"]["0"]
    assert (said["verdict"], said["reason"]) == ("pending", "awaiting-camera")
    assert not Case.objects.exists()
    road.turn(now)
    road.turn(now)
    assert outcome(last)["verdicts"]["0"]["reason"] != "awaiting-camera"


def test_read_at_last_the_verdict_follows() -> None:
    road = Road("vignette", {"north": "passing"}, T, scheme="CZ")
    seen = road.send("7U15392", "north", T)
    road.turn(T)
    road.send("7U15399", "north", T)
    road.report(T + HOUR)
    passages_rejudge_due(now=T + HOUR)
    passages_judge(now=T + HOUR)
    assert outcome(seen)["verdicts"]["0"]["provisional"] is True
    road.turn(T + HOUR)
    road.turn(T + HOUR)
    assert outcome(seen)["verdicts"]["0"]["provisional"] is False
    assert Case.objects.count() == 2
