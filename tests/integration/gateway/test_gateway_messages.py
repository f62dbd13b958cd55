"""What a message's captures become, and what stops a stranger on the broker."""

import errno
import itertools
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError

from audit.services import Actor
from cameras.keys import device_key_revoke, device_keys_forget
from cameras.models import Camera, Capture, Site
from core.stages import STAGES
from gateway import messages
from gateway.envelope import sealed
from gateway.frigate import TOPIC
from gateway.messages import Taken, message_take
from tests.integration.cameras.conftest import Device, ago, make_device, make_site, picture
from vault import files

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
READS = "platewarden/lane-1/reads"


def read(number: int = 1, **change: Any) -> dict[str, Any]:
    return {
        "kind": "read",
        "event_id": f"e{number}",
        "captured_at": ago(seconds=5),
        "read": {"text": f"AB{number:04}", "score": 0.9},
    } | change


def take(payload: Any, topic: str = READS) -> Taken:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return message_take(topic=topic, payload=raw, now=datetime.now(UTC))


def test_one_capture_a_batch_and_a_sealed_message(device: Device) -> None:
    assert take({"key": device.shown, **read(1)}) == Taken(stored=1)
    assert take({"key": device.shown, "items": [read(2), read(3)]}) == Taken(stored=2)
    body = json.dumps({"key": device.shown, "items": [read(4)]}).encode()
    assert take(sealed(body, key=device.shown)) == Taken(stored=1)
    assert set(Capture.objects.values_list("camera", "kind")) == {(device.camera.pk, "read")}
    assert Capture.objects.count() == 4


def test_pictures_come_in_base64_and_are_sealed(device: Device) -> None:
    crop = picture()
    frame = {"kind": "frame", "event_id": "f", "captured_at": ago(seconds=1)}
    frame["picture"] = b64encode(crop).decode()
    body = {"key": device.shown, "items": [read(crop=b64encode(crop).decode()), frame]}
    assert take(body) == Taken(stored=2)
    assert all(c.picture or c.crop for c in Capture.objects.all())
    assert Capture.objects.get(kind="frame").picture_bytes == len(crop)


def test_a_message_taken_again_is_stored_once(device: Device) -> None:
    body = {"key": device.shown, "items": [read(1), read(2)]}
    assert take(body) == take(body) == Taken(stored=2)
    # and what came by REST before is the same event
    assert device.json(body["items"][0]).status_code == 202
    assert Capture.objects.count() == 2


def test_bad_items_do_not_harm_their_neighbours(device: Device) -> None:
    items = [
        read(1),
        read(2, captured_at="yesterday"),
        read(3, read={"text": "", "score": 1}),
        "text",
        read(1, read={"text": "OTHER1", "score": 0.5}),
        read(4, camera="lane-9"),
        read(5, picture="%%"),
    ]
    taken = take({"key": device.shown, "items": items})
    assert taken.stored == 1
    assert dict(taken.refused) == {
        "captured_at_invalid": 1,
        "plate_empty": 1,
        "not_an_object": 1,
        "event_conflict": 1,
        "unknown_camera": 1,
        "picture_invalid": 1,
    }
    assert Capture.objects.count() == 1


def test_what_cannot_be_stored_is_not_acknowledged_and_keeps_no_other_out(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, calls = files.put, itertools.count()

    def sometimes(data: bytes, *, now: datetime) -> str:
        if next(calls) == 1:
            raise OSError(errno.ENOSPC, "no space left on device")
        return put(data, now=now)

    monkeypatch.setattr(files, "put", sometimes)
    crop = b64encode(picture(size=(40, 12))).decode()
    body = {"key": device.shown, "items": [read(n, crop=crop) for n in range(3)]}
    with pytest.raises(OSError, match="no space"):  # the bridge waits, and takes it again
        take(body)
    assert Capture.objects.count() == 2
    assert take(body) == Taken(stored=3)
    assert Capture.objects.count() == 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"items": []}, "empty_batch"),
        ({"items": 3}, "items_invalid"),
        ({"items": [{}] * 101}, "batch_too_large"),
        ({"items": [{}], "more": 1}, "unknown_field"),
        ({}, "captured_at_missing"),
    ],
)
def test_a_body_is_checked_as_by_rest(device: Device, change: dict[str, Any], code: str) -> None:
    assert dict(take({"key": device.shown} | change).refused) == {code: 1}


def test_who_has_no_key_posts_nothing(device: Device, neighbour: Device) -> None:
    """Anybody on the broker may publish to any topic: only the key in the message counts."""
    stranger = "pwd_00000000_" + "x" * 43
    forged = sealed(json.dumps({"key": stranger, **read()}).encode(), key=device.shown)
    assert dict(take(read()).refused) == {"key_missing": 1}
    assert dict(take({"key": stranger, **read()}).refused) == {"key_unknown": 1}
    assert dict(take({"key": "", **read()}).refused) == {"key_missing": 1}
    assert dict(take(forged).refused) == {"key_unknown": 1}
    # a key of another camera, and a name of another
    assert dict(take({"key": neighbour.shown, **read()}).refused) == {"unknown_camera": 1}
    assert Capture.objects.count() == 0


def test_a_seal_made_of_the_databases_digest_is_not_enough(device: Device) -> None:
    """A thief of the database can seal, but does not know the key that must stand inside."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from gateway import envelope

    head, nonce = b"PW1" + device.key.prefix.encode(), bytes(12)
    sealing = AESGCM(envelope._seal_key(bytes(device.key.digest)))
    for inside in ({}, {"key": bytes(device.key.digest).hex()}):
        body = envelope.zlib.compress(json.dumps({**inside, **read()}).encode())
        taken = take(head + nonce + sealing.encrypt(nonce, body, head))
        assert sum(taken.refused.values()) == 1
        assert set(taken.refused) <= {"key_missing", "key_unknown"}
    assert Capture.objects.count() == 0


def test_a_revoked_key_and_a_camera_switched_off_are_refused(device: Device) -> None:
    Camera.objects.filter(pk=device.camera.pk).update(active=False)
    assert dict(take({"key": device.shown, **read()}).refused) == {"camera_inactive": 1}
    Camera.objects.filter(pk=device.camera.pk).update(active=True)
    device_key_revoke(key=device.key, actor=Actor("person", "admin"), now=datetime.now(UTC))
    device_keys_forget()
    assert dict(take({"key": device.shown, **read()}).refused) == {"key_revoked": 1}


@pytest.mark.parametrize("topic", ["", "platewarden", "platewarden/lane-1", "a/b/c/d"])
def test_a_topic_nobody_asked_for_is_refused(device: Device, topic: str) -> None:
    assert dict(take({"key": device.shown, **read()}, topic).refused) == {"unknown_topic": 1}


def test_the_same_name_at_two_sites_is_two_cameras(device: Device) -> None:
    elsewhere = make_device(make_site("elsewhere"), "lane-1")
    take({"key": device.shown, **read()})
    take({"key": elsewhere.shown, **read()})
    assert set(Capture.objects.values_list("camera", flat=True)) == {
        device.camera.pk,
        elsewhere.camera.pk,
    }


def test_recognition_is_woken_and_the_camera_is_heard_of(
    device: Device, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    rung: list[str] = []
    monkeypatch.setattr("core.stages.ring_now", rung.append)
    with django_capture_on_commit_callbacks(execute=True):
        take({"key": device.shown, "items": [read(1), read(2)]})
    assert rung == ["recognise"]
    assert "recognise" in STAGES
    device.camera.refresh_from_db()
    assert device.camera.state == Camera.State.ONLINE


def test_what_is_away_is_said_not_swallowed(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**kwargs: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(messages, "captures_store", away)
    with pytest.raises(OperationalError):
        take({"key": device.shown, **read()})


# --- Frigate --------------------------------------------------------------------------------------
def lpr(**change: Any) -> bytes:
    said = {"type": "lpr", "id": "17-x", "name": None, "plate": "AB12 CDE", "score": 0.9}
    said |= {"camera": "garage", "timestamp": datetime.now(UTC).timestamp()}
    return json.dumps(said | change).encode()


def test_frigates_plates_come_in_as_reads_of_our_camera(
    device: Device, site: Site, settings: Any
) -> None:
    settings.FRIGATE_CAMERAS = {"garage": (site.slug, "lane-1")}
    message = lpr()
    assert take(message, TOPIC) == take(message, TOPIC) == Taken(stored=1)
    assert [(c.camera_id, c.kind) for c in Capture.objects.all()] == [(device.camera.pk, "read")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"camera": "porch"}, "unknown_camera"),
        ({"camera": "gone"}, "unknown_camera"),
        ({"type": "face"}, "no_plate"),
        ({"plate": None}, "plate_missing"),
        ({"plate": "X" * 40}, "plate_too_long"),
        ({"plate": "\0"}, "plate_not_text"),
        ({"score": None}, "score_missing"),
        ({"score": 2}, "score_out_of_range"),
        ({"timestamp": 1.0}, "captured_at_too_old"),
        ({"id": "x" * 300}, "event_id_too_long"),
    ],
)
def test_what_frigate_says_wrong_is_counted(
    device: Device, site: Site, settings: Any, change: dict[str, Any], code: str
) -> None:
    settings.FRIGATE_CAMERAS = {"garage": (site.slug, "lane-1"), "gone": (site.slug, "gone")}
    assert dict(take(lpr(**change), TOPIC).refused) == {code: 1}
    assert Capture.objects.count() == 0


def test_frigates_topic_is_left_alone_where_no_camera_is_mapped(settings: Any) -> None:
    settings.FRIGATE_CAMERAS = {}
    assert messages.topics() == ["platewarden/+/reads"]
    settings.FRIGATE_CAMERAS = {"garage": ("a", "b")}
    assert messages.topics() == ["platewarden/+/reads", "frigate/tracked_object_update"]
