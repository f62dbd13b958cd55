"""What recognition turns down is counted with the capture's own row, once, whoever is second."""

import uuid
from datetime import UTC, datetime

import pytest

from cameras.counting import Counted, counted
from cameras.intake import Sent
from cameras.models import Capture, Site
from cameras.services import capture_receive
from plates.recognition import Found, Outcome
from plates.services import capture_finish
from tests.integration.road import Road, outcome

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_capture_counts_once_for_its_camera() -> None:
    road = Road("parking", {"in": "entry", "out": "exit"}, T)
    sent = Sent(kind="frame", captured_at=T, event=f"id:{uuid.uuid4()}", picture=b"a picture")
    capture = capture_receive(camera=road.camera("in"), sent=sent, now=T)
    read = Outcome(plates=(Found("1AB2345", 0.9),), rejected={"blurred": 2, "too-small": 1})
    assert capture_finish(capture=capture, outcome=read, now=T)
    assert not capture_finish(capture=capture, outcome=read, now=T)
    today, lately = counted(Site.objects.all(), T)[road.camera("in").pk]
    assert today == lately == Counted(1, 0, 1, {"blurred": 2, "too-small": 1})
    assert outcome(Capture.objects.get(pk=capture.pk))["rejected"] == [
        {"reason": "blurred", "count": 2},
        {"reason": "too-small", "count": 1},
    ]
