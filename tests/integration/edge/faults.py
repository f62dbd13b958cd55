"""Between a device and its server: a proxy that breaks what passes, and an intake to count by.

`FaultProxy` stands before any HTTP server. `Intake` is a server of the tests' own that stores
captures as ours does (once for each event id, one outcome for each item), for tests that kill a
device hundreds of times and need to know what had arrived by when.
"""

import gzip
import http.client
import json
import random
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast

Fault = Literal[
    "pass",
    "refused",  # the connection is cut before anything is read
    "reset",  # … after the request was read, and not passed on
    "lost",  # the server has it; the answer never comes
    "half",  # the server has it; half the answer comes
    "garbage",  # the server has it; something else comes
    "500",
    "502",
    "429",
    "503",
    "413",
    "portal",  # a captive portal: a page, with 200
    "elsewhere",  # a captive portal: sent elsewhere
    "empty",  # 200, and nothing
    "slow",  # comes after a while
]
FAULTS: tuple[Fault, ...] = (
    "refused", "reset", "lost", "half", "garbage", "500", "502", "429", "503", "portal",
    "elsewhere", "empty", "slow",
)  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a request may hold a plate."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """End the connection with a reset."""
        self.close_connection = True
        self.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
        )
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class FaultProxy:
    """Passes requests on to `upstream` (a URL), breaking each as `choose` says."""

    def __init__(self, upstream: str, choose: Callable[[], Fault]) -> None:
        self.upstream = upstream.removeprefix("http://")
        self.choose = choose
        self.seen: list[Fault] = []
        self.slow_s = 0.2

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its URL."""
        proxy = self

        class Handler(_Handler):
            def answer(self) -> None:
                fault = proxy.choose()
                proxy.seen.append(fault)
                if fault == "refused":
                    self.cut()
                    return
                body = self.body()
                if fault == "reset":
                    self.cut()
                elif fault in ("500", "502", "413"):
                    self.say(int(fault), b"<h1>not well</h1>", Content_Type="text/html")
                elif fault in ("429", "503"):
                    self.say(int(fault), b"{}", Retry_After="7")
                elif fault == "portal":
                    self.say(200, b"<html>Welcome! Please log in.</html>")
                elif fault == "elsewhere":
                    self.say(302, b"", Location="http://portal.invalid/")
                elif fault == "empty":
                    self.say(200, b"")
                else:
                    self.forward(fault, body)

            def forward(self, fault: Fault, body: bytes) -> None:
                if fault == "slow":
                    threading.Event().wait(proxy.slow_s)
                line = http.client.HTTPConnection(proxy.upstream, timeout=60)
                headers = {n: v for n, v in self.headers.items() if n.lower() != "host"}
                line.request(self.command, self.path, body, headers)
                answer = line.getresponse()
                said = answer.read()
                line.close()
                if fault == "lost":
                    self.cut()
                elif fault == "half":
                    self.send_response(answer.status)
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said[: len(said) // 2])
                    self.wfile.flush()
                    self.close_connection = True
                elif fault == "garbage":
                    self.say(answer.status, bytes(reversed(said)))
                else:
                    kept = {
                        name.replace("-", "_"): value
                        for name, value in answer.getheaders()
                        if name.lower() in ("content-type", "retry-after", "etag")
                    }
                    self.say(answer.status, said, **kept)

            do_GET = do_POST = do_PUT = answer

        with _serving(Handler) as url:
            yield url


def by_chance(seed: int, share: float) -> Callable[[], Fault]:
    """A fault for this share of requests, each kind as often as another."""
    draw = random.Random(seed)
    return lambda: draw.choice(FAULTS) if draw.random() < share else "pass"


def in_turn(*faults: Fault) -> Callable[[], Fault]:
    """These faults, then none."""
    left = list(faults)
    return lambda: left.pop(0) if left else "pass"


class Intake:
    """Stores captures: `order` has each event id once, as it first came; `items` what came."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.items: dict[str, dict[str, Any]] = {}
        self.conflicts: list[str] = []
        self.repeats = 0
        self._lock = threading.Lock()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its URL."""
        intake = self

        class Handler(_Handler):
            def do_POST(self) -> None:
                body = self.body()
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                results = [
                    {"index": index, **intake.store(item)}
                    for index, item in enumerate(json.loads(body)["items"])
                ]
                said = {"results": results, "accepted": len(results), "rejected": 0}
                self.say(202, json.dumps(said).encode())

        with _serving(Handler) as url:
            yield url

    def store(self, item: dict[str, Any]) -> dict[str, str]:
        event_id = cast(str, item["event_id"])
        same = {name: value for name, value in item.items() if name != "sent_at"}
        with self._lock:
            if event_id not in self.items:
                self.items[event_id] = same
                self.order.append(event_id)
            elif self.items[event_id] != same:
                self.conflicts.append(event_id)
            else:
                self.repeats += 1
        return {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, event_id)), "status": "received"}
