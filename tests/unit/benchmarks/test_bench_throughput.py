"""What the throughput benchmark sends and counts."""

import itertools
import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchmarks._frames import Stock, Vehicle
from benchmarks._machine import costs
from benchmarks._sender import Due, Posted, Sender
from benchmarks.throughput import CAMERAS, Seen, schedule, spread, windows

STOCK = Stock(
    vehicles=tuple(Vehicle(name, (f"{name}1".encode(), f"{name}2".encode())) for name in "ABC"),
    empty=(b"nobody",),
)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_camera_sees_each_vehicle_in_all_its_frames_and_then_nobody() -> None:
    seen = [STOCK.sequence(index) for index in range(10)]
    assert seen == [
        *(b"A1", b"A2", b"nobody", b"B1", b"B2", b"nobody", b"C1", b"C2", b"nobody", b"A1"),
    ]
    assert STOCK.sequence(0, start=2) == b"C1"


def test_the_cameras_send_their_shares_evenly_and_every_event_once() -> None:
    frames = schedule(STOCK, dict.fromkeys(CAMERAS, "key"), rate=60.0, seconds=10.0)
    assert len(frames) == 600
    assert len({frame.event for frame in frames}) == 600
    of_north = [frame.at for frame in frames if "gantry-north" in frame.event]
    assert len(of_north) == 240
    steps = {round(b - a, 6) for a, b in itertools.pairwise(of_north)}
    assert steps == {round(10 / 240, 6)}
    assert [frame.at for frame in frames] == sorted(frame.at for frame in frames)


def test_outcomes_are_counted_in_the_window_they_were_seen_in() -> None:
    def one(seconds: float, took: float) -> tuple[Posted, Seen]:
        seen = T + timedelta(seconds=seconds)
        posted = seen - timedelta(seconds=took)
        return Posted(posted, 0.0), Seen("judged", posted, seen)

    through = [one(1, 0.1), one(9, 0.3), one(11, 0.2), one(25, 9.0)]
    assert windows(through, T, 20.0) == [
        {"per_second": 0.2, "p95_ms": 300.0},
        {"per_second": 0.1, "p95_ms": 200.0},
    ]
    assert spread([]) == {"p50": None, "p95": None, "p99": None, "max": None}


class Site(BaseHTTPRequestHandler):
    """Takes captures; hangs up on the events named `gone`."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"gone" in body:
            self.close_connection = True
            return
        self.bodies.append(body)
        answer = json.dumps({"id": f"capture {len(self.bodies)}"}).encode()
        self.send_response(202 if self.headers["Authorization"] == "Bearer key" else 401)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def site() -> Iterator[tuple[int, list[bytes]]]:
    Site.bodies = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, Site.bodies
    server.shutdown()
    server.server_close()


def send(port: int, *frames: tuple[str, str, bytes]) -> tuple[list[Posted], list[Posted]]:
    heard: list[Posted] = []
    sender = Sender("127.0.0.1", port, heard.append)
    now = time.monotonic()
    sender.run(deque(Due(now, key, event, data) for key, event, data in frames), patience_s=30.0)
    return sender.posted, heard


def test_every_frame_arrives_whole_and_its_answer_is_heard(site: tuple[int, list[bytes]]) -> None:
    port, bodies = site
    pictures = [os.urandom(3_000_000), b"small"]
    posted, heard = send(port, *(("key", f"e{n}", data) for n, data in enumerate(pictures)))
    assert {one.status for one in posted} == {202}
    assert {one.capture_id for one in heard} == {"capture 1", "capture 2"}
    for picture in pictures:
        assert any(picture in body for body in bodies)


def test_what_is_refused_or_never_answered_is_told_apart(site: tuple[int, list[bytes]]) -> None:
    posted, heard = send(site[0], ("key", "gone", b"x"), ("wrong", "e1", b"x"), ("key", "e2", b"x"))
    assert sorted(one.status for one in posted) == [0, 202, 401]
    assert [one.capture_id for one in posted if one.status != 202] == ["", ""]
    assert len(heard) == 2


def test_a_process_is_costed_with_its_children(tmp_path: Any) -> None:
    (tmp_path / "web.pid").write_text(f"{os.getpid()} and more")
    found = costs(tmp_path)
    assert set(found) == {"web", "load"}
    assert found["web"].processes >= 1
    assert found["web"].cpu_s > 0
    assert found["web"].rss_mib > 5
