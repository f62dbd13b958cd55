"""The one port: bodies are taken in whole before a thread is, and answers leave it at once."""

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
CHUNKS = 100
HANG = 30  # a guard, no measurement


@pytest.fixture
def asgi(db: None) -> ModuleType:
    return importlib.import_module("alpr_site.asgi")  # checks the keys


class Pages:
    """A WSGI application that notes what it was asked and answers with many chunks."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.asked.append((environ["CONTENT_LENGTH"], body))
        start("200 OK", [("Content-Type", "text/plain")])
        return (b"x" * 1000 for _ in range(CHUNKS))


@pytest.fixture
def pages(asgi: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Pages:
    pages = Pages()
    monkeypatch.setattr(asgi._pages, "app", pages)
    return pages


def scope(*headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }  # fmt: skip


class Client:
    """What a server hands to an application: the body's parts, and what came back."""

    def __init__(self, *parts: bytes, stalls: bool = False, reads: bool = True) -> None:
        self.parts, self.stalls, self.reads = list(parts), stalls, reads
        self.status, self.body = 0, b""

    async def receive(self) -> dict[str, Any]:
        if not self.parts:
            await asyncio.Event().wait()
        more = len(self.parts) > 1 or self.stalls
        return {"type": "http.request", "body": self.parts.pop(0), "more_body": more}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if not self.reads:
            await asyncio.Event().wait()
        self.body += message["body"]


def play(work: Callable[[], Awaitable[None]]) -> None:
    async def guarded() -> None:
        async with asyncio.timeout(HANG):
            await work()

    asyncio.run(guarded())


def test_clients_that_read_slowly_keep_nobody_else_waiting(asgi: ModuleType, pages: Pages) -> None:
    async def work() -> None:
        slow = [Client(b"", reads=False) for _ in range(2 * settings.WEB_THREADS)]
        waiting = [
            asyncio.create_task(asgi.application(scope(), one.receive, one.send)) for one in slow
        ]
        while not all(one.status for one in slow):  # every answer has begun; none is being read
            await asyncio.sleep(0.01)
        other = Client(b"")
        await asgi.application(scope(), other.receive, other.send)
        assert (other.status, len(other.body)) == (200, 1000 * CHUNKS)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    play(work)


def test_clients_that_send_slowly_keep_nobody_else_waiting(asgi: ModuleType, pages: Pages) -> None:
    async def work() -> None:
        slow = [Client(b"begun", stalls=True) for _ in range(2 * settings.WEB_THREADS)]
        waiting = [
            asyncio.create_task(asgi.application(scope(), one.receive, one.send)) for one in slow
        ]
        other = Client(b"")
        await asgi.application(scope(), other.receive, other.send)
        assert other.status == 200
        assert len(pages.asked) == 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    play(work)


def test_a_body_that_never_comes_is_refused(
    asgi: ModuleType, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "UPLOAD_MAX_SECONDS", 0.01)
    client = Client(b"begun", stalls=True)
    play(lambda: asgi.application(scope(), client.receive, client.send))
    assert client.status == 408
    assert json.loads(client.body)["error"]["code"] == "body_too_slow"
    assert not pages.asked


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_is_whole_however_it_came(asgi: ModuleType, pages: Pages, declared: bool) -> None:
    client = Client(b"one ", b"two ", b"three")
    how = ("content-length", "13") if declared else ("transfer-encoding", "chunked")
    play(lambda: asgi.application(scope(how), client.receive, client.send))
    assert pages.asked == [("13", b"one two three")]
    assert client.status == 200


@pytest.mark.parametrize(
    ("headers", "parts", "status", "code"),
    [
        ([("content-length", "11")], [b""], 413, "body_too_large"),
        ([("content-length", "-1")], [b""], 413, "body_too_large"),
        ([("transfer-encoding", "chunked")], [b"123456", b"78901"], 413, "body_too_large"),
        ([("content-encoding", "br")], [b""], 415, "encoding_unsupported"),
    ],
)
def test_what_is_too_much_or_packed_is_refused_without_a_thread(
    asgi: ModuleType,
    pages: Pages,
    monkeypatch: pytest.MonkeyPatch,
    headers: list[tuple[str, str]],
    parts: list[bytes],
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr(settings, "UPLOAD_MAX_BYTES", 10)
    client = Client(*parts)
    play(lambda: asgi.application(scope(*headers), client.receive, client.send))
    assert client.status == status
    assert json.loads(client.body)["error"]["code"] == code
    assert not pages.asked


def test_a_client_that_leaves_in_the_middle_takes_no_thread(asgi: ModuleType, pages: Pages) -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    client = Client()
    play(lambda: asgi.application(scope(), gone, client.send))
    assert client.status == 0
    assert not pages.asked
