"""Brokers, a bridge between them and the product, and a camera with a key."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from cameras.models import Capture, Site
from gateway import bridge
from gateway.bridge import Bridge
from gateway.messages import Taken, message_take, topics
from tests.integration.cameras.conftest import Device, make_device, make_site
from tests.integration.gateway.brokers import Amqtt, Broker, Mosquitto, program

WITHIN = 20.0


@pytest.fixture
def site(db: None) -> Site:
    return make_site(f"site-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def device(site: Site) -> Device:
    return make_device(site, "lane-1")


@pytest.fixture
def neighbour(site: Site) -> Device:
    return make_device(site, "lane-2")


@pytest.fixture(params=["amqtt", "mosquitto-3.1.1", "mosquitto-5"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A running broker, and the version of MQTT that is spoken with it."""
    name, _, version = str(request.param).partition("-")
    if name == "mosquitto":
        program()
    made: Broker = (
        Amqtt() if name == "amqtt" else Mosquitto(tmp_path / name, 5 if version == "5" else 3)
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker whose sessions outlive it."""
    program()
    made = Mosquitto(tmp_path / "mosquitto", 3)
    made.start()
    yield made
    made.stop()


def take(topic: str, payload: bytes) -> Taken:
    return message_take(topic=topic, payload=payload, now=timezone.now())


def at(broker: Broker, **change: Any) -> bridge.Broker:
    said = {"username": "bridge", "version": broker.version} | change
    return bridge.Broker("127.0.0.1", broker.port, **said)


@contextmanager
def bridging(
    where: bridge.Broker, taking: Callable[[str, bytes], Taken] = take, *, ready: bool = True
) -> Iterator[Bridge]:
    """A bridge at work in a thread; with `ready`, its subscriptions stand."""
    made = Bridge(where, topics(), taking)
    stop = threading.Event()

    def run() -> None:
        try:
            made.run(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        if ready:
            eventually(lambda: made._subscribed)
        yield made
    finally:
        stop.set()
        thread.join(WITHIN)
        assert not thread.is_alive()


def eventually(condition: Callable[[], bool]) -> None:
    """Waits for what must come true."""
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def stored() -> int:
    return Capture.objects.count()
