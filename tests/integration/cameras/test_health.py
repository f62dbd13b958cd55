"""Heartbeats, watermarks, offline detection, and outcomes of captures."""

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import Client

from cameras import limits, services
from cameras.intake import Sent
from cameras.keys import device_keys_forget
from cameras.models import Camera, Capture, DeviceSettings, Heartbeat
from cameras.outcomes import captures_tell
from cameras.selectors import cameras_health, captures_today
from cameras.tasks import health
from core import stages
from core.ids import uuid7
from core.live import CHANNEL
from tests.integration.cameras.conftest import Device, ago, make_device, make_site, picture

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
HEARTBEATS = "/api/v1/heartbeats"
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def camera_of(device: Device) -> Camera:
    return Camera.objects.select_related("site").get(pk=device.camera.pk)


def capture_at(device: Device, now: datetime, number: int = 0, **fields: Any) -> Capture:
    sent = Sent(kind="read", captured_at=now, event=f"seq:{number}", **fields)
    return services.capture_receive(camera=camera_of(device), sent=sent, now=now)


def beat(device: Device, now: datetime, **fields: Any) -> Camera:
    said = {"queue_depth": None, "through": None, "sent_at": None, "detail": {}, **fields}
    services.heartbeat_receive(camera=camera_of(device), now=now, **said)
    return camera_of(device)


# --- heartbeats over HTTP -------------------------------------------------------------------------
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_heartbeat(device: Device, slash: str) -> None:
    sent_at, through = ago(seconds=30), ago(minutes=1)
    answer = device.json(
        {
            "queue_depth": 12,
            "through": through,
            "sent_at": sent_at,
            "detail": {"fps": 24.5, "version": "1.4.2", "infrared": False, "state": "ok"},
        },
        HEARTBEATS + slash,
    )
    assert answer.status_code == 200
    heartbeat = Heartbeat.objects.get()
    assert datetime.fromisoformat(answer.json()["received_at"]) == heartbeat.received_at
    assert answer.json()["settings"] == {}
    assert heartbeat.detail == {"fps": 24.5, "version": "1.4.2", "infrared": False, "state": "ok"}
    camera = camera_of(device)
    assert (camera.state, camera.queue_depth) == ("online", 12)
    assert camera.last_seen_at == heartbeat.received_at
    assert camera.through == datetime.fromisoformat(through)
    assert camera.clock_skew_seconds == heartbeat.clock_skew_seconds == pytest.approx(-30, abs=5)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ([], "not_an_object", None),
        ("{", "json_malformed", None),
        ({"queue": 1}, "unknown_field", "queue"),
        ({"queue_depth": -1}, "queue_depth_out_of_range", "queue_depth"),
        ({"queue_depth": 2**31}, "queue_depth_out_of_range", "queue_depth"),
        ({"queue_depth": 1.5}, "queue_depth_invalid", "queue_depth"),
        ({"through": "2026-03-01T09:00:00"}, "through_naive", "through"),
        ({"sent_at": 5}, "sent_at_invalid", "sent_at"),
        ({"detail": []}, "detail_invalid", "detail"),
        ({"detail": {"state": "1AB2345"}}, "detail_invalid", "detail.state"),
        ({"detail": {"version": "1AB2345"}}, "detail_invalid", "detail.version"),
        ({"detail": {"fps": float("nan")}}, "detail_invalid", "detail.fps"),
        ({"detail": {"plate": 1}}, "unknown_field", "detail.plate"),
    ],
)
def test_heartbeats_refused(device: Device, body: Any, code: str, field: str | None) -> None:
    answer = device.json(body, HEARTBEATS)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["field"] == field
    assert not Heartbeat.objects.exists()


# --- watermarks -----------------------------------------------------------------------------------
def test_the_watermark_only_rises(device: Device) -> None:
    first, second = NOW - timedelta(seconds=9), NOW - timedelta(seconds=4)
    assert beat(device, NOW, through=first).through == first
    later = NOW + timedelta(minutes=1)
    assert beat(device, later, through=NOW - timedelta(hours=1)).through == first
    capture_at(device, later, through=second)
    assert camera_of(device).through == second
    assert beat(device, NOW).last_seen_at == later


def test_an_empty_queue_says_everything_was_delivered(device: Device) -> None:
    spoken = NOW - timedelta(seconds=1)
    assert beat(device, NOW, sent_at=spoken, queue_depth=3).through is None
    assert beat(device, NOW, sent_at=spoken, queue_depth=0).through == spoken


def test_nobody_delivers_the_future(device: Device) -> None:
    assert beat(device, NOW, through=NOW + timedelta(seconds=2)).through == NOW


@pytest.mark.parametrize("lie", ["through", "sent_at"])
def test_a_clock_ahead_moves_no_watermark(device: Device, lie: str) -> None:
    said = {"through": NOW, "sent_at": NOW, lie: NOW + timedelta(days=365)}
    camera = beat(device, NOW, **said)
    assert camera.through is None
    assert camera.state == "online"


def test_a_measured_skew_quarantines_until_it_is_gone(device: Device) -> None:
    beat(device, NOW, sent_at=NOW + timedelta(minutes=5))
    assert capture_at(device, NOW, 1).quarantined
    assert not capture_at(device, NOW, 2, sent_at=NOW).quarantined
    beat(device, NOW)  # says nothing of its clock
    assert capture_at(device, NOW, 3).quarantined
    beat(device, NOW, sent_at=NOW)
    assert not capture_at(device, NOW, 4).quarantined


def test_a_clock_that_lags_is_known_by_its_heartbeat(device: Device) -> None:
    limit = timedelta(seconds=device.camera.site.skew_limit_seconds)
    on_its_way = timedelta(seconds=5)
    beat(device, NOW, sent_at=NOW - limit - on_its_way)
    assert not capture_at(device, NOW, 1).quarantined
    late = NOW - timedelta(minutes=10)
    assert not capture_at(device, NOW, 2, sent_at=late).quarantined, "a picture may take its time"
    beat(device, NOW, sent_at=NOW - limit - on_its_way - timedelta(milliseconds=1))
    assert capture_at(device, NOW, 3).quarantined
    assert capture_at(device, NOW, 4, sent_at=NOW).quarantined
    beat(device, NOW, sent_at=NOW)
    assert not capture_at(device, NOW, 5).quarantined


# --- offline --------------------------------------------------------------------------------------
def listen() -> Any:
    pubsub = redis.Redis.from_url(settings.REDIS_URL).pubsub()
    pubsub.subscribe(CHANNEL)
    assert pubsub.get_message(timeout=5)["type"] == "subscribe"
    return pubsub


def heard(pubsub: Any, device: Device) -> int:
    """Lines about this device's camera that were waiting. Others may be talking meanwhile."""
    count = 0
    while (message := pubsub.get_message(timeout=0.3)) is not None:
        line = json.loads(message["data"])
        count += line["kind"] == "camera" and line["id"] == str(device.camera.pk)
    return count


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_silence_and_return_are_announced_once(device: Device) -> None:
    live = listen()
    quiet = timedelta(seconds=device.camera.site.offline_after_seconds)
    beat(device, NOW)
    beat(device, NOW + timedelta(minutes=1))
    assert heard(live, device) == 1
    assert services.cameras_check(now=NOW + timedelta(minutes=1) + quiet) == 0
    late = NOW + timedelta(minutes=1, seconds=1) + quiet
    assert services.cameras_check(now=late) == 1
    assert services.cameras_check(now=late) == 0
    assert camera_of(device).state == "offline"
    assert heard(live, device) == 1
    capture_at(device, late)
    assert camera_of(device).state == "online"
    assert heard(live, device) == 1


def test_sites_allow_different_silences(device: Device) -> None:
    patient = make_site("patient")
    patient.offline_after_seconds = 3600
    patient.save()
    other = make_device(patient, "gate")
    beat(device, NOW)
    beat(other, NOW)
    assert services.cameras_check(now=NOW + timedelta(minutes=10)) == 1
    assert [camera_of(one).state for one in (device, other)] == ["offline", "online"]


def test_a_camera_never_heard_of_is_not_offline(device: Device) -> None:
    assert services.cameras_check(now=NOW) == 0
    assert camera_of(device).state == "new"


def test_the_stage_lets_old_heartbeats_go(device: Device) -> None:
    now = datetime.now(UTC)
    for days in (6, 8, 9):
        beat(device, now - timedelta(days=days))
    health()
    (kept,) = Heartbeat.objects.all()
    assert kept.received_at == now - timedelta(days=6)
    assert camera_of(device).state == "offline"


def test_pruning_goes_in_steps(device: Device) -> None:
    for second in range(5):
        beat(device, NOW + timedelta(seconds=second))
    later = NOW + timedelta(days=8)
    assert [services.heartbeats_prune(now=later, limit=3) for _ in range(3)] == [3, 2, 0]


def test_few_writes_under_load(device: Device, django_assert_num_queries: Any) -> None:
    beat(device, NOW)
    camera = camera_of(device)
    half = NOW + timedelta(milliseconds=500)
    with django_assert_num_queries(0):
        services._heard(camera, now=half, through=None)
    services._heard(camera, now=half, through=half)
    assert camera_of(device).through == half


def test_a_capture_costs_three_statements(
    device: Device, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends it (once a second), whether it is known, and the row; the camera is noted once a
    second."""

    def send(number: int) -> None:
        body = {"captured_at": ago(), "sequence": number, "kind": "crop"}
        assert device.form(picture=picture(number), **body).status_code == 202

    monkeypatch.setattr("cameras.keys.monotonic", lambda: 0.0)
    send(0)
    Camera.objects.filter(pk=device.camera.pk).update(last_seen_at=NOW + timedelta(days=9999))
    device_keys_forget()
    with django_assert_num_queries(3):
        send(1)
    with django_assert_num_queries(2):
        send(2)


# --- outcomes -------------------------------------------------------------------------------------
def test_outcomes_merge(device: Device) -> None:
    capture = capture_at(device, NOW)

    def add(capture_id: uuid.UUID, facts: Any, judged_at: Any = None) -> int:
        return captures_tell({capture_id: facts}, judged_at=judged_at)

    verdict = {"verdict": "pending", "reason": "awaiting-camera"}
    assert add(capture_id=capture.pk, facts={"reads": 2, "rejected": []})
    add(capture_id=capture.pk, facts={"verdicts": {"0": verdict}}, judged_at=NOW)
    add(capture_id=capture.pk, facts={"alerts": 1})
    add(capture_id=capture.pk, facts={"verdicts": {"1": verdict}}, judged_at=NOW + timedelta(1))
    add(capture_id=capture.pk, facts={"verdicts": {"0": {"verdict": "paid"}}})
    capture.refresh_from_db()
    assert capture.judged_at == NOW
    assert capture.outcome == {
        "reads": 2,
        "rejected": [],
        "alerts": 1,
        "verdicts": {"0": {"verdict": "paid"}, "1": verdict},
    }
    assert not add(capture_id=uuid.uuid4(), facts={"reads": 1})


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_stages_that_finish_together_lose_nothing(device: Device) -> None:
    capture = capture_at(device, NOW)
    together = threading.Barrier(6, timeout=20)

    def add(number: int) -> None:
        try:
            together.wait()
            for step in range(5):
                facts = {f"stage{number}": step, "verdicts": {f"{number}.{step}": {}}}
                captures_tell({capture.pk: facts})
        finally:
            connections.close_all()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    capture.refresh_from_db()
    assert len(capture.outcome["verdicts"]) == 30
    assert {capture.outcome[f"stage{number}"] for number in range(6)} == {4}


# --- without Redis --------------------------------------------------------------------------------
@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_capture_is_taken_without_redis(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = redis.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.1)
    asked: list[int] = []

    def bucket() -> Any:
        asked.append(1)
        return nowhere.register_script("return 0")

    rung: list[str] = []
    monkeypatch.setattr(limits, "_bucket", bucket)
    monkeypatch.setattr(limits, "_away_until", 0.0)
    monkeypatch.setattr(stages, "ring_now", lambda stage: rung.append(stage) or False)
    for number in range(3):
        body = {
            "kind": "read",
            "captured_at": ago(),
            "sequence": number,
            "read": {"text": "1AB2345", "score": 1},
        }
        assert device.json(body).status_code == 202
    assert Capture.objects.count() == 3
    assert rung == ["recognise"] * 3
    assert len(asked) == 1  # a Redis that is away isn't asked again at once


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_batch_rings_once(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(stages, "ring_now", lambda stage: rung.append(stage) or True)
    item = {"kind": "read", "captured_at": ago(), "read": {"text": "1AB2345", "score": 1}}
    device.json({"items": [{**item, "sequence": number} for number in range(5)]})
    device.json({"items": [{}]})
    assert rung == ["recognise"]


# --- figures --------------------------------------------------------------------------------------
def test_figures_of_today_by_each_sites_midnight(device: Device) -> None:
    tokyo = make_site("tokyo")
    tokyo.timezone = "Asia/Tokyo"
    tokyo.save()
    east = make_device(tokyo, "gate")
    sites = type(tokyo).objects.all()
    for number, at in enumerate((NOW - timedelta(hours=11), NOW - timedelta(hours=8))):
        capture_at(device, at, number)  # Prague: yesterday 23:00, today 02:00
        capture_at(east, at, number)  # Tokyo: today 07:00, today 10:00
    Capture.objects.filter(camera=east.camera).update(status="recognised")
    assert captures_today(sites, NOW) == {
        "total": 3,
        "quarantined": 0,
        "received": 1,
        "recognised": 2,
        "unreadable": 0,
        "failed": 0,
    }
    assert captures_today(sites.filter(pk=tokyo.pk), NOW)["total"] == 2
    assert captures_today(sites.none(), NOW)["total"] == 0


def test_health_shows_trouble_first(
    device: Device, neighbour: Device, django_assert_num_queries: Any
) -> None:
    beat(device, NOW, sent_at=NOW)
    beat(neighbour, NOW, sent_at=NOW - timedelta(minutes=3))
    sites = type(device.camera.site).objects.filter(pk=device.camera.site_id)
    with django_assert_num_queries(2):
        found = cameras_health(sites, NOW)
    assert [one.camera.slug for one in found] == ["lane-2", "lane-1"]
    assert [(one.skewed, one.healthy) for one in found] == [(True, False), (False, True)]
    assert found[1].newest_key == device.key


def test_what_a_device_has_trouble_with_is_trouble(device: Device) -> None:
    def healthy() -> bool:
        (one,) = cameras_health(type(device.camera.site).objects.all(), NOW)
        return one.healthy

    beat(device, NOW, sent_at=NOW, detail={"trouble_source": False})
    assert healthy()
    beat(device, NOW, detail={"trouble_source": True})
    assert not healthy()
    beat(device, NOW, detail={"fps": 20.0})
    assert healthy()
    row = DeviceSettings.objects.create(camera=device.camera, changed_at=NOW, refused_version=1)
    assert not healthy()
    row.version = 2
    row.save()
    assert healthy()


def test_an_id_is_as_old_as_its_capture(device: Device) -> None:
    capture = capture_at(device, NOW)
    assert capture.pk.int >> 80 == uuid7(NOW).int >> 80


def test_an_unknown_client_sends_no_heartbeat() -> None:
    assert Client().post(HEARTBEATS, "{}", "application/json").status_code == 401
