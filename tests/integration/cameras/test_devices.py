"""Setting a device up, its settings, its thumbnail, and pictures on demand, over HTTP."""

import base64
import contextlib
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client

from audit.models import AuditRow
from audit.services import Actor
from cameras import enrolment, wanted
from cameras.device_settings import checked, device_settings_save, watches
from cameras.enrolment import setup_token_create, setup_tokens_prune
from cameras.keys import device_key_use
from cameras.models import Camera, Capture, DeviceKey, DeviceSettings, SetupToken, Thumbnail
from core.errors import ProductError
from enforcement.retention.erasing import captures_empty
from enforcement.retention.services import forget, orphans_remove
from tests.integration.cameras.conftest import ADMIN, Device, ago, picture
from vault import files
from vault.models import DoomedFile
from vault.sealing import open_file

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
ENROL, HEARTBEATS, CAPTURES = "/api/v1/enrol", "/api/v1/heartbeats", "/api/v1/captures"
READ = {"text": "1AB 2345", "score": 0.9}


def now() -> datetime:
    return datetime.now(UTC)


def made(device: Device, at: datetime | None = None) -> str:
    """A set-up token of the device's camera, as it is shown."""
    return setup_token_create(camera=device.camera, actor=ADMIN, now=at or now()).text


def enrol(token: Any, slash: str = "") -> Any:
    return Client().post(ENROL + slash, {"token": token}, "application/json")


def refusal(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    assert error["sentence"]
    return answer.status_code, error["code"], error["field"]


# --- setting up -----------------------------------------------------------------------------------
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_token_becomes_a_key_once(device: Device, slash: str, settings: Any) -> None:
    settings.PLATEWARDEN_URL = "https://plates.example.org/"
    device.camera.site.regions = ["CZ"]
    device.camera.site.save()
    text = made(device)
    address, _, token = text.partition("#")
    assert address == "PLATEWARDEN:https://plates.example.org"
    assert len(text) <= 200
    answer = enrol(token, slash)
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    said = answer.json()
    assert (said["camera"], said["site"]) == (device.camera.slug, device.camera.site.slug)
    assert (said["regions"], said["regions_strict"]) == (["CZ"], False)
    key = device_key_use(text=said["key"], now=now())
    assert key.camera_id == device.camera.pk
    beat = Client().post(
        HEARTBEATS, "{}", "application/json", headers={"Authorization": f"Bearer {said['key']}"}
    )
    assert beat.status_code == 200
    assert refusal(enrol(token)) == (403, "token_used", "token")
    assert DeviceKey.objects.filter(camera=device.camera).count() == 2
    whats = [row.detail["what"] for row in AuditRow.objects.order_by("id")]
    assert whats[-3:] == ["created", "created", "used"]  # the token, the key, the token
    assert token not in str(list(AuditRow.objects.values_list("detail", flat=True)))
    assert token not in str(list(SetupToken.objects.values()))


def test_tokens_end(device: Device) -> None:
    old = made(device, now() - enrolment.LIFE).partition("#")[2]
    assert refusal(enrol(old))[:2] == (403, "token_expired")
    first, second = (made(device).partition("#")[2] for _ in range(2))
    assert refusal(enrol(first))[:2] == (403, "token_revoked")
    assert enrol(second).status_code == 201
    assert setup_tokens_prune(now=now() + enrolment.LIFE) == 0
    assert setup_tokens_prune(now=now() + enrolment.LIFE + timedelta(days=1, seconds=1)) == 3


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_of_tokens_made_at_once_one_is_good(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    make = enrolment.machine_key_create

    def meet(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # the other one comes here only if nothing holds it back
        return make(*args, **kwargs)

    monkeypatch.setattr(enrolment, "machine_key_create", meet)

    def one() -> None:
        made(device)
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SetupToken.objects.count() == 2
    assert SetupToken.objects.filter(revoked_at__isnull=True).count() == 1


def test_a_token_that_is_replaced_while_it_is_shown_is_none(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = made(device).partition("#")[2]
    find = enrolment.machine_key_find

    def late(*args: Any, **kwargs: Any) -> Any:
        found = find(*args, **kwargs)
        SetupToken.objects.update(revoked_at=now())
        return found

    monkeypatch.setattr(enrolment, "machine_key_find", late)
    assert refusal(enrol(token))[:2] == (403, "token_revoked")
    assert DeviceKey.objects.filter(camera=device.camera).count() == 1


def test_a_stranger_sends_little(db: None) -> None:
    long = json.dumps({"token": "x" * 5000})
    assert refusal(Client().post(ENROL, long, "application/json"))[:2] == (413, "body_too_large")


def test_a_camera_that_is_off_is_not_set_up(device: Device) -> None:
    token = made(device).partition("#")[2]
    Camera.objects.filter(pk=device.camera.pk).update(active=False)
    assert refusal(enrol(token))[:2] == (403, "camera_inactive")
    device.camera.refresh_from_db()
    with pytest.raises(ProductError, match="camera_inactive"):
        made(device)
    assert SetupToken.objects.get().used_at is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "json_malformed"),
        ("[]", 400, "not_an_object"),
        ("{}", 400, "token_missing"),
        ('{"token": 5}', 400, "token_missing"),
        ('{"token": " "}', 400, "token_missing"),
        ('{"token": "x", "camera": "lane-1"}', 400, "unknown_field"),
        ('{"token": "x"}', 401, "token_unknown"),
        ('{"token": "pws_00000000_' + "A" * 43 + '"}', 401, "token_unknown"),
    ],
)
def test_what_is_no_token(db: None, body: str, status: int, code: str) -> None:
    assert refusal(Client().post(ENROL, body, "application/json"))[:2] == (status, code)


def test_a_key_is_no_token_and_a_token_no_key(device: Device) -> None:
    assert refusal(enrol(device.shown))[:2] == (401, "token_unknown")
    device.shown = made(device).partition("#")[2]
    assert device.json({}, HEARTBEATS).status_code == 401


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_of_two_devices_with_one_token_one_is_let_in(device: Device) -> None:
    token = made(device).partition("#")[2]
    together, statuses = threading.Barrier(4, timeout=20), []

    def try_it() -> None:
        try:
            together.wait()
            statuses.append(enrol(token).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 403, 403, 403]
    assert DeviceKey.objects.filter(camera=device.camera).count() == 2


# --- settings -------------------------------------------------------------------------------------
def settle(device: Device, **raw: Any) -> DeviceSettings:
    return device_settings_save(camera=device.camera, raw=raw, user=None, actor=ADMIN, now=now())


def test_settings_go_out_with_the_heartbeats_answer(device: Device) -> None:
    assert device.json({}, HEARTBEATS).json() | {"received_at": ""} == {
        "received_at": "",
        "settings": {},
        "wanted": [],
        "hotlist": False,
    }
    settle(device, mode="read", watch=True)
    said = device.json({}, HEARTBEATS).json()
    assert said["settings"] == {"version": 1, **checked({"mode": "read", "watch": True})}
    assert said["hotlist"] is True
    assert watches(device.camera)
    row = settle(device, mode="read", watch=True)
    assert row.version == 1  # nothing changed
    row = settle(device, mode="crop")
    assert row.version == 2
    audited = AuditRow.objects.filter(subject="cameras.devicesettings").order_by("id")
    assert audited[1].detail == {"what": "changed", "fields": ["mode", "watch"], "version": 2}
    assert device.json({}, HEARTBEATS).json()["settings"]["mode"] == "crop"


def test_what_came_of_settings(device: Device) -> None:
    def state(**said: Any) -> str:
        assert device.json(said, HEARTBEATS).status_code == 200
        return DeviceSettings.objects.get().state

    settle(device, mode="read")
    assert state(settings_version=0) == "waiting"
    assert state() == "waiting"
    assert state(settings_version=1) == "applied"
    assert state() == "applied"  # a heartbeat that says nothing takes nothing back
    settle(device, min_score=0.9)
    assert state(settings_version=1) == "waiting"
    refused = {"version": 2, "field": "min_score", "sentence": "of 1AB2345"}
    assert state(settings_version=1, settings_refused=refused) == "refused"
    assert DeviceSettings.objects.get().refused_field == "min_score"
    assert state(settings_refused={**refused, "field": "1AB2345"}) == "refused"
    row = DeviceSettings.objects.get()
    assert row.refused_field == ""
    assert "1AB2345" not in str(row.__dict__)
    assert state(settings_refused={**refused, "version": -1}) == "waiting"  # of none of ours
    assert state(settings_version=2) == "applied"
    assert (row.version, DeviceSettings.objects.get().refused_version) == (2, None)


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_change_of_settings_takes_back_nothing_the_device_just_said(device: Device) -> None:
    settle(device, mode="read")

    def change() -> None:
        settle(device, mode="crop")
        connections.close_all()

    changing = threading.Thread(target=change)
    with transaction.atomic():
        DeviceSettings.objects.update(applied_version=1)
        changing.start()
        changing.join(0.5)
    changing.join()
    row = DeviceSettings.objects.get()
    assert (row.version, row.applied_version) == (2, 1)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"settings_version": -1}, "settings_version_out_of_range", "settings_version"),
        ({"settings_version": "1"}, "settings_version_invalid", "settings_version"),
        ({"settings_refused": 2}, "settings_refused_invalid", "settings_refused"),
        ({"settings_refused": {}}, "version_invalid", "settings_refused.version"),
        ({"settings_refused": {"why": ""}}, "unknown_field", "settings_refused.why"),
        (
            {"settings_refused": {"version": 1, "field": 5}},
            "settings_refused_invalid",
            "settings_refused",
        ),
        (
            {"settings_refused": {"version": 1, "sentence": "x" * 501}},
            "settings_refused_invalid",
            "settings_refused",
        ),
        ({"thumbnail": 5}, "thumbnail_invalid", "thumbnail"),
        ({"thumbnail": "no base64"}, "thumbnail_invalid", "thumbnail"),
        ({"thumbnail": ""}, "thumbnail_empty", "thumbnail"),
        ({"thumbnail": "AAAA"}, "picture_unsupported", "thumbnail"),
        ({"thumbnail": "A" * 80_008}, "picture_too_large", "thumbnail"),
        ({"detail": {"mode_because": "1AB2345"}}, "detail_invalid", "detail.mode_because"),
        ({"detail": {"trouble_lane": True}}, "unknown_field", "detail.trouble_lane"),
    ],
)
def test_heartbeats_refused(device: Device, body: Any, code: str, field: str) -> None:
    answer = device.json(body, HEARTBEATS)
    status = {"picture_unsupported": 415, "picture_too_large": 413}.get(code, 400)
    assert refusal(answer) == (status, code, field)


def test_what_a_device_says_stands_with_its_camera(device: Device) -> None:
    detail = {
        "fps": 24.5,
        "spool_oldest_s": 3.5,
        "mode": "read",
        "mode_because": "bandwidth",
        "reader_version": "3.0",
        "trouble_source": True,
    }
    device.json({"detail": detail}, HEARTBEATS)
    device.json({}, HEARTBEATS)  # says nothing of itself
    assert Camera.objects.get(pk=device.camera.pk).detail == detail


# --- what it sees ---------------------------------------------------------------------------------
def small(shade: int) -> str:
    return base64.b64encode(picture(shade)).decode()


def test_a_thumbnail_is_sealed_and_replaced(device: Device, sealed_store: Path) -> None:
    for shade in (1, 2):
        assert device.json({"thumbnail": small(shade)}, HEARTBEATS).status_code == 200
        row = Thumbnail.objects.get()
        clear = base64.b64decode(small(shade))
        stored = files.get(row.picture)
        assert clear[:20] not in stored
        assert row.data_class == "device-image"
    assert open_file(row, "picture") == base64.b64decode(small(2))
    assert list(DoomedFile.objects.values_list("name", flat=True)) != [row.picture]
    assert DoomedFile.objects.count() == 1


def test_a_thumbnail_goes_like_every_device_image(device: Device, neighbour: Device) -> None:
    for one in (device, neighbour):
        one.json({"thumbnail": small(1)}, HEARTBEATS)
    Thumbnail.objects.filter(camera=neighbour.camera).update(received_at=now() - timedelta(days=4))
    kept = Thumbnail.objects.get(camera=device.camera)
    assert [line.counts["pictures"] for line in forget(now=now(), dry_run=True)] == [1]
    assert [line.counts["pictures"] for line in forget(now=now())] == [1]
    assert Thumbnail.objects.get() == kept
    later = now() + timedelta(days=2, hours=20)
    orphans_remove(now=later)
    forget(now=later)  # its key is of a past day and still in use
    assert open_file(kept, "picture") == picture(1)


# --- the larger picture ---------------------------------------------------------------------------
LARGE = picture(7, size=(640, 360))


def capture(device: Device, **fields: Any) -> Capture:
    body = {"kind": "read", "captured_at": ago(seconds=1), "read": READ, **fields}
    answer = device.json({"event_id": uuid.uuid4().hex, **body})
    assert answer.status_code == 202
    return Capture.objects.get(pk=answer.json()["id"])


def ask(one: Capture) -> None:
    wanted.picture_ask(
        capture=one,
        actor=Actor("person", "olga"),
        purpose="quality-check",
        case_ref="",
        shows=[],
        now=now(),
    )


def put(device: Device, one: Any, data: bytes = LARGE) -> Any:
    pk = one.pk if isinstance(one, Capture) else one
    return device.client.put(f"{CAPTURES}/{pk}/picture", data, "image/jpeg", headers=device.headers)


def wanted_of(device: Device) -> list[str]:
    return list(device.json({}, HEARTBEATS).json()["wanted"])


def test_a_picture_comes_when_it_is_asked_for(device: Device, neighbour: Device) -> None:
    one, other = capture(device), capture(device)
    assert refusal(put(device, one))[:2] == (409, "picture_not_wanted")
    ask(one)
    ask(one)
    assert AuditRow.objects.filter(action="ask", subject_id=str(one.pk)).count() == 1
    assert wanted_of(device) == [str(one.pk)]
    assert wanted_of(neighbour) == []
    assert refusal(put(neighbour, one))[:2] == (404, "not_found")
    assert refusal(put(device, other))[:2] == (409, "picture_not_wanted")
    answer = put(device, one)
    assert (answer.status_code, answer.json()) == (201, {"id": str(one.pk)})
    assert wanted_of(device) == []
    assert put(device, one).status_code == 200
    assert refusal(put(device, one, picture(8)))[:2] == (409, "picture_present")
    one.refresh_from_db()
    assert one.picture_bytes == len(LARGE)
    assert one.picture_due  # the stage `act` looks for its cases
    assert open_file(one, "picture") == LARGE
    assert not wanted.can_ask(one, now())


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "picture_empty"),
        (b"GIF89a..........", 415, "picture_unsupported"),
        (b'{"picture": ""}', 415, "picture_unsupported"),
    ],
)
def test_what_is_no_picture(device: Device, data: bytes, status: int, code: str) -> None:
    one = capture(device)
    ask(one)
    assert refusal(put(device, one, data)) == (status, code, "picture")
    assert put(device, one).status_code == 201


def test_nobody_elses_address(device: Device) -> None:
    assert refusal(put(device, uuid.uuid4()))[:2] == (404, "not_found")
    assert refusal(put(device, "nonsense"))[:2] == (404, "not_found")
    device.shown = "pwd_x"
    assert put(device, uuid.uuid4()).status_code == 401


def test_only_a_read_without_a_picture_is_asked_for(device: Device) -> None:
    frame = capture(device, kind="frame", read=None, picture=small(1))
    whole = capture(device, picture=small(2))
    for one in (frame, whole):
        assert not wanted.can_ask(one, now())
        with pytest.raises(ProductError, match="picture_not_wanted"):
            ask(one)
    assert wanted_of(device) == []


def test_nothing_comes_back_of_what_was_forgotten(device: Device) -> None:
    one = capture(device)
    ask(one)
    captures_empty([one.pk])
    assert wanted_of(device) == []
    assert refusal(put(device, one))[:2] == (409, "picture_not_wanted")
    with pytest.raises(ProductError, match="picture_not_wanted"):
        ask(one)
    assert not wanted.can_ask(Capture.objects.get(pk=one.pk), now())


def test_a_picture_that_meets_forgetting_is_not_kept(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plate goes while its larger picture is being sealed."""
    one = capture(device)
    ask(one)
    seal = wanted.sealing.seal_file

    def slow(*args: Any, **kwargs: Any) -> None:
        seal(*args, **kwargs)
        captures_empty([one.pk])

    monkeypatch.setattr(wanted.sealing, "seal_file", slow)
    assert refusal(put(device, one))[:2] == (409, "picture_not_wanted")
    one.refresh_from_db()
    assert one.picture == ""
    assert DoomedFile.objects.count() == 1


def test_wishes_end(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = capture(device), capture(device)
    ask(one)
    ask(two)
    assert wanted.pictures_withdraw([one.pk]) == 1
    assert wanted_of(device) == [str(two.pk)]
    assert wanted.pictures_wanted(device.camera, now() + wanted.WAIT + timedelta(seconds=9)) == []
    monkeypatch.setattr(wanted, "MOST_WANTED", 1)
    ask(one)
    assert wanted_of(device) == [str(one.pk)]
    one.refresh_from_db()
    assert not wanted.can_ask(one, now())
    Capture.objects.update(wanted_at=now() - wanted.WAIT)
    one.refresh_from_db()
    assert wanted_of(device) == []
    assert wanted.can_ask(one, now())  # it never came: whoever looks may ask again
    ask(one)
    assert wanted_of(device) == [str(one.pk)]


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_decision_does_not_wait_for_a_capture_somebody_writes_to(device: Device) -> None:
    """The stage that writes may itself be waiting for the case."""
    one, two = capture(device), capture(device)
    ask(one)
    ask(two)
    held, decided = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            Capture.objects.select_for_update().get(pk=one.pk)
            held.set()
            assert decided.wait(20)
        connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    assert held.wait(20)
    assert wanted.pictures_withdraw([one.pk, two.pk]) == 1
    decided.set()
    writer.join()
    assert wanted_of(device) == [str(one.pk)]


def test_a_heartbeat_costs_few_statements(device: Device, django_assert_num_queries: Any) -> None:
    settle(device, mode="read")
    body = {"queue_depth": 0, "detail": {"fps": 20.0}, "settings_version": 1, "sent_at": ago()}
    device.json(body, HEARTBEATS)
    # itself, the camera's facts, its settings, what is wanted of it; once a second that it lives
    with django_assert_num_queries(4):
        device.json(body, HEARTBEATS)
