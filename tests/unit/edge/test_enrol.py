"""A set-up token becomes this device's key, and nothing of either is shown."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import segno

from edge.enrol import (
    SETTINGS_FILE,
    Device,
    EnrolError,
    Invitation,
    device_load,
    device_save,
    enrol,
    parse_invitation,
    scan,
)
from edge.items import Frame

TOKEN = "tok-0123456789abcdefghijklmnop"


@pytest.mark.parametrize(
    "text",
    [
        f"PLATEWARDEN:https://plates.example#{TOKEN}",
        f"https://plates.example/#{TOKEN}\n",
    ],
)
def test_a_token_names_its_server(text: str) -> None:
    found = parse_invitation(text)
    assert found == Invitation("https://plates.example", TOKEN)
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TOKEN, "not a set-up token"),
        ("https://plates.example#", "not a set-up token"),
        (f"ftp://plates.example#{TOKEN}", "not a set-up token"),
        (f"https://[::bad#{TOKEN}", "not a set-up token"),
        (f"https://u:p@plates.example#{TOKEN}", "more than an address"),
        (f"http://plates.example#{TOKEN}", "no TLS"),
    ],
)
def test_what_is_no_invitation(text: str, sentence: str) -> None:
    with pytest.raises(EnrolError, match=sentence) as caught:
        parse_invitation(text)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_without_tls_only_on_this_machine_or_when_asked_for(host: str) -> None:
    assert parse_invitation(f"http://{host}#{TOKEN}").url == f"http://{host}"
    assert parse_invitation(f"http://10.0.0.5#{TOKEN}", plain=True).url == "http://10.0.0.5"


def frames(*pictures: np.ndarray) -> Iterator[Frame]:
    for number, picture in enumerate(pictures, start=1):
        yield Frame(number, picture, float(number), datetime.now(UTC))


def road() -> np.ndarray:
    return np.full((480, 640, 3), 90, np.uint8)


def shown(text: str) -> np.ndarray:
    """A code held before the camera: turned a little, in a grey surrounding."""
    modules = np.array([list(row) for row in segno.make(text).matrix], np.uint8)
    code = cv2.copyMakeBorder((1 - modules) * 230 + 20, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=250)
    code = cv2.resize(code, (300, 300), interpolation=cv2.INTER_NEAREST)
    picture = road()
    picture[80:380, 150:450] = code[:, :, None]
    turn = cv2.getRotationMatrix2D((320, 240), 7, 1.0)
    return cv2.GaussianBlur(cv2.warpAffine(picture, turn, (640, 480), borderValue=90), (3, 3), 0)


def test_the_camera_reads_the_code() -> None:
    text = f"PLATEWARDEN:https://plates.example#{TOKEN}"
    seen = scan(frames(road(), shown("https://elsewhere.example"), shown(text)), until=10)
    assert seen == text


def test_no_code_in_time_is_a_sentence() -> None:
    with pytest.raises(EnrolError, match="saw no set-up code"):
        scan(frames(*[road()] * 5), until=2)


class Server:
    """Answers one way, and keeps what it was asked."""

    def __init__(self, status: int, body: bytes) -> None:
        asked: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.path, json.loads(data)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 302:
                    self.send_header("Location", "http://elsewhere.invalid/")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.asked = asked
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()


GIVEN = {"key": "pw_secretkey", "camera": "gantry-north", "site": "gantry", "regions": ["CZ"]}


def test_a_token_is_traded_and_the_key_kept_for_nobody_else(tmp_path: Path) -> None:
    with Server(201, json.dumps(GIVEN).encode()) as server:
        device = enrol(Invitation(server.url, TOKEN))
    assert server.asked == [("/api/v1/enrol", {"token": TOKEN})]
    assert device == Device(server.url, "pw_secretkey", "gantry-north", "gantry", ("CZ",))
    assert "secretkey" not in repr(device)
    device_save(tmp_path / "data", device)
    assert device_load(tmp_path / "data") == device
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "device.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["device.json"]


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (403, b'{"error": {"code": "used", "sentence": "It was used."}}', "refused.*It was used"),
        (404, b"<html>", "refused.*HTTP 404"),
        (302, b"", "refused.*HTTP 302"),
        (201, b"[]", "not understood"),
        (201, b'{"key": "", "camera": "a", "site": "b"}', "not understood"),
        (201, b'{"key": "k", "camera": "a", "site": "b", "regions": "CZ"}', "not understood"),
    ],
)
def test_other_answers_are_sentences(status: int, body: bytes, sentence: str) -> None:
    with Server(status, body) as server, pytest.raises(EnrolError, match=sentence) as caught:
        enrol(Invitation(server.url, TOKEN))
    assert TOKEN not in str(caught.value)


def test_nobody_there() -> None:
    with Server(201, b"") as server:
        gone = server.url
    with pytest.raises(EnrolError, match="cannot be reached"):
        enrol(Invitation(gone, TOKEN))


def test_no_device_or_a_broken_file(tmp_path: Path) -> None:
    with pytest.raises(EnrolError, match="not enrolled yet"):
        device_load(tmp_path)
    for text in ("", "[]", '{"url": 1}', '{"url": "x", "key": "k", "camera": "c"}'):
        (tmp_path / "device.json").write_text(text)
        with pytest.raises(EnrolError, match="enrol the device again"):
            device_load(tmp_path)


def test_a_device_set_up_anew_drops_the_settings_of_its_camera_before(tmp_path: Path) -> None:
    """Versions count from one for every camera: the other's would pass for this one's."""
    device = Device("https://plates.example", "pwd_x", "lane-1", "car-park")
    device_save(tmp_path, device)
    kept = tmp_path / SETTINGS_FILE
    kept.write_text('{"version": 3}')
    device_save(tmp_path, replace(device, camera="lane-2"))
    assert not kept.exists()
    assert device_load(tmp_path).camera == "lane-2"
