"""`manage mqtt_bridge` as a process: killed at random it loses nothing and stores nothing twice.
The agent's own MQTT road leads through it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from cameras.models import Capture
from edge.items import Item
from edge.spool import Spooled
from edge.transport.mqtt import MqttTransport
from tests.integration.cameras.conftest import Device, picture
from tests.integration.gateway.brokers import Broker, Mosquitto, publish
from tests.integration.gateway.conftest import at, bridging, eventually, stored

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "keys"])
ROOT = Path(__file__).resolve().parents[3]
MESSAGES, KILLS = 150, 4


def url(alias: str) -> str:
    """The address of the test's own database."""
    said = connections[alias].settings_dict
    who = quote(str(said["USER"])) + (f":{quote(said['PASSWORD'])}" if said["PASSWORD"] else "")
    query = urlencode({name: str(said[name.upper()]) for name in ("host", "port")})
    return f"postgres://{who}@/{said['NAME']}?{query}"


@contextmanager
def process(broker: Broker, store: Path, alive: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The bridge, which has its subscriptions as soon as `alive` is there."""
    alive.unlink(missing_ok=True)
    running = subprocess.Popen(
        [sys.executable, "manage.py", "mqtt_bridge", "--alive", str(alive)],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": url("default"),
            "KEYSTORE_URL": url("keys"),
            "STORAGE_URL": f"file://{store}",
            "PLATEWARDEN_MQTT_URL": f"mqtt://bridge@127.0.0.1:{broker.port}?version={broker.version}",
        },
        stderr=subprocess.PIPE,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def message(device: Device, number: int) -> bytes:
    at = datetime.now(UTC) - timedelta(minutes=10) + timedelta(seconds=number)
    said = {
        "key": device.shown,
        "kind": "read",
        "event_id": f"e{number}",
        "captured_at": at.isoformat(),
        "read": {"text": f"SEEN{number:05}", "score": 0.9},
    }
    return json.dumps(said).encode()


def test_killed_at_random_it_loses_nothing_and_doubles_nothing(
    mosquitto: Mosquitto, device: Device, sealed_store: Path, tmp_path: Path
) -> None:
    alive = tmp_path / "alive"
    with process(mosquitto, sealed_store, alive):
        eventually(alive.exists)  # from now on the broker keeps what comes for it
    topic = "platewarden/lane-1/reads"
    messages = [message(device, number) for number in range(MESSAGES)]
    dice = random.Random(4)
    cuts = [round(MESSAGES * part / (KILLS + 1)) for part in range(KILLS + 2)]
    reached = []
    for begin, end in pairwise(cuts[:-1]):
        with process(mosquitto, sealed_store, alive) as running:
            eventually(alive.exists)
            publish(mosquitto, topic, *messages[begin:end])
            time.sleep(dice.uniform(0, 0.05))
            running.send_signal(signal.SIGKILL)
        reached.append(stored())
    publish(mosquitto, topic, *messages[cuts[-2] :])
    with process(mosquitto, sealed_store, alive) as running:
        eventually(lambda: stored() >= MESSAGES)
        running.send_signal(signal.SIGTERM)
        assert running.stderr is not None
        log = running.stderr.read().decode()
        assert running.wait(20) == 0
    assert stored() == MESSAGES
    assert Capture.objects.values("captured_at").distinct().count() == MESSAGES
    assert reached == sorted(reached)
    assert "bridge_counts" in log
    assert "SEEN" not in log
    assert device.shown not in log


def test_the_agents_own_road_leads_through_the_bridge(broker: Broker, device: Device) -> None:
    now, here = datetime.now(UTC), {"latitude": 50.0, "longitude": 14.0}
    items = [
        Spooled(
            number,
            Item(
                "read",
                now - timedelta(seconds=number),
                {"read": {"text": f"AGENT{number}", "score": 0.9}, **here},
                crop=picture(number),
            ),
            1000,
        )
        for number in range(3)
    ]  # fmt: skip
    transport = MqttTransport(
        "127.0.0.1", broker.port, camera="lane-1", key=device.shown, tls=False,
        version="5" if broker.version == 5 else "3.1.1", user="device",
    )  # fmt: skip
    try:
        with bridging(at(broker)) as running:
            for _ in range(2):  # the same again, as after a lost acknowledgement
                transport.send(items, sent_at=now, through=now)
            eventually(lambda: running.counts["stored"] == 6)
            assert dict(running.counts) == {"stored": 6}
    finally:
        transport.close()
    assert stored() == 3
    assert {bool(capture.crop) for capture in Capture.objects.all()} == {True}
    assert {(c.latitude, c.longitude) for c in Capture.objects.all()} == {(50.0, 14.0)}


def test_without_a_broker_it_says_so(settings: Any) -> None:
    settings.MQTT_BROKER = None
    with pytest.raises(CommandError, match="PLATEWARDEN_MQTT_URL"):
        call_command("mqtt_bridge")
