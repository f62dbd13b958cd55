"""Whatever a device sends in whatever place, it gets a reason and never a 500."""

import base64
import gzip
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from cameras.device_settings import device_settings_save
from cameras.heartbeats import FIELDS, REFUSED
from cameras.intake import _FIELDS
from cameras.limits import _bucket
from cameras.models import Capture
from cameras.values import DETAIL
from cameras.wanted import picture_ask
from tests.integration.cameras.conftest import ADMIN, Device, ago, picture

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
HEARTBEATS, CAPTURES, ENROL = "/api/v1/heartbeats", "/api/v1/captures", "/api/v1/enrol"

ODD = (
    "null true false 0 -1 -0.0 0.1 1e400 -1e400 NaN Infinity 2147483648 -2147483649 "
    f"9223372036854775808 {'9' * 40} {'9' * 5000} [] {{}} [null] [[]] "
    '"" " " "\\u0000" "\\ud800" "\\ufffd" "1AB2345" "-1" "2026-13-45T99:99:99Z" '
    '"0001-01-01T00:00:00+23:59" "9999-12-31T23:59:59.999999-23:59" {"version":1} {"":0} '
    '{"a":1,"a":2} {"version":{"version":[]}} "AAAA" "/9j/" '
).split(" ")
VALUES = [one for one in ODD if one and one != '"'] + ['" "', "[" * 50 + "]" * 50]
BODIES = [*VALUES, "", "{", "\xff", "[" * 100_000, '{"a":' * 100_000, "nul", "\ufeff{}", "{}{}"]
READ = '{"text":"1AB2345","score":0.9}'
ITEM = sorted(_FIELDS)
IN_READ = ["text", "score", "char_scores", "quad", "candidates", "country"]


@pytest.fixture(autouse=True)
def unlimited(settings: Any) -> Iterator[None]:
    settings.DEVICE_RATE, settings.DEVICE_BURST = 1e6, 1_000_000
    yield
    _bucket.cache_clear()


def judged(answer: Any) -> int:
    """The status; a refusal says what is wrong, in our own shape."""
    assert answer.status_code < 500
    if answer.status_code >= 400:
        body = answer.json()
        error = body["error"]
        assert error["code"]
        assert error["sentence"]
        assert "1AB2345" not in answer.content.decode()
    return int(answer.status_code)


def test_odd_heartbeats(device: Device) -> None:
    device_settings_save(
        camera=device.camera, raw={"mode": "read"}, user=None, actor=ADMIN, now=datetime.now(UTC)
    )
    for body in BODIES:
        judged(device.json(body.encode(), HEARTBEATS))
    for value in VALUES:
        for name in FIELDS:
            judged(device.json(f'{{"{name}":{value}}}', HEARTBEATS))
        for name in REFUSED:
            version = "" if name == "version" else '"version":1,'
            refused = f'{{"settings_refused":{{{version}"{name}":{value}}}}}'
            judged(device.json(refused, HEARTBEATS))
        for name in ("fps", "version", "mode", "trouble_disk"):
            assert name in DETAIL
            judged(device.json(f'{{"detail":{{"{name}":{value}}}}}', HEARTBEATS))


def test_odd_tokens(db: None) -> None:
    client = Client()
    for body in BODIES:
        assert judged(client.post(ENROL, body.encode(), "application/json")) >= 400
    for value in VALUES:
        answer = client.post(ENROL, f'{{"token":{value}}}', "application/json")
        assert judged(answer) in (400, 401, 413)
    assert judged(client.post(ENROL, b"\x1f\x8b", "application/json")) == 400
    packed = gzip.compress(b"[" * 1_000_000)
    answer = client.post(ENROL, packed, "application/json", headers={"Content-Encoding": "gzip"})
    assert judged(answer) == 400


def test_odd_items_keep_no_good_one_out(device: Device) -> None:
    good = f'{{"kind":"read","captured_at":"{ago()}","read":{READ},"event_id":"%s"}}'
    for value in VALUES:
        odd = [f'{{"kind":"read","captured_at":"{ago()}","{name}":{value}}}' for name in ITEM]
        odd += [
            f'{{"kind":"read","captured_at":"{ago()}","read":{{"{name}":{value}}}}}'
            for name in IN_READ
        ]
        event = uuid.uuid4().hex
        items = ",".join([*odd, value, good % event])
        answer = device.json(f'{{"items":[{items}]}}')
        assert judged(answer) == 202, value
        results = answer.json()["results"]
        assert len(results) == len(odd) + 2
        assert "id" in results[-1], value
    assert Capture.objects.count() == len(VALUES)


def test_odd_pictures(device: Device) -> None:
    answer = device.json(
        {"kind": "read", "captured_at": ago(), "read": json.loads(READ), "event_id": "e"}
    )
    one = Capture.objects.get(pk=answer.json()["id"])
    for place in (one.pk, "0", "%00", "a" * 5000, "{" + str(one.pk) + "}", "..", str(uuid.uuid4())):
        url = f"{CAPTURES}/{place}/picture"
        assert judged(device.client.put(url, b"x", "image/jpeg", headers=device.headers)) >= 400
    picture_ask(
        capture=one,
        actor=ADMIN,
        purpose="quality-check",
        case_ref="",
        shows=[],
        now=datetime.now(UTC),
    )
    url = f"{CAPTURES}/{one.pk}/picture"
    form = "multipart/form-data; boundary=x"
    for data in (b"", b"\0", b"\xff\xd8\xff", b"\xff\xd8" * 500, b"RIFF0000WEBP", picture()[:20]):
        for kind in ("image/jpeg", "application/json", form, "text/plain", "x", ""):
            answer = device.client.put(url, data, kind, headers=device.headers)
            assert judged(answer) in (400, 415), (data, kind)
    for method in ("get", "post", "delete", "patch"):
        answer = getattr(device.client, method)(url, headers=device.headers)
        assert judged(answer) == 405
    answer = device.client.put(url, picture(), "image/jpeg", headers=device.headers)
    assert answer.status_code == 201
    assert base64.b64encode(picture()).decode() not in str(answer.content)


def test_odd_etags(device: Device) -> None:
    device_settings_save(
        camera=device.camera, raw={"watch": True}, user=None, actor=ADMIN, now=datetime.now(UTC)
    )
    for etag in ("*", '"', "W/", ",,,", "\x00", "é", "x" * 9000):
        answer = device.client.get(
            "/api/v1/hotlist", headers={**device.headers, "If-None-Match": etag}
        )
        assert judged(answer) in (200, 304)


def test_packed_bodies_where_nobody_unpacks_them(device: Device, client: Client) -> None:
    packed = gzip.compress(b"{}")
    headers = {**device.headers, "Content-Encoding": "gzip"}
    form = "multipart/form-data; boundary=x"
    for url in (CAPTURES, "/api/v1/rights/sessions", "/api/v1/search", "/accounts/login/"):
        for kind in ("application/json", "application/x-www-form-urlencoded", form):
            answer = client.post(url, packed, kind, headers=headers)
            assert answer.status_code < 500, (url, kind)
