"""A provider's look-up service for tests: a real HTTP server that answers as it is told."""

import base64
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Answer = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    """Hands every question to the provider's current way of answering."""

    provider: "AskedProvider"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        question = json.loads(body)
        self.provider.questions.append(question)
        self.provider.headers.append(dict(self.headers))
        self.provider.bodies.append(body)
        self.provider.answer(self, question)

    def say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Not to the terminal."""


def says(rights: Any, **more: Any) -> Answer:
    """The right answer, with these rights."""
    return lambda handler, question: handler.say(
        200, json.dumps({"id": question["id"], "rights": rights, **more}).encode()
    )


def says_raw(body: bytes, status: int = 200) -> Answer:
    """Whatever is given."""
    return lambda handler, question: handler.say(status, body)


def drips(handler: Handler, question: dict[str, Any]) -> None:
    """A byte now and then, for ever: every read succeeds, and the answer never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not handler.provider.over.wait(0.1):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return


def drips_headers(handler: Handler, question: dict[str, Any]) -> None:
    """The same before the answer has even begun."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.provider.over.wait(0.1):
        try:
            handler.wfile.write(b"x")
            handler.wfile.flush()
        except OSError:
            return


def is_silent(handler: Handler, question: dict[str, Any]) -> None:
    """Takes the question, and says nothing."""
    handler.provider.over.wait(30)


def breaks_off(handler: Handler, question: dict[str, Any]) -> None:
    """Promises more than it sends."""
    body = json.dumps({"id": question["id"], "rights": []}).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) + 10))
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def never_ends(handler: Handler, question: dict[str, Any]) -> None:
    """An answer larger than any vehicle's rights."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        for _ in range(4096):
            handler.wfile.write(b"[" * 1024)
    except OSError:
        return


def redirects(handler: Handler, question: dict[str, Any]) -> None:
    """Sends us elsewhere."""
    handler.send_response(307)
    handler.send_header("Location", f"http://127.0.0.1:{handler.provider.port}/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@dataclass
class AskedProvider:
    """The server, what it was asked, and how it answers from now on."""

    port: int
    answer: Answer
    questions: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ask"


@contextmanager
def asked_provider(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[AskedProvider]:
    """A provider that listens on this machine."""
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1" if tls is None else "0.0.0.0", 0), handler)
    if tls is not None:
        # the handshake is each connection's own, in its thread: a bad one keeps nobody waiting
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    server.daemon_threads = True
    server.handle_error = lambda *rest: None  # type: ignore[method-assign]  # who hangs up is meant
    provider = AskedProvider(server.server_address[1], answer)
    handler.provider = provider  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        provider.over.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def secret_key(shown: str) -> bytes:
    """The bytes of a secret as it was shown."""
    return base64.b64decode(shown.removeprefix("whsec_"))
