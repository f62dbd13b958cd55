"""A device without a clock of its own, after a power cut without network, and our server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cameras.models import Capture
from edge.clock import Clock
from edge.health import Health
from edge.items import Item
from edge.settings import Settings
from edge.spool import Spool
from edge.transport.rest import RestTransport
from edge.transport.sender import Sender
from tests.integration.cameras.conftest import Device

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

WRONG = timedelta(days=9)


class Boot:
    """One run of the machine, which thinks it is nine days ago and has its queue in `folder`."""

    def __init__(self, folder: Path, url: str, key: str, name: str) -> None:
        self.ticks, self.began = 0.0, datetime.now(UTC) - timedelta(hours=6)
        self.clock = Clock(
            monotonic=lambda: self.ticks,
            wall=lambda: (self.true - WRONG).timestamp(),
            synchronised=lambda: False,
            boot=name,
        )
        health = Health()
        self.spool = Spool(
            folder, bytes(32), max_bytes=10**7, keep_hours=96, clock=self.clock, health=health
        )
        self.line = RestTransport(url, key)
        self.sender = Sender(
            self.spool, self.line, clock=self.clock, health=health, settings=Settings
        )

    @property
    def true(self) -> datetime:
        return self.began + timedelta(seconds=self.ticks)

    def sees(self, text: str) -> datetime:
        self.ticks += 60
        read = {"read": {"text": text, "score": 0.9}}
        at = self.clock.now()
        self.spool.put(Item("read", self.clock.utc(at), read, event_id=text, at=at))
        return self.true

    def off(self) -> None:
        self.line.close()
        self.spool.close()


def test_a_wrong_time_judges_nobody(server: str, device: Device, tmp_path: Path) -> None:
    first = Boot(tmp_path, server, device.shown, "first")
    first.sees("AB1")
    first.off()
    second = Boot(tmp_path, server, device.shown, "second")
    times = [second.sees("AB2"), second.sees("AB3")]
    second.ticks = (datetime.now(UTC) - second.began).total_seconds()  # the network is back
    assert second.sender.step() == 0.0
    assert [one.quarantined for one in Capture.objects.all()] == [True], "of the first boot"
    assert second.sender.step() is None, "the others wait"
    sent = second.clock.now()
    said = second.line.heartbeat({"through": second.spool.watermark().isoformat()})
    second.clock.heard(sent, datetime.fromisoformat(said["received_at"]), sent)
    while second.sender.step() is not None:
        pass
    second.off()
    right = Capture.objects.filter(quarantined=False).order_by("captured_at")
    assert len(right) == 2
    for row, true in zip(right, times, strict=True):
        assert abs((row.captured_at - true).total_seconds()) < 10
    assert Capture.objects.count() == 3
