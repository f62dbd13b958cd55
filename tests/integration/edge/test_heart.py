"""The agent's heart and our server: what the one says and the other answers, over HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cameras.device_settings import device_settings_save
from cameras.models import Camera, Capture, DeviceSettings, Heartbeat, Thumbnail
from core.models import User
from edge.clock import Clock
from edge.device import device_facts
from edge.health import Health
from edge.heartbeat import Heartbeat as Heart
from edge.hits import PURPOSE, Hits
from edge.items import Item
from edge.remote import Remote
from edge.sealing import Sealer
from edge.settings import Settings
from edge.spool import Spool
from edge.transport.rest import RestTransport
from tests.integration.cameras.conftest import ADMIN, Device, picture
from tests.integration.watchlist.watchmaker import add, make_list
from vault.sealing import open_file

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@dataclass
class Roadside:
    """A device's heart with everything it beats for, all real."""

    line: RestTransport
    spool: Spool
    health: Health
    remote: Remote
    hits: Hits
    heart: Heart
    thumbnails: list[bytes]


@pytest.fixture
def roadside(server: str, device: Device, tmp_path: Path) -> Iterator[Roadside]:
    clock, health = Clock(synchronised=lambda: True), Health()
    spool = Spool(
        tmp_path / "spool", bytes(32), max_bytes=10**7, keep_hours=100, clock=clock, health=health
    )
    remote = Remote(tmp_path / "settings.json", Settings(), health)
    hits = Hits(tmp_path / "hotlist", Sealer(bytes(32), PURPOSE), clock.utc, health)
    line = RestTransport(server, device.shown)
    thumbnails: list[bytes] = []
    heart = Heart(
        line,
        spool,
        clock,
        health,
        remote,
        hits,
        folder=tmp_path,
        thumbnail=lambda: thumbnails.pop() if thumbnails else None,
    )
    yield Roadside(line, spool, health, remote, hits, heart, thumbnails)
    line.close()
    spool.close()


def settle(device: Device, **raw: object) -> None:
    device_settings_save(
        camera=device.camera, raw=raw, user=None, actor=ADMIN, now=datetime.now(UTC)
    )


def test_the_server_knows_how_the_device_is(
    roadside: Roadside, device: Device, tmp_path: Path
) -> None:
    roadside.health.note("mode", "read")
    roadside.health.note("mode_why", "room")
    roadside.health.note("provider", "CPUExecutionProvider")
    roadside.health.note("precision", "int8")
    roadside.health.count("frames_dropped", 4)
    roadside.health.trouble("source", "No picture for 20 s.")
    roadside.spool.put(Item("read", datetime.now(UTC), {"read": {"text": "1AB2345", "score": 0.9}}))
    roadside.heart.beat()
    camera = Camera.objects.get(pk=device.camera.pk)
    assert camera.queue_depth == 1
    assert camera.clock_skew_seconds is not None
    assert abs(camera.clock_skew_seconds) < 5
    detail = camera.detail
    told = ("mode", "mode_because", "provider", "precision", "dropped", "trouble_source")
    assert [detail[name] for name in told] == ["read", "room", "cpu", "int8", 4, True]
    assert detail.keys() >= device_facts(tmp_path).keys()
    assert "heartbeat_fields_refused" not in roadside.health.snapshot()
    [beat] = Heartbeat.objects.all()
    assert beat.through is not None
    assert beat.through < beat.received_at


def test_settings_reach_the_device_and_the_server_learns_of_it(
    roadside: Roadside, device: Device
) -> None:
    settle(device, mode="crop", min_score=0.8, region_of_interest=[[0, 0], [1, 0], [0.5, 1]])
    roadside.heart.beat()
    assert roadside.remote().mode == "crop"
    assert roadside.remote().region_of_interest == ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0))
    assert DeviceSettings.objects.get().state == "waiting"
    roadside.heart.beat()
    assert DeviceSettings.objects.get().state == "applied"


def test_settings_this_device_cannot_take_are_refused_by_name(
    roadside: Roadside, device: Device
) -> None:
    settle(device, mode="crop")
    DeviceSettings.objects.update(values={"mode": "film"})  # of a server newer than the agent
    roadside.heart.beat()
    roadside.heart.beat()
    row = DeviceSettings.objects.get()
    assert (row.state, row.refused_field) == ("refused", "mode")
    assert roadside.remote() == Settings()


def test_a_thumbnail_arrives_sealed(roadside: Roadside) -> None:
    seen = picture(3, size=(160, 90))
    roadside.thumbnails.append(seen)
    roadside.heart.beat()
    assert open_file(Thumbnail.objects.get(), "picture") == seen


def test_a_larger_picture_comes_when_somebody_asked_for_it(
    roadside: Roadside, device: Device
) -> None:
    larger = picture(4, size=(640, 360))
    roadside.spool.put(
        Item(
            "read",
            datetime.now(UTC) - timedelta(seconds=5),
            {"read": {"text": "1AB2345", "score": 0.9}},
            crop=picture(5),
            wanted=larger,
        )
    )
    waiting = roadside.spool.peek(10, 10**6)
    answer = roadside.line.send(
        waiting, sent_at=datetime.now(UTC), through=roadside.spool.watermark()
    )
    [taken] = answer.outcomes
    capture_id = getattr(taken, "capture_id", None)
    roadside.spool.done({waiting[0].item.event_id: capture_id})
    roadside.heart.beat()
    assert Capture.objects.get().picture == ""
    Capture.objects.update(wanted_at=datetime.now(UTC))
    roadside.heart.beat()
    capture = Capture.objects.get()
    assert open_file(capture, "picture") == larger
    assert roadside.spool.larger(str(capture.pk)) is None
    roadside.heart.beat()
    assert roadside.health.snapshot()["wanted_sent"] == 1


def test_a_hit_is_noticed_while_the_network_is_gone(roadside: Roadside, device: Device) -> None:
    anna = User.objects.create_user("anna", "anna@example.com")
    watchlist = make_list(device.camera.site.organisation, anna)
    add(watchlist, anna, "ST0LEN1", expires_at=datetime.now(UTC) + timedelta(days=30))
    roadside.heart.beat()
    now = datetime.now(UTC)
    assert roadside.hits.check("ST0LEN1", now) is None  # the settings do not say so
    settle(device, watch=True)
    roadside.heart.beat()
    etag = roadside.hits.etag
    found = [roadside.hits.check(text, now) for text in ("ST0LEN1", "STOLEN1", "XX11YYY")]
    assert [hit.how if hit else None for hit in found] == ["exact", "possible", None]
    roadside.heart.beat()
    assert roadside.hits.etag == etag is not None
    settle(device, watch=False)
    roadside.heart.beat()
    assert roadside.hits.check("ST0LEN1", now) is None
