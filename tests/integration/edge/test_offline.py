"""A day without a network: everything waits, and arrives in order once it is back.

The table of `./run bench edge` has the same with 100,000 reads.
"""

import json
import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cameras.models import Camera, Capture
from edge.health import Health
from edge.items import Item
from edge.settings import Settings
from edge.spool import SETTLING, Spool
from edge.transport.rest import RestTransport
from edge.transport.sender import Sender
from tests.integration.cameras.conftest import Device, ago, make_device
from tests.integration.edge.faults import Fault, FaultProxy
from vault import sealing

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

READS = 1200
DAY = timedelta(hours=24)


class Clock:
    """Begins a day ago and is moved by hand."""

    def __init__(self) -> None:
        self.begin = datetime.now(UTC) - DAY
        self.seconds = 0.0
        self.boot, self.known_since = "boot", 0.0

    def now(self) -> float:
        return self.seconds

    def utc(self, at: float) -> datetime:
        return self.begin + timedelta(seconds=at)


def test_a_day_offline(server: str, device: Device, tmp_path: Path) -> None:
    clock, health = Clock(), Health()
    down = True

    def choose() -> Fault:
        return "refused" if down else "pass"

    proxy = FaultProxy(server, choose)
    spool = Spool(tmp_path, bytes(32), max_bytes=10**8, keep_hours=168, clock=clock, health=health)
    with proxy.serving() as url:
        sender = Sender(
            spool,
            RestTransport(url, device.shown),
            clock=clock,
            health=health,
            settings=Settings,
            draw=random.Random(1),
        )
        tries, due = 0, 0.0
        for number in range(READS):
            clock.seconds = number * DAY.total_seconds() / READS
            spool.put(
                Item(
                    "read",
                    clock.utc(clock.seconds),
                    {"read": {"text": f"AB{number:05}", "score": 0.9}},
                    event_id=f"event-{number}",
                )
            )
            if clock.seconds >= due:
                pause = sender.step()
                assert pause is not None
                assert pause <= 60, "it would not notice that the network is back"
                tries, due = tries + 1, clock.seconds + max(pause, 600)
        clock.seconds = DAY.total_seconds()
        assert tries > 100
        state = spool.state()
        assert (state.waiting, state.refused) == (READS, 0)
        assert state.oldest_s == DAY.total_seconds()
        assert spool.watermark() < clock.begin
        assert "sender" in health.troubles

        down = False
        live = make_device(device.camera.site, "lane-2")
        stop, answers = threading.Event(), []

        def passing() -> None:
            """A camera beside it, whose line was never down."""
            while not stop.is_set():
                read = {"text": "LIVE1", "score": 0.9}
                body = {"kind": "read", "captured_at": ago(seconds=1), "read": read}
                said = RestTransport(server, live.shown)
                answers.append(said.heartbeat({"queue_depth": 0}) and _post(said, body))

        beside = threading.Thread(target=passing)
        beside.start()
        steps = 0
        while sender.step() is not None:
            steps += 1
        stop.set()
        beside.join()

    assert steps < READS / 20
    assert spool.state().waiting == 0
    assert spool.watermark() == clock.utc(clock.seconds) - SETTLING
    assert health.troubles == {}
    rows = list(Capture.objects.filter(camera=device.camera).order_by("received_at", "captured_at"))
    found = [json.loads(sealing.open_text(row, "read"))["text"] for row in rows]
    assert found == [f"AB{number:05}" for number in range(READS)]
    assert [row.captured_at for row in rows] == sorted(row.captured_at for row in rows)
    assert not any(row.quarantined for row in rows)
    assert answers
    assert set(answers) == {202}
    assert Capture.objects.filter(camera=live.camera).count() == len(answers)
    assert Camera.objects.get(pk=device.camera.pk).state == Camera.State.ONLINE


def _post(transport: RestTransport, body: object) -> int:
    status, _ = transport._exchange("POST", "/api/v1/captures", json.dumps(body).encode())
    return status
