"""Bad input on the running site: a 4xx with a code, or a failed capture with a reason.

Never a 500, and never a good item of the same batch lost.
"""

import base64
import io
import json
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from demo.programme import PICTURES, script
from tests.e2e.site import LiveSite, until

STALLED = 64
GOOD = (PICTURES / script()["pictures"][3]["picture"]).read_bytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds one byte of data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    """50 MB of zeros in 50 kB."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("picture.jpg", bytes(50_000_000))
    return held.getvalue()


class Sender:
    """A device that sends whatever it is told."""

    def __init__(self, site: LiveSite, key: str) -> None:
        self.site, self.key, self.count = site, key, 0

    def post(self, data: bytes | None = GOOD, key: str | None = None, **fields: Any) -> Any:
        self.count += 1
        form = {
            "captured_at": datetime.now(UTC).isoformat(),
            "event_id": f"bad-{self.count}-{time.time_ns()}",
        } | fields
        return requests.post(
            f"{self.site.url}/api/v1/captures",
            data={k: v for k, v in form.items() if v is not None},
            files={"picture": ("p", data)} if data is not None else None,
            headers={"Authorization": f"Bearer {key or self.key}"},
            timeout=20,
        )

    def json(self, body: str | dict[str, Any]) -> Any:
        return requests.post(
            f"{self.site.url}/api/v1/captures",
            data=body if isinstance(body, str) else json.dumps(body),
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
            },
            timeout=20,
        )

    def became(self, capture_id: str) -> dict[str, Any]:
        def known() -> dict[str, Any] | None:
            answer = requests.get(
                f"{self.site.url}/api/v1/captures/{capture_id}",
                headers={"Authorization": f"Bearer {self.key}"},
                timeout=20,
            ).json()
            return None if answer["status"] == "received" else dict(answer)

        return dict(until("it is recognised", known, 60))


@pytest.fixture(scope="module")
def made(site: LiveSite) -> dict[str, Any]:
    return site.demo()


@pytest.fixture(scope="module")
def sender(site: LiveSite, made: dict[str, Any]) -> Iterator[Sender]:
    return Sender(site, made["cameras"]["gantry-north"])


def now_and(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


READ = {"text": "1AB2345", "score": 0.9}


@pytest.mark.parametrize(
    ("name", "status", "code", "sent"),
    [
        ("huge PNG header", 413, "picture_too_large", {"data": png_header(50_000, 50_000)}),
        ("zip bomb", 415, "picture_unsupported", {"data": zip_bomb()}),
        ("text file", 415, "picture_unsupported", {"data": b"dear camera, hello " * 50}),
        ("empty picture", 400, None, {"data": b""}),
        ("a form without any file", 415, "unsupported_media_type", {"data": None}),
        ("clock a year ahead", 400, "captured_at_in_future", {"captured_at": now_and(days=365)}),
        ("clock a year behind", 400, "captured_at_too_old", {"captured_at": now_and(days=-365)}),
        ("no capture time", 400, None, {"captured_at": None}),
        ("unknown camera", 400, "unknown_camera", {"camera": "nowhere"}),
        ("NaN in GPS", 400, None, {"latitude": "NaN", "longitude": "14.4"}),
        ("infinite GPS", 400, None, {"latitude": "50", "longitude": "Infinity"}),
        ("latitude 91", 400, None, {"latitude": "91", "longitude": "14"}),
        ("wrong key", 401, "key_unknown", {"key": "pwd_00000000_" + "A" * 43}),
        ("no key at all", 401, None, {"key": "nonsense"}),
    ],
)
def test_is_refused_with_a_code_and_a_sentence(
    sender: Sender, name: str, status: int, code: str | None, sent: dict[str, Any]
) -> None:
    answer = sender.post(**sent)
    assert answer.status_code == status, (name, answer.text[:300])
    error = answer.json()["error"]
    assert error["sentence"].endswith((".", "?"))
    assert error["code"] == code if code else error["code"]


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        (
            "10,000 characters",
            {"kind": "read", "read": {**READ, "text": "A" * 10_000}},
            "plate_too_long",
        ),
        ("NaN in JSON", '{"kind": "read", "latitude": NaN}', None),
        ("empty batch", {"items": []}, "empty_batch"),
        ("not JSON", "{", None),
        ("a list", "[1, 2]", None),
        ("deep", "[" * 5000 + "]" * 5000, None),
        ("null byte", {"kind": "read", "read": {**READ, "text": "1AB\x00345"}}, None),
        ("score of 2", {"kind": "read", "read": {**READ, "score": 2}}, None),
    ],
)
def test_bad_json_is_refused(sender: Sender, name: str, body: Any, code: str | None) -> None:
    if isinstance(body, dict) and "items" not in body:
        body = {"captured_at": now_and(), "event_id": name, **body}
    answer = sender.json(body)
    assert 400 <= answer.status_code < 500, (name, answer.status_code)
    if code:
        assert answer.json()["error"]["code"] == code


def test_a_revoked_key_is_refused(site: LiveSite, made: dict[str, Any], sender: Sender) -> None:
    other = str(made["cameras"]["gantry-south"])
    assert sender.post(key=other).status_code == 202
    with site.database() as cursor:
        cursor.execute(
            "UPDATE cameras_devicekey SET revoked_at = now() WHERE prefix = %s",
            [other.split("_")[1]],
        )
    # A web process remembers for a second whose key it let in: see docs/operating.md.
    until("a refusal", lambda: sender.post(key=other).status_code != 202, seconds=5)
    answer = sender.post(key=other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "key_revoked")


def test_the_same_event_with_another_picture_is_a_conflict(sender: Sender) -> None:
    at, event = now_and(), f"same-{time.time_ns()}"
    first = sender.post(captured_at=at, event_id=event)
    again = sender.post(captured_at=at, event_id=event)
    other = (PICTURES / script()["pictures"][5]["picture"]).read_bytes()
    conflict = sender.post(other, captured_at=at, event_id=event)
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "event_conflict")


@pytest.mark.parametrize("cut", [0.5, 0.98])
def test_a_truncated_picture_is_kept_as_a_failed_capture(sender: Sender, cut: float) -> None:
    answer = sender.post(GOOD[: int(len(GOOD) * cut)])
    assert answer.status_code == 202, answer.text
    became = sender.became(answer.json()["id"])
    assert became["status"] == "failed"
    assert became["failure"]["code"] == "broken_picture"
    assert became["failure"]["sentence"]


def test_good_items_of_a_bad_batch_are_stored(sender: Sender) -> None:
    def item(n: int, **fields: Any) -> dict[str, Any]:
        base = {"kind": "read", "captured_at": now_and(), "event_id": f"b{n}-{time.time_ns()}"}
        return base | {"read": READ} | fields

    body = {
        "items": [
            item(0),
            item(1, read={**READ, "text": "A" * 10_000}),
            item(2, latitude=95, longitude=0),
            item(3, captured_at="yesterday"),
            "not an object",
            item(5, kind="frame", read=None, picture=base64.b64encode(b"text").decode()),
            item(6),
        ]
    }
    answer = sender.json(body)
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert (said["accepted"], said["rejected"]) == (2, 5)
    good = [result["id"] for result in said["results"] if "id" in result]
    assert [result["index"] for result in said["results"] if "id" in result] == [0, 6]
    assert all(sender.became(one)["status"] == "recognised" for one in good)
    assert all(r["error"]["code"] for r in said["results"] if "error" in r)


def test_stalled_uploads_keep_nobody_waiting(site: LiveSite, sender: Sender) -> None:
    """64 clients send half a request and fall silent; others are answered meanwhile."""
    where = urlsplit(site.url)
    head = (
        "POST /api/v1/captures HTTP/1.1\r\n"
        f"Host: {where.netloc}\r\nAuthorization: Bearer {sender.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
    ).encode()
    stalled = []
    try:
        for _ in range(STALLED):
            client = socket.create_connection(
                (str(where.hostname), int(where.port or 80)), timeout=10
            )
            client.sendall(head)
            stalled.append(client)
        answers = [sender.post().status_code for _ in range(5)]
        page = requests.get(f"{site.url}/accounts/login/", timeout=10)
    finally:
        for client in stalled:
            client.close()
    assert answers == [202] * 5
    assert page.status_code == 200


def test_nothing_of_all_this_was_an_error_of_ours(site: LiveSite) -> None:
    log = (site.var / "log" / "web.log").read_text(encoding="utf-8")
    errors = [
        line for line in log.splitlines() if '"level": "error"' in line or "Traceback" in line
    ]
    assert errors == []
