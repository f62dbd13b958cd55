"""Bodies compressed with gzip: what devices on thin lines send."""

import gzip
import json
import zlib
from typing import Any

import pytest

from cameras.models import Capture
from tests.integration.cameras.conftest import CAPTURES, Device, ago

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def post(device: Device, body: bytes, path: str = CAPTURES) -> Any:
    headers = device.headers | {"Content-Encoding": "gzip"}
    return device.client.post(path, body, "application/json", headers=headers)


def one() -> bytes:
    read = {"text": "AB123CD", "score": 0.9}
    return json.dumps({"kind": "read", "captured_at": ago(minutes=1), "read": read}).encode()


def test_a_packed_body_is_taken_like_a_plain_one(device: Device) -> None:
    body = one()
    packed = post(device, gzip.compress(body))
    plain = device.json(body)
    assert (packed.status_code, plain.status_code) == (202, 202)
    assert packed.json()["id"] == plain.json()["id"]
    assert Capture.objects.count() == 1
    heartbeat = post(device, gzip.compress(b'{"queue_depth": 3}'), "/api/v1/heartbeats")
    assert heartbeat.status_code == 200


@pytest.mark.parametrize(
    "packing",
    [
        lambda body: body,
        lambda body: gzip.compress(body)[:-9],
        lambda body: gzip.compress(body) + b"more",
        zlib.compress,
    ],
    ids=["plain", "cut", "longer", "zlib"],
)
def test_what_is_no_gzip_is_refused(device: Device, packing: Any) -> None:
    answer = post(device, packing(one()))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "json_malformed"
    assert not Capture.objects.exists()


def test_a_body_may_not_grow_over_the_limit(device: Device, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    bomb = gzip.compress(b" " * 100_001)
    assert len(bomb) < 1000
    answer = post(device, bomb)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
