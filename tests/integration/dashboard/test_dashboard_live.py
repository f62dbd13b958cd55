"""The live feed on the real Redis: who hears what, and what happens when something goes away."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.test import Client

from core.live import CHANNEL
from core.models import User
from dashboard import live
from tests.integration.dashboard.dashboard_rows import Rows, person_make

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
LONGEST = 20.0  # nothing is measured by it: it ends a test that would wait for ever


class Screen:
    """An open browser window: what the application sent it so far."""

    def __init__(self, cookie: str = "", path: str = "/live/feed", method: str = "GET") -> None:
        headers = [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode())]
        self.scope = {"type": "http", "path": path, "method": method, "headers": headers}
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.status = 0
        self.text = ""

    async def _receive(self) -> dict[str, Any]:
        await self.closed.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.sent.put(message)

    async def __aenter__(self) -> "Screen":
        self.task = asyncio.create_task(
            live.live_application(self.scope, self._receive, self._send)  # type: ignore[arg-type]
        )
        async with asyncio.timeout(LONGEST):
            self.status = (await self.sent.get())["status"]
        return self

    async def __aexit__(self, *details: object) -> None:
        self.closed.set()
        async with asyncio.timeout(LONGEST):
            await self.task

    async def until(self, words: str) -> str:
        """Everything sent up to and with `words`; then forgotten."""
        async with asyncio.timeout(LONGEST):
            while words not in self.text:
                self.text += (await self.sent.get()).get("body", b"").decode()
        seen, _, self.text = self.text.partition(words)
        return seen + words


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture
def cookie(client: Client, operator: User) -> str:
    client.force_login(operator)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run in a loop of its own, and leave no connection of its worker thread behind."""

    async def whole() -> None:
        try:
            await work()
        finally:
            await sync_to_async(connections.close_all)()

    asyncio.run(whole())


def publish(broker: redis.Redis, rows: Rows, kind: str = "read") -> str:
    row_id = str(uuid.uuid4())
    message = {"kind": kind, "id": row_id, "site": str(rows.site.pk)}
    broker.publish(CHANNEL, json.dumps(message))
    return row_id


async def opened(screen: Screen) -> None:
    """The subscription stands: from here on nothing is missed."""
    await screen.until("event: hello\ndata: \n\n")
    await screen.until("event: resync\ndata: \n\n")


def test_a_stranger_hears_nothing(db: None) -> None:
    async def work() -> None:
        for cookie in ("", "nonsense"):
            async with Screen(cookie) as screen:
                assert screen.status == 403

    run(work)


def test_somebody_without_a_site_hears_nothing(client: Client) -> None:
    client.force_login(person_make("nobody"))
    key = client.cookies[settings.SESSION_COOKIE_NAME].value

    async def work() -> None:
        async with Screen(key) as screen:
            assert screen.status == 403

    run(work)


def test_other_addresses_and_methods(cookie: str) -> None:
    async def work() -> None:
        async with Screen(cookie, path="/live/else") as screen:
            assert screen.status == 404
        async with Screen(cookie, method="POST") as screen:
            assert screen.status == 405

    run(work)


def test_events_of_own_sites_only_and_ids_only(
    cookie: str, rows: Rows, elsewhere: Rows, broker: redis.Redis
) -> None:
    async def work() -> None:
        async with Screen(cookie) as screen:
            await opened(screen)
            theirs = publish(broker, elsewhere)
            broker.publish(CHANNEL, "not json")
            broker.publish(CHANNEL, json.dumps({"kind": "read", "id": "x", "site": "y"}))
            mine = publish(broker, rows, "alert")
            seen = await screen.until(mine)
            assert theirs not in seen
            assert seen == f"event: alert\ndata: {mine}"

    run(work)


def test_many_screens_share_one_subscription(cookie: str, rows: Rows, broker: redis.Redis) -> None:
    before = broker.pubsub_numsub(CHANNEL)[0][1]

    async def work() -> None:
        async with Screen(cookie) as first:
            await opened(first)
            async with Screen(cookie) as second, Screen(cookie) as third:
                row_id = ""
                for screen in (second, third):
                    await screen.until("event: hello")
                row_id = publish(broker, rows)
                for screen in (first, second, third):
                    await screen.until(row_id)
                assert broker.pubsub_numsub(CHANNEL)[0][1] == before + 1

    run(work)


def test_logging_out_ends_the_stream(
    cookie: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(live, "RECHECK_SECONDS", 0.0)

    async def work() -> None:
        async with Screen(cookie) as screen:
            await screen.until(": still here")
            await sync_to_async(client.logout)()
            await screen.until("event: bye")
            async with asyncio.timeout(LONGEST):
                await screen.task

    run(work)


def test_losing_a_role_silences_its_site(
    cookie: str, rows: Rows, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(live, "RECHECK_SECONDS", 0.0)

    async def work() -> None:
        async with Screen(cookie) as screen:
            await screen.until(": still here")
            await sync_to_async(operator.site_roles.all().delete)()
            await screen.until("event: bye")

    run(work)


def test_after_redis_was_lost_the_screen_is_told_to_resync(
    cookie: str, rows: Rows, broker: redis.Redis
) -> None:
    async def work() -> None:
        async with Screen(cookie) as screen:
            await opened(screen)
            broker.client_kill_filter(_type="pubsub")
            await screen.until("event: resync\ndata: \n\n")
            row_id = publish(broker, rows)
            await screen.until(row_id)

    run(work)


def test_a_screen_that_is_too_slow_resyncs_instead_of_growing() -> None:
    async def work() -> None:
        client = live.Client(frozenset({"a"}))
        for number in range(10_000):
            client.offer(live.as_event("read", str(number)))
        waiting = [client.waiting.get_nowait() for _ in range(client.waiting.qsize())]
        assert len(waiting) <= 256
        assert live.RESYNC in waiting
        assert waiting[-1] == live.as_event("read", "9999")

    asyncio.run(work())


def test_the_last_screen_lets_the_subscription_go(
    cookie: str, rows: Rows, broker: redis.Redis
) -> None:
    before = broker.pubsub_numsub(CHANNEL)[0][1]

    async def work() -> None:
        async with Screen(cookie) as screen:
            await opened(screen)
            assert broker.pubsub_numsub(CHANNEL)[0][1] == before + 1
        async with asyncio.timeout(LONGEST):
            while broker.pubsub_numsub(CHANNEL)[0][1] != before:
                await asyncio.sleep(0.01)

    run(work)
