"""`/live/feed`: server-sent events that tell open screens which row is new. Ids only.

One Redis subscription per process fans out to a bounded queue per client, so thousands of idle
screens cost next to nothing (stack-notes). Nothing depends on an event: a screen that missed some
is told to `resync` and loads its lists again.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

import redis.asyncio
import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.db import DatabaseError, close_old_connections
from django.http import HttpRequest
from redis.exceptions import RedisError

from cameras.access import SEE, sites_of
from core.live import CHANNEL

KEEP_ALIVE_SECONDS = 15.0
RECHECK_SECONDS = 60.0
_QUEUE = 256
_BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = structlog.get_logger(__name__)


def _sites_of_session(session_key: str) -> frozenset[str]:
    """The sites whose events this session may hear; none when it is nobody's, or not to be told."""
    if not session_key:
        return frozenset()
    try:
        close_old_connections()
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
        user = get_user(request)  # checks the session's hash too: a changed password logs out
        return frozenset(str(pk) for pk in sites_of(user, *SEE).values_list("pk", flat=True))
    except DatabaseError as error:
        log.warning("live_session_unknown", error=type(error).__name__)
        return frozenset()
    finally:
        close_old_connections()


async def _allowed(session_key: str) -> frozenset[str]:
    return await sync_to_async(_sites_of_session)(session_key)


def _session_key(scope: Message) -> str:
    for name, value in scope["headers"]:
        if name == b"cookie":
            with suppress(CookieError):
                cookie = SimpleCookie(value.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
                if cookie is not None:
                    return str(cookie.value)
    return ""


@dataclass(eq=False)
class Client:
    """One open screen: the sites it may hear of, and what waits to be sent to it."""

    sites: frozenset[str]
    waiting: "asyncio.Queue[str]" = field(default_factory=lambda: asyncio.Queue(_QUEUE))

    def offer(self, event: str) -> None:
        """Queue an event; a screen too slow for the site's traffic loses them all and resyncs."""
        try:
            self.waiting.put_nowait(event)
        except asyncio.QueueFull:
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(RESYNC)


def as_event(kind: str, row_id: str) -> str:
    """One server-sent event: its kind, and the row's id as data."""
    return f"event: {kind}\ndata: {row_id}\n\n"


RESYNC = as_event("resync", "")


class Hub:
    """The process's one subscription, alive while somebody listens."""

    def __init__(self) -> None:
        self.clients: set[Client] = set()
        self.loop = asyncio.get_running_loop()
        self._reader: asyncio.Task[None] | None = None

    def join(self, client: Client) -> None:
        """Start sending to a client."""
        self.clients.add(client)
        if self._reader is None or self._reader.done():
            self._reader = self.loop.create_task(self._read())

    def leave(self, client: Client) -> None:
        """Stop sending to a client; the last one lets the subscription go."""
        self.clients.discard(client)
        if not self.clients and self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def spread(self, raw: bytes) -> None:
        """Offer one message of the channel to every client of its site."""
        try:
            message = json.loads(raw)
            kind, site = str(message["kind"]), str(message["site"])
            event = as_event(kind, str(uuid.UUID(message["id"])))
        except (ValueError, KeyError, TypeError):
            log.warning("live_message_malformed")
            return
        for client in self.clients:
            if site in client.sites and kind.isalpha():
                client.offer(event)

    async def _read(self) -> None:
        failures = 0
        while True:
            try:
                async with (
                    redis.asyncio.Redis.from_url(
                        settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=10
                    ) as connection,
                    connection.pubsub(ignore_subscribe_messages=True) as subscription,
                ):
                    await subscription.subscribe(CHANNEL)
                    # what was published while nobody listened is gone
                    for client in self.clients:
                        client.offer(RESYNC)
                    while True:
                        message = await subscription.get_message(timeout=5.0)
                        failures = 0
                        if message is not None:
                            self.spread(message["data"])
            except (RedisError, OSError) as error:
                log.warning("live_redis_lost", error=type(error).__name__)
            await asyncio.sleep(_BACK_OFF[min(failures, len(_BACK_OFF) - 1)])
            failures += 1


_hub: Hub | None = None


def _the_hub() -> Hub:
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub


async def _plain(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(client: Client, session_key: str, send: Send) -> None:
    """Send what comes; return when the session is over."""
    loop = asyncio.get_running_loop()
    recheck_at = loop.time() + RECHECK_SECONDS
    while True:
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                text = await client.waiting.get()
        except TimeoutError:
            text = ": still here\n\n"
        if loop.time() >= recheck_at:
            client.sites = await _allowed(session_key)
            recheck_at = loop.time() + RECHECK_SECONDS
        if not client.sites:
            await send({"type": "http.response.body", "body": as_event("bye", "").encode()})
            return
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def live_application(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application under `/live/`."""
    if scope["path"] != "/live/feed":
        await _plain(send, 404, "There is nothing here.")
        return
    if scope["method"] != "GET":
        await _plain(send, 405, "GET only.")
        return
    session_key = _session_key(scope)
    allowed = await _allowed(session_key)
    if not allowed:
        await _plain(send, 403, "Log in first.")
        return
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    opening = f"retry: 3000\n{as_event('hello', '')}".encode()
    await send({"type": "http.response.body", "body": opening, "more_body": True})
    client, hub = Client(allowed), _the_hub()
    hub.join(client)
    halves = (
        asyncio.ensure_future(_until_gone(receive)),
        asyncio.ensure_future(_stream(client, session_key, send)),
    )
    try:
        await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(client)
        for half in halves:
            half.cancel()
        await asyncio.gather(*halves, return_exceptions=True)
