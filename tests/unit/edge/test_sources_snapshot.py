"""Single pictures over HTTP, from a real server on this machine."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import pytest

from edge.clock import Clock
from edge.health import Health
from edge.sources import SourceError, open_source
from edge.sources.base import SourceLostError
from edge.sources.snapshot import SnapshotCamera

NAME, WORD = "op", "ge:heim/1"
ADDRESS_WORD = "ge%3Aheim%2F1"
PICTURE = cv2.imencode(".jpg", np.full((48, 64, 3), 120, np.uint8))[1].tobytes()

Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers as `answer` says; keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Callable[[str, str], Answer] = lambda path, word: (200, {}, PICTURE)
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                word = self.headers.get("Authorization", "")
                outer.asked.append((self.path, word))
                status, headers, body = outer.answer(self.path, word)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *told: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


def digest_answer(path: str, word: str) -> Answer:
    """RFC 7616 with MD5 and qop=auth, as most cameras ask for it."""
    challenge = 'Digest realm="cam", nonce="abc123", qop="auth", algorithm=MD5'
    if word.startswith("Digest "):
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', word))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        wanted = md5(
            f"{md5(f'{NAME}:cam:{WORD}')}:abc123:{said['nc']}:{said['cnonce']}:auth:"
            f"{md5(f'GET:{path}')}"
        )
        if said["response"] == wanted:
            return 200, {}, PICTURE
    return 401, {"WWW-Authenticate": challenge}, b""


def basic_answer(path: str, word: str) -> Answer:
    if word == "Basic " + base64.b64encode(f"{NAME}:{WORD}".encode()).decode():
        return 200, {}, PICTURE
    return 401, {"WWW-Authenticate": 'Basic realm="cam"'}, b""


def test_pictures_come_through_a_source(server: Server) -> None:
    health = Health()
    source = open_source(f"http://{server.host}/snap", clock=Clock(), health=health, every=0)
    frames = source.frames()
    assert next(frames).picture.shape == (48, 64, 3)
    assert next(frames).number == 2
    source.close()
    assert list(frames) == []


def test_a_password_is_not_sent_unasked(server: Server) -> None:
    camera = SnapshotCamera(f"http://{NAME}:{ADDRESS_WORD}@{server.host}/snap?ch=1")
    camera.read()
    assert server.asked == [("/snap?ch=1", "")]


@pytest.mark.parametrize("answer", [basic_answer, digest_answer])
def test_a_password_is_sent_as_the_camera_asks(
    server: Server, answer: Callable[[str, str], Answer]
) -> None:
    server.answer = answer
    camera = SnapshotCamera(f"http://{NAME}:{ADDRESS_WORD}@{server.host}/snap")
    camera.read()
    camera.read()
    camera.close()
    words = [word for _, word in server.asked]
    assert words[0] == ""
    assert words[-1] != ""
    assert len(words) <= 4, "asked for it once, not with every picture"
    wrong = SnapshotCamera(f"http://{NAME}:other@{server.host}/snap")
    with pytest.raises(SourceLostError, match="refuses the name or password"):
        wrong.read()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((500, {}, b"oops"), "answers 500"),
        ((302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""), "answers 302"),
        ((200, {}, b"<html>"), "no whole picture"),
        ((200, {}, PICTURE[:-40]), "no whole picture"),
        ((200, {"Content-Length": "99999"}, PICTURE), "does not answer|no whole picture"),
        ((200, {}, b"\xff" * 20_000_001), "larger"),
    ],
)
def test_what_is_no_picture_is_told_without_the_address(
    server: Server, answer: Answer, sentence: str
) -> None:
    server.answer = lambda path, word: answer
    camera = SnapshotCamera(f"http://{NAME}:{ADDRESS_WORD}@{server.host}/snap")
    with pytest.raises(SourceLostError, match=sentence) as lost:
        camera.read()
    assert "heim" not in lost.value.sentence
    server.answer = lambda path, word: (200, {}, PICTURE)
    assert camera.read().shape == (48, 64, 3)
    camera.close()


def test_nobody_there() -> None:
    with pytest.raises(SourceLostError, match="does not answer") as lost:
        SnapshotCamera(f"http://{NAME}:{ADDRESS_WORD}@127.0.0.1:9/snap").read()
    assert "heim" not in str(lost.value)


def test_an_address_without_a_host_is_refused() -> None:
    with pytest.raises(SourceError, match="no host"):
        SnapshotCamera(f"http://{NAME}:{ADDRESS_WORD}@/snap")
