"""A steady stream of captures over keep-alive connections, as edge devices send them.

One thread and raw sockets, so that it costs the machine that is measured next to nothing. Open
loop: a frame is sent when it is due, whatever became of those before it; where every connection
still waits for its answer, another one is opened.
"""

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

_BOUNDARY = "platewarden-throughput"
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()
_MOST_CONNECTIONS = 200
_MOST_READ = 65_536


@dataclass(frozen=True)
class Due:
    """A frame to send: when (monotonic seconds), with which key, its event, its JPEG."""

    at: float
    key: str
    event: str
    picture: bytes = field(repr=False)


@dataclass
class Posted:
    """What became of a POST: `status` 0 where no answer came."""

    posted: datetime
    late_s: float
    answered: datetime | None = None
    status: int = 0
    capture_id: str = ""


class _Connection:
    def __init__(self, host: str, port: int, waiting: selectors.BaseSelector) -> None:
        self.socket = socket.create_connection((host, port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.waiting = waiting
        self.out: deque[memoryview] = deque()
        self.answer = b""
        self.posted: Posted | None = None
        waiting.register(self.socket, selectors.EVENT_READ, self)

    def send(self, parts: list[bytes], posted: Posted) -> None:
        self.posted, self.answer = posted, b""
        self.out.extend(map(memoryview, parts))
        self.push()

    def push(self) -> None:
        """Send what the socket takes, and ask to be told when it takes more."""
        while self.out:
            try:
                gone = self.socket.sendmsg(list(self.out))
            except BlockingIOError:
                self.waiting.modify(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)
                return
            while self.out and gone >= len(self.out[0]):
                gone -= len(self.out.popleft())
            if gone:
                self.out[0] = self.out[0][gone:]
        self.waiting.modify(self.socket, selectors.EVENT_READ, self)

    def pull(self) -> bool:
        """Take in what came; True when the answer is whole. ConnectionError on the end."""
        part = self.socket.recv(_MOST_READ)
        if not part:
            raise ConnectionResetError
        self.answer += part
        head, ended, body = self.answer.partition(b"\r\n\r\n")
        if not ended or self.posted is None:
            return False
        lines = head.lower().split(b"\r\n")
        lengths = [line[15:] for line in lines if line.startswith(b"content-length:")]
        if lengths and len(body) < int(lengths[0]):
            return False
        self.posted.answered = datetime.now(UTC)
        self.posted.status = int(lines[0].split()[1])
        if self.posted.status == 202:
            self.posted.capture_id = json.loads(body)["id"]
        self.posted = None
        return True

    def close(self) -> None:
        self.waiting.unregister(self.socket)
        self.socket.close()


def _request(due: Due, host: str, at: datetime) -> list[bytes]:
    fields = {"kind": "frame", "captured_at": at.isoformat(), "event_id": due.event}
    form = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    form += (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="picture"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    length = len(form) + len(due.picture) + len(_TAIL)
    head = (
        f"POST /api/v1/captures HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {due.key}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {length}\r\n"
        "\r\n"
    )
    return [(head + form).encode(), due.picture, _TAIL]


class Sender:
    """Sends frames when they are due; `answered` hears of each answer at once."""

    def __init__(self, host: str, port: int, answered: Callable[[Posted], None]) -> None:
        self.host, self.port = host, port
        self.answered = answered
        self.posted: list[Posted] = []
        self._waiting = selectors.DefaultSelector()
        self._idle: list[_Connection] = []
        self._open = 0

    def run(self, frames: "deque[Due]", *, patience_s: float) -> None:
        """Send all, then wait up to `patience_s` for the last answers."""
        while frames:
            wait = frames[0].at - time.monotonic()
            if wait > 0:
                self._turn(wait)
                continue
            connection = self._free()
            if connection is None:
                self._turn(0.05)  # it is late by now, and said to be
                continue
            due = frames.popleft()
            at = datetime.now(UTC)
            posted = Posted(at, late_s=time.monotonic() - due.at)
            self.posted.append(posted)
            try:
                connection.send(_request(due, self.host, at), posted)
            except ConnectionError:
                self._drop(connection)
        until = time.monotonic() + patience_s
        while self._open > len(self._idle) and time.monotonic() < until:
            self._turn(0.1)

    def _free(self) -> _Connection | None:
        if self._idle:
            return self._idle.pop()
        if self._open >= _MOST_CONNECTIONS:
            return None
        self._open += 1
        return _Connection(self.host, self.port, self._waiting)

    def _turn(self, wait: float) -> None:
        for key, events in self._waiting.select(wait):
            connection: _Connection = key.data
            posted = connection.posted
            try:
                if events & selectors.EVENT_WRITE:
                    connection.push()
                if events & selectors.EVENT_READ and connection.pull():
                    self._idle.append(connection)
                    if posted is not None:
                        self.answered(posted)
            except ConnectionError:
                self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        """A server may close a connection it keeps idle; what was on its way stays unanswered."""
        connection.close()
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
