"""A device on a bad line, before the real intake: everything arrives, once, in order."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from cameras.keys import device_keys_forget
from cameras.models import Camera, Capture, DeviceKey
from edge.health import Health
from edge.items import Item
from edge.settings import Settings
from edge.spool import Spool
from edge.transport import (
    BatchRefused,
    KeyRefused,
    Later,
    Misanswered,
    TooMuch,
    TransportError,
    Unreachable,
)
from edge.transport.rest import RestTransport
from edge.transport.sender import Sender
from tests.integration.cameras.conftest import Device, picture
from tests.integration.edge.faults import FAULTS, Fault, FaultProxy, by_chance, in_turn
from vault import sealing

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


class Clock:
    """The machine's."""

    boot, known_since = "boot", 0.0

    def now(self) -> float:
        return datetime.now(UTC).timestamp()

    def utc(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC)


@dataclass
class Roadside:
    """A device without the waits: `step` after `step`, its back-offs are noted and skipped."""

    spool: Spool
    sender: Sender
    health: Health
    begin: datetime
    pauses: list[float] = field(default_factory=list)

    def put(self, number: int, **more: Any) -> Item:
        read = {"text": f"AB{number}CD", "score": 0.9, "char_scores": [], "country": "CZ"}
        item = Item(
            "read",
            self.begin + timedelta(milliseconds=number),
            {"read": read, "latitude": 50.1, "longitude": 14.4, "heading": 90.0},
            event_id=f"event-{number}",
            **more,
        )
        self.spool.put(item)
        return item

    def deliver(self, most: int = 2000) -> None:
        while (pause := self.sender.step()) is not None:
            self.pauses.append(pause)
            assert len(self.pauses) < most, f"it never ends: {self.health.troubles}"


@contextmanager
def roadside(folder: Path, url: str, key: str) -> Iterator[Roadside]:
    health, clock = Health(), Clock()
    spool = Spool(folder, bytes(32), max_bytes=10**8, keep_hours=48, clock=clock, health=health)
    transport = RestTransport(url, key)
    sender = Sender(
        spool,
        transport,
        clock=clock,
        health=health,
        settings=lambda: Settings(keep_hours=24 * 90),
        draw=random.Random(1),
    )
    yield Roadside(spool, sender, health, datetime.now(UTC) - timedelta(minutes=5))
    transport.close()
    spool.close()


def texts() -> list[str]:
    """The plates stored, as they came."""
    rows = Capture.objects.order_by("received_at", "captured_at")
    return [json.loads(sealing.open_text(row, "read"))["text"] for row in rows]


def test_a_chance_mixture_of_faults_loses_and_doubles_nothing(
    server: str, device: Device, tmp_path: Path
) -> None:
    proxy = FaultProxy(server, by_chance(4, 0.5))
    proxy.slow_s = 0.01
    with proxy.serving() as url, roadside(tmp_path, url, device.shown) as road:
        for number in range(300):
            road.put(number, crop=picture(number % 200) if number % 3 else None)
            if number % 2:
                road.sender.step()
        road.deliver()
        assert road.spool.state().waiting == 0
        assert road.spool.refused() == []
    assert texts() == [f"AB{number}CD" for number in range(300)]
    assert set(FAULTS) <= set(proxy.seen)
    taken = Capture.objects.order_by("received_at", "captured_at").values_list(
        "captured_at", flat=True
    )
    assert list(taken) == sorted(taken)


def test_each_fault_alone(server: str, device: Device, tmp_path: Path) -> None:
    faults: list[Fault] = [*FAULTS, "413"]
    for round_, fault in enumerate(faults):
        proxy = FaultProxy(server, in_turn(fault, fault))
        with proxy.serving() as url, roadside(tmp_path / fault, url, device.shown) as road:
            for number in range(8 * round_, 8 * round_ + 8):
                road.put(number)
            road.deliver()
            assert road.spool.refused() == [], fault
            if fault == "slow":
                assert (proxy.seen, road.pauses) == (["slow"], [0.0])
                continue
            assert proxy.seen[:3] == [fault, fault, "pass"], fault
            first, second = road.pauses[:2]
        if fault in ("429", "503"):
            assert 7 <= first <= 7.7, fault
        elif fault == "413":
            assert first == second == 0
        else:
            assert 0 < first < second, fault
    assert texts() == [f"AB{number}CD" for number in range(8 * len(faults))]


def test_what_the_device_sends_is_what_is_stored(
    server: str, device: Device, tmp_path: Path
) -> None:
    with roadside(tmp_path, server, device.shown) as road:
        item = road.put(1, crop=picture(7), wanted=picture(8))
        road.deliver()
        row = Capture.objects.get()
        assert road.spool.larger(str(row.pk)) == picture(8)
    assert row.captured_at == item.captured_at
    assert (row.latitude, row.longitude, row.heading) == (50.1, 14.4, 90.0)
    assert sealing.open_file(row, "crop") == picture(7)
    assert row.camera == device.camera
    assert not row.quarantined


def test_it_goes_compressed(server: str, device: Device, tmp_path: Path) -> None:
    with roadside(tmp_path, server, device.shown) as road:
        items = [road.put(number) for number in range(100)]
        road.deliver()
        sent = int(str(road.health.snapshot()["bytes_sent"]))
    assert Capture.objects.count() == 100
    assert sent < 0.2 * sum(len(json.dumps(item.fields)) + 200 for item in items)


def test_a_refused_read_is_set_aside_with_its_reason(
    server: str, device: Device, tmp_path: Path
) -> None:
    with roadside(tmp_path, server, device.shown) as road:
        for number in range(3):
            road.put(number)
        road.spool.put(
            Item("read", road.begin, {"read": {"text": "AB1", "score": 2}}, event_id="wrong")
        )
        road.spool.put(
            Item("read", road.begin - timedelta(days=60), {"read": {}}, event_id="ancient")
        )
        road.put(3)
        road.deliver()
        found = {(one.event_id, one.code, one.field) for one in road.spool.refused()}
    assert found == {
        ("wrong", "score_out_of_range", "read.score"),
        ("ancient", "captured_at_too_old", "captured_at"),
    }
    assert texts() == [f"AB{number}CD" for number in range(4)]


def test_a_batch_of_nothing_but_refused_items_is_understood(
    server: str, device: Device, tmp_path: Path
) -> None:
    with roadside(tmp_path, server, device.shown) as road:
        for number in range(3):
            road.spool.put(Item("frame", road.begin, {}, b"no picture", event_id=f"{number}"))
        road.deliver()
        assert {one.code for one in road.spool.refused()} == {"picture_unsupported"}
        assert len(road.pauses) == 1


def test_a_revoked_key_costs_nothing(server: str, device: Device, tmp_path: Path) -> None:
    with roadside(tmp_path, server, device.shown) as road:
        road.put(1)
        DeviceKey.objects.filter(pk=device.key.pk).update(revoked_at=datetime.now(UTC))
        device_keys_forget()
        pause = road.sender.step()
        assert pause is not None
        assert pause >= 30
        assert "key_revoked" in road.health.troubles["sender"]
        DeviceKey.objects.filter(pk=device.key.pk).update(revoked_at=None)
        device_keys_forget()
        road.deliver()
    assert texts() == ["AB1CD"]


def test_a_device_too_fast_for_the_server_slows_down(
    server: str, device: Device, tmp_path: Path, settings: Any
) -> None:
    settings.DEVICE_RATE, settings.DEVICE_BURST = 0.1, 5
    with roadside(tmp_path, server, device.shown) as road:
        for number in range(250):
            road.put(number)
        for _ in range(3):
            pause = road.sender.step()
        assert pause is not None
        assert pause >= 10
        settings.DEVICE_RATE = settings.DEVICE_BURST = 1_000_000
        road.deliver()
    assert len(texts()) == 250


def test_a_database_that_is_away_costs_nothing(server: str, device: Device, tmp_path: Path) -> None:
    with roadside(tmp_path, server, device.shown) as road:
        for number in range(20):
            road.put(number)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        road.deliver()
    assert texts() == [f"AB{number}CD" for number in range(20)]


# --- the other requests -----------------------------------------------------------------------
def test_heartbeats_take_the_same_road(server: str, device: Device) -> None:
    transport = RestTransport(server, device.shown)
    answer = transport.heartbeat({"queue_depth": 7, "detail": {"fps": 12.5}})
    assert datetime.fromisoformat(answer["received_at"]).tzinfo is not None
    assert Camera.objects.get(pk=device.camera.pk).queue_depth == 7
    with pytest.raises(BatchRefused) as refused:
        transport.heartbeat({"detail": {"plates": "AB1CD"}})
    assert (refused.value.code, refused.value.field) == ("unknown_field", "detail.plates")
    with pytest.raises(KeyRefused):
        RestTransport(server, "pwd_00000000_" + "x" * 43).heartbeat({})


def test_a_picture_nobody_asked_for_is_refused(server: str, device: Device, tmp_path: Path) -> None:
    with roadside(tmp_path, server, device.shown) as road:
        road.put(1)
        road.deliver()
    transport = RestTransport(server, device.shown)
    with pytest.raises(BatchRefused):
        transport.put_picture(str(Capture.objects.get().pk), picture(1))
    assert not Capture.objects.get().picture


def test_what_a_broken_answer_is(server: str, device: Device) -> None:
    expected: dict[Fault, type[TransportError]] = {
        "refused": Unreachable,
        "lost": Unreachable,
        "half": Unreachable,
        "garbage": Misanswered,
        "portal": Misanswered,
        "elsewhere": Misanswered,
        "empty": Misanswered,
        "502": Misanswered,
        "429": Later,
        "413": TooMuch,
    }
    for fault, error in expected.items():
        with FaultProxy(server, in_turn(fault)).serving() as url:
            transport = RestTransport(url, device.shown)
            with pytest.raises(error) as raised:
                transport.heartbeat({})
            assert device.shown not in str(raised.value)
            assert transport.heartbeat({})["received_at"], fault
            transport.close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        RestTransport("http://127.0.0.1:9", "pwd_00000000_" + "x" * 43).heartbeat({})
