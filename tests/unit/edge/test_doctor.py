"""What is wrong with a device is found, and each finding says how to mend it."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge import doctor
from edge.bench import Times
from edge.config import Config, parse_config
from edge.doctor import Finding
from edge.enrol import Device, device_save


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models are not measured and the camera is looked at briefly."""
    monkeypatch.setattr("edge.bench.frame_times", lambda *_, **__: Times(9.0, 2.0))
    monkeypatch.setattr(doctor, "LOOK_SECONDS", 0.5)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "road.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 360))
    grain = np.random.default_rng(1)
    for _ in range(20):
        writer.write(grain.integers(60, 190, (360, 640, 3)).astype(np.uint8))
    writer.release()
    return path


class Server:
    """Answers every question with one status, at one moment of its clock."""

    def __init__(self, status: int, ahead_s: float = 0.0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(status)
                date = datetime.now(UTC) + timedelta(seconds=ahead_s)
                self.send_header("Date", format_datetime(date, usegmt=True))
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()


def written(tmp_path: Path, source: Path | str, more: str = "") -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(f'data = "{tmp_path / "data"}"\n[source]\naddress = "{source}"\n{more}')
    return path


def enrolled(tmp_path: Path, url: str) -> None:
    device_save(tmp_path / "data", Device(url, "pwd_secret", "gantry-north", "gantry"))


def said(findings: Iterator[Finding]) -> str:
    return "\n".join(f"{one.what} → {one.mend}" for one in findings)


def test_a_device_that_is_well(
    tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(404) as url:
        enrolled(tmp_path, url)
        assert doctor.doctor(written(tmp_path, film), as_json=True) == 0
    findings = json.loads(capsys.readouterr().out)
    text = json.dumps(findings, ensure_ascii=False)
    assert not any(one["mend"] for one in findings)
    for part in ("gives 640×360", "int8 models", "knows this device", "camera gantry-north"):
        assert part in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("status", "ahead_s", "part"),
    [
        (401, 0, "does not take this device's key → enrol --again"),
        (502, 0, "answers HTTP 502 → look at the server"),
        (404, 3600, "s behind → "),
        (404, -3600, "s ahead → "),
    ],
)
def test_a_server_that_is_not_as_it_should_be(
    tmp_path: Path, film: Path, status: int, ahead_s: float, part: str
) -> None:
    with Server(status, ahead_s) as url:
        enrolled(tmp_path, url)
        assert part in said(doctor.look(written(tmp_path, film)))


def test_nobody_there_and_no_camera(tmp_path: Path) -> None:
    with Server(404) as url:
        enrolled(tmp_path, url)
    (tmp_path / "notes.txt").write_text("no video")
    text = said(doctor.look(written(tmp_path, tmp_path / "notes.txt")))
    assert "cannot be reached" in text
    assert "nothing is lost meanwhile → check the network" in text
    assert "No picture from the video notes.txt" in text
    assert "No camera: There is no such file" in said(
        doctor.look(written(tmp_path, "/nowhere.mp4"))
    )


def test_a_device_that_was_never_set_up(
    tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.doctor(tmp_path / "none.toml") == 1
    assert "! The configuration cannot be used" in capsys.readouterr().out
    assert "not enrolled yet" in said(doctor.look(written(tmp_path, film)))


def parsed(tmp_path: Path, more: str) -> Config:
    return parse_config(f'data = "{tmp_path}"\n[source]\naddress = "usb:0"\n{more}')


def test_the_page_warns_where_its_password_crosses_the_network(tmp_path: Path) -> None:
    hashed = "scrypt:1024:8:1:c2FsdA==:" + "A" * 43 + "="
    near = parsed(tmp_path, f'[page]\npassword_hash = "{hashed}"\n')
    far = parsed(tmp_path, f'[page]\npassword_hash = "{hashed}"\nlisten = "0.0.0.0"\n')
    none = parsed(tmp_path, '[page]\npassword_hash = "word"\n')
    assert [one.mend for one in doctor._page(near)] == [""]
    assert "without TLS" in said(doctor._page(far))
    assert "password makes one" in said(doctor._page(none))


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    with Server(404) as url:
        port = url.rsplit(":", 1)[1]
        more = f'[server]\ntransport = "mqtt"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        assert [one.mend for one in doctor._broker(parsed(tmp_path, more))] == [""]
    assert "cannot be reached" in said(doctor._broker(parsed(tmp_path, more)))
