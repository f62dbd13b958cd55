"""The MQTT road, from a device's spool over real brokers into the intake."""

import hashlib
import os
import random
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cameras.models import Camera
from edge.health import Health
from edge.items import Item
from edge.settings import Settings
from edge.spool import Spool, Spooled
from edge.transport import Later, TooMuch, TransportError, Unreachable
from edge.transport.mqtt import MqttTransport, Version, sealed
from edge.transport.sender import Sender
from gateway.envelope import opened
from tests.integration.cameras.conftest import Device
from tests.integration.edge.test_faults import Clock, texts
from tests.integration.gateway.brokers import Amqtt, Broker, Mosquitto, free_port, program
from tests.integration.gateway.conftest import (  # noqa: F401 - fixtures
    at,
    bridging,
    broker,
    device,
    eventually,
    site,
    stored,
)

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

NOW = datetime.now(UTC)
KEY = "pwd_0123abcd_" + "x" * 43


def spooled(number: int, size: int = 0) -> Spooled:
    read = {"read": {"text": f"AB{number}CD", "score": 0.9}}
    at = NOW - timedelta(minutes=5) + timedelta(seconds=number)
    crop = os.urandom(size) if size else None
    return Spooled(number, Item("read", at, read, crop=crop, event_id=f"event-{number}"), 1)


def transport(port: int, version: int = 3, key: str = KEY) -> MqttTransport:
    spoken: Version = "5" if version == 5 else "3.1.1"
    return MqttTransport(
        "127.0.0.1", port, camera="lane-1", key=key, tls=False, version=spoken, user="device"
    )


def test_from_the_spool_over_the_broker_into_the_intake(
    broker: Broker,  # noqa: F811
    device: Device,  # noqa: F811
    tmp_path: Path,
) -> None:
    health, clock = Health(), Clock()
    spool = Spool(
        tmp_path / "spool", bytes(32), max_bytes=10**8, keep_hours=1, clock=clock, health=health
    )
    spool.confirmed = False
    road = transport(broker.port, broker.version, device.shown)
    sender = Sender(
        spool, road, clock=clock, health=health, settings=Settings, draw=random.Random(1)
    )
    with bridging(at(broker)):
        for number in range(120):
            spool.put(spooled(number).item)
        assert sender.step() == 0.0
        if isinstance(broker, Amqtt):  # what it has not handed on when it ends is gone
            eventually(lambda: stored() >= 100)
        broker.stop()
        assert sender.step()
        assert "broker" in health.troubles["sender"]
        broker.start()
        while sender.step() is not None:
            pass
        # amqtt forgets with its end who was subscribed: what comes until they are back is gone
        kept = 100 if isinstance(broker, Amqtt) else 120
        eventually(lambda: stored() >= kept)
    road.close()
    assert spool.state().waiting == 0
    assert spool.watermark() < NOW - timedelta(days=9999), "the broker has them; who knows more?"
    last = NOW - timedelta(minutes=5) + timedelta(seconds=kept - 1)
    heard = Camera.objects.get(pk=device.camera.pk).through
    assert heard is not None
    assert heard >= last
    assert texts()[:kept] == [f"AB{number}CD" for number in range(kept)]


def test_the_server_opens_what_the_device_seals() -> None:
    payload = sealed({"items": [{"read": {"text": "AB1CD"}}]}, KEY)
    assert b"AB1CD" not in payload
    assert KEY.encode() not in payload
    key, body = opened(
        payload,
        digest_of=lambda prefix: (
            hashlib.sha256(KEY.encode()).digest() if prefix == "0123abcd" else None
        ),
        most=10_000,
    )
    assert (key, body) == (KEY, {"items": [{"read": {"text": "AB1CD"}}]})
    with pytest.raises(ValueError, match="device key"):
        sealed({}, "pws_0123abcd_" + "x" * 43)


def test_a_broker_that_is_not_there() -> None:
    with pytest.raises(Unreachable):
        transport(free_port()).send([spooled(1)], sent_at=NOW, through=NOW)


def test_a_broker_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.transport.mqtt._CONNECT_S", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Unreachable, match="not answer"),
    ):
        transport(silent.getsockname()[1]).send([spooled(1)], sent_at=NOW, through=NOW)


def test_a_broker_that_lets_nobody_in_without_a_name() -> None:
    broker = Amqtt()  # noqa: F811
    broker.start()
    try:
        road = MqttTransport(
            "127.0.0.1", broker.port, camera="lane-1", key=KEY, tls=False, version="3.1.1"
        )
        with pytest.raises(TransportError, match="broker"):
            road.send([spooled(1)], sent_at=NOW, through=NOW)
    finally:
        broker.stop()


def test_a_broker_with_nobody_to_keep_it_for_has_not_got_it(tmp_path: Path) -> None:
    program()
    broker = Mosquitto(tmp_path / "mosquitto", 5)  # noqa: F811
    broker.start()
    try:
        road = transport(broker.port, 5)
        with pytest.raises(Later, match="bridge"):
            road.send([spooled(1)], sent_at=NOW, through=NOW)
        road.close()
    finally:
        broker.stop()


def test_a_message_too_large_for_the_broker(tmp_path: Path) -> None:
    program()
    broker = Mosquitto(  # noqa: F811
        tmp_path / "mosquitto", 5, "allow_anonymous true\nmax_packet_size 2000"
    )
    broker.start()
    try:
        road = transport(broker.port, 5)
        with pytest.raises(TooMuch):
            road.send([spooled(number, 100) for number in range(100)], sent_at=NOW, through=NOW)
        road.close()
    finally:
        broker.stop()
