"""Bad input over HTTP: always a 4xx with code, sentence and field; never a 500."""

import base64
import io
import json
import struct
import uuid
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cameras import codes, intake
from cameras.keys import device_key_create, device_key_revoke, device_keys_forget
from cameras.models import Camera, Capture, DeviceKey
from tests.integration.cameras.conftest import ADMIN, CAPTURES, Device, ago, picture

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SMALL = base64.b64encode(picture()).decode()


def assert_refused(answer: Any, status: int, code: str, field: str | None = None) -> None:
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert error["sentence"]
    assert code in codes.CAPTURE_CODES[status]
    assert not Capture.objects.exists()


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def zip_bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("frame.jpg", b"\0" * 10_000_000)
    return target.getvalue()


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"picture": png_header(50_000, 50_000)}, 413, "picture_too_large", "picture"),
        ({"picture": zip_bomb()}, 415, "picture_unsupported", "picture"),
        ({"picture": b"hello"}, 415, "picture_unsupported", "picture"),
        ({"picture": b""}, 400, "picture_empty", "picture"),
        ({"picture": "hello"}, 400, "picture_invalid", "picture"),
        ({}, 400, "picture_missing", "picture"),
        ({"captured_at": ago(days=365)}, 400, "captured_at_too_old", "captured_at"),
        ({"captured_at": ago(days=-365)}, 400, "captured_at_in_future", "captured_at"),
        ({"captured_at": "2026-03-01T09:00:00"}, 400, "captured_at_naive", "captured_at"),
        ({"captured_at": b"a file"}, 400, "captured_at_invalid", "captured_at"),
        ({"latitude": "NaN", "longitude": "1"}, 400, "latitude_invalid", "latitude"),
        ({"latitude": "1_0", "longitude": "1"}, 400, "latitude_invalid", "latitude"),
        ({"latitude": "91", "longitude": "1"}, 400, "latitude_out_of_range", "latitude"),
        ({"exposure": "bright"}, 400, "exposure_invalid", "exposure"),
        ({"exposure": "[" * 5000}, 400, "exposure_invalid", "exposure"),
        ({"camera": "lane-9"}, 400, "unknown_camera", "camera"),
        ({"clock": "late"}, 400, "clock_invalid", "clock"),
        ({"event_id": "a\0b"}, 400, "event_id_invalid", "event_id"),
        ({"sequence": "x"}, 400, "sequence_invalid", "sequence"),
        ({"unheard_of": b"a file"}, 400, "unknown_field", "unheard_of"),
        ({"items": "[]"}, 400, "empty_batch", "items"),
        ({"items": "{}"}, 400, "items_invalid", "items"),
        ({"items": "["}, 400, "json_malformed", "items"),
        ({"items": b"[]"}, 400, "items_invalid", "items"),
        ({"items": "[{}]", "kind": "frame"}, 400, "unknown_field", "kind"),
        (
            {"kind": "read", "read": {"text": "A" * 10_000, "score": 1}},
            400,
            "plate_too_long",
            "read.text",
        ),
    ],
)
def test_forms(device: Device, fields: dict[str, Any], status: int, code: str, field: str) -> None:
    items = {} if "items" in fields else {"captured_at": ago()}
    assert_refused(device.form(**{**items, **fields}), status, code, field)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ("", "not_an_object", None),
        ("{", "json_malformed", None),
        (b'{"captured_at": "\xff\xfe"}', "json_malformed", None),
        ("[" * 200_000, "json_malformed", None),
        ('{"items": ' * 50_000, "json_malformed", None),
        ("[]", "not_an_object", None),
        ("null", "not_an_object", None),
        ("NaN", "not_an_object", None),
        ("{}", "captured_at_missing", "captured_at"),
        ('{"items": []}', "empty_batch", "items"),
        ('{"items": {}}', "items_invalid", "items"),
        ('{"items": null}', "items_invalid", "items"),
        ('{"items": [{}], "kind": "read"}', "unknown_field", "kind"),
        ('{"items": [1], "items": [2]}', "duplicate_field", None),
        (json.dumps({"items": [{}] * 101}), "batch_too_large", "items"),
        ('{"captured_at": 1' + "0" * 5000 + "}", "captured_at_invalid", "captured_at"),
        (
            json.dumps({"captured_at": ago(), "latitude": float("nan"), "longitude": 0}),
            "latitude_invalid",
            "latitude",
        ),
        (
            json.dumps({"captured_at": ago(), "event_id": chr(0xD800)}),
            "event_id_invalid",
            "event_id",
        ),
        (json.dumps({"captured_at": ago(), "event_id": "\0"}), "event_id_invalid", "event_id"),
    ],
)
def test_json(device: Device, body: str | bytes, code: str, field: str | None) -> None:
    assert_refused(device.json(body), 400, code, field)


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("text/plain", b"hello", 415, "unsupported_media_type"),
        ("image/jpeg", picture(), 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", b"kind=read", 415, "unsupported_media_type"),
        ("multipart/form-data", b"no boundary", 400, "form_malformed"),
        ("multipart/form-data; boundary=b", b"no parts", 400, "captured_at_missing"),
        ("multipart/form-data; boundary=\xe9", b"--\xe9--", 400, "form_malformed"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="event_id"\r\n\r\n\xff\xfe\r\n'
            b'--b\r\nContent-Disposition: form-data; name="captured_at"\r\n\r\n'
            + ago().encode()
            + b"\r\n--b--\r\n",
            400,
            "event_id_invalid",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\nread\r\n' * 2
            + b"--b--\r\n",
            400,
            "duplicate_field",
        ),
        (
            "multipart/form-data; boundary=b",
            (
                b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n'
                b"Content-Transfer-Encoding: base64\r\n\r\na\r\n--b--\r\n"
            ),
            400,
            "form_malformed",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n' * 2000 + b"--b--\r\n",
            400,
            "form_malformed",
        ),
    ],
)
def test_bodies(device: Device, content_type: str, body: bytes, status: int, code: str) -> None:
    answer = device.client.post(CAPTURES, body, content_type, headers=device.headers)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert code in codes.CAPTURE_CODES[status]
    assert not Capture.objects.exists()


def test_more_bytes_than_a_request_may_have(device: Device, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 2000
    assert_refused(device.form(picture=picture(), captured_at=ago()), 413, "body_too_large")
    assert_refused(device.json({"event_id": "x" * 2000}), 413, "body_too_large")


def test_more_bytes_than_a_picture_may_have(device: Device, settings: Any) -> None:
    settings.PICTURE_MAX_BYTES = 2000
    answer = device.form(picture=picture(size=(640, 480)), captured_at=ago())
    assert_refused(answer, 413, "picture_too_large", "picture")


# --- keys -----------------------------------------------------------------------------------------
def posted(header: str | None) -> Any:
    headers = {} if header is None else {"Authorization": header}
    body = {"captured_at": ago(), "kind": "read", "read": {"text": "1AB2345", "score": 1}}
    return Client().post(CAPTURES, json.dumps(body), "application/json", headers=headers)


def test_keys_that_are_none(device: Device) -> None:
    wrong = device.shown[:-1] + ("A" if device.shown[-1] != "A" else "B")
    for header, code in (
        (None, "key_missing"),
        ("", "key_missing"),
        ("Bearer", "key_missing"),
        ("Bearer ", "key_missing"),
        (f"Basic {device.shown}", "key_missing"),
        ("Bearer nonsense", "key_unknown"),
        (f"Bearer {wrong}", "key_unknown"),
        (f"Bearer pwd_{uuid.uuid4().hex[:8]}_{device.shown[13:]}", "key_unknown"),
        (f"Bearer pwp{device.shown[3:]}", "key_unknown"),
        ("Bearer \xff", "key_unknown"),
    ):
        answer = posted(header)
        assert_refused(answer, 401, code)
        assert answer["WWW-Authenticate"] == "Bearer"


def test_revoked_expired_and_switched_off(device: Device) -> None:
    now = datetime.now(UTC)
    spare, shown = device_key_create(
        camera=device.camera, actor=ADMIN, now=now, expires_at=now + timedelta(hours=1)
    )
    assert posted(f"Bearer {shown}").status_code == 202
    Capture.objects.all().delete()
    DeviceKey.objects.filter(pk=spare.pk).update(expires_at=now)
    device_keys_forget()  # it was not changed by a service
    assert_refused(posted(f"Bearer {shown}"), 403, "key_expired")
    device_key_revoke(key=device.key, actor=ADMIN, now=now)
    assert_refused(posted(f"Bearer {device.shown}"), 403, "key_revoked")
    DeviceKey.objects.filter(pk=spare.pk).update(expires_at=None)
    Camera.objects.update(active=False)
    assert_refused(posted(f"Bearer {shown}"), 403, "camera_inactive")


# --- the rate -------------------------------------------------------------------------------------
def test_a_device_that_is_too_fast_waits(device: Device, neighbour: Device, settings: Any) -> None:
    settings.DEVICE_RATE, settings.DEVICE_BURST = 0.01, 5
    item = {"captured_at": ago(), "kind": "frame", "picture": SMALL}
    batch = {"items": [{**item, "sequence": number} for number in range(4)]}
    assert device.json(batch).status_code == 202  # items count, not requests
    assert device.json(item).status_code == 202
    stored = Capture.objects.count()
    answer = device.json(item)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limited"
    assert 50 <= int(answer["Retry-After"]) <= 100
    assert device.json("rubbish").status_code == 429
    assert Capture.objects.count() == stored == 5
    assert neighbour.json(item).status_code == 202
    assert device.json({}, "/api/v1/heartbeats").status_code == 200  # its own bucket


def test_a_batch_larger_than_the_bucket_passes_and_is_paid_off(
    device: Device, settings: Any
) -> None:
    settings.DEVICE_RATE, settings.DEVICE_BURST = 0.1, 2
    item = {"captured_at": ago(), "kind": "frame", "picture": SMALL}
    batch = {"items": [{**item, "sequence": number} for number in range(10)]}
    assert device.json(batch).status_code == 202
    answer = device.json(item)
    assert answer.status_code == 429
    assert 80 <= int(answer["Retry-After"]) <= 90


def test_finished_reads_in_a_batch_weigh_little(device: Device, settings: Any) -> None:
    """A night's reads come back within minutes of the network."""
    settings.DEVICE_RATE, settings.DEVICE_BURST = 0.01, 5
    item = {"captured_at": ago(), "kind": "read", "read": {"text": "1AB2345", "score": 1}}
    batch = {"items": [{**item, "sequence": number} for number in range(20)]}
    assert device.json(batch).status_code == 202  # two of five
    assert device.json(batch).status_code == 202  # four
    assert device.json({"items": [item]}).status_code == 202  # a request is one at least
    assert device.json({"items": [item]}).status_code == 429


# --- anything at all ------------------------------------------------------------------------------
FIELDS = sorted(intake._FIELDS | {"items"})
odd_text = st.text(st.characters(categories=None), max_size=30) | st.sampled_from(
    ["frame", "read", "crop", "2026-03-01T09:00:00Z", "\0", "A" * 500, "e30=", chr(0xD800)]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | odd_text
    | st.builds(ago, seconds=st.integers(-100, 100)),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["text", "score", "quad", "box", "candidates", "iso", "mode"])
            | odd_text,
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
items = st.dictionaries(st.sampled_from(FIELDS) | odd_text, values, max_size=8)
near_items = st.fixed_dictionaries(
    {"kind": st.just("read"), "captured_at": st.builds(ago, seconds=st.integers(0, 9))},
    optional={
        "read": st.fixed_dictionaries(
            {"text": odd_text, "score": st.floats(0, 1)},
            optional=dict.fromkeys(("country", "category", "quad", "candidates"), values),
        ),
        "event_id": odd_text,
        "exposure": values,
        "heading": st.floats(),
    },
)
parts = st.tuples(
    st.sampled_from(FIELDS).map(str.encode) | st.binary(max_size=12),
    st.sampled_from([b"", b'; filename="f"', b"; filename*=utf-8''%ff", b'; filename="\xff"']),
    st.sampled_from(
        [b"", b"\r\nContent-Type: image/jpeg", b"\r\nContent-Transfer-Encoding: base64"]
    ),
    st.binary(max_size=60) | odd_text.map(lambda text: text.encode("utf-8", "surrogatepass")),
)
fuzzed = hypothesis_settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def unlimited(settings: Any) -> None:
    settings.DEVICE_BURST = 1_000_000


def assert_answered(answer: Any) -> None:
    body = answer.json()
    if answer.status_code == 202:
        results = body.get("results", [body])
        assert Capture.objects.filter(pk__in=[r["id"] for r in results if "id" in r]).exists()
    else:
        assert answer.status_code in codes.CAPTURE_CODES
        assert body["error"]["code"] in codes.CAPTURE_CODES[answer.status_code]
        results = body.get("results", [])
    known = {code for listed in codes.CAPTURE_CODES.values() for code in listed}
    assert {r["error"]["code"] for r in results if "error" in r} <= known


@fuzzed
@given(
    body=items
    | near_items
    | values
    | st.lists(near_items | items, max_size=4).map(lambda listed: {"items": listed})
)
def test_any_json_is_answered(device: Device, unlimited: None, body: Any) -> None:
    assert_answered(device.json(body))


@fuzzed
@given(body=st.binary(max_size=200))
def test_any_bytes_as_json_are_answered(device: Device, unlimited: None, body: bytes) -> None:
    assert_answered(device.json(body))


@fuzzed
@given(chosen=st.lists(parts, max_size=6), end=st.sampled_from([b"--b--\r\n", b"--b", b""]))
def test_any_form_is_answered(
    device: Device, unlimited: None, chosen: list[tuple[bytes, ...]], end: bytes
) -> None:
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"%s%s\r\n\r\n%s\r\n' % part
        for part in chosen
    )
    assert_answered(
        device.client.post(
            CAPTURES, body + end, "multipart/form-data; boundary=b", headers=device.headers
        )
    )
