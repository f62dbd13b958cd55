"""One port: pages and API as WSGI in a fixed pool of threads, the live feed as ASGI.

Plain Django ASGI would open a database connection per request; a2wsgi's threads keep theirs
(stack-notes). The body of a request is read before a thread is taken, with a limit and a deadline,
so that a crowd of stalled uploads never keeps anybody else waiting.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alpr_site.settings")

from django.conf import settings

from alpr_site.wsgi import application as wsgi
from dashboard.live import live_application
from vault.checks import refuse_wrong_keys

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

refuse_wrong_keys()
# No limit to what waits to be sent: a thread must never wait for a client that reads slowly, since
# a few of them would be all there are.
_pages: Any = WSGIMiddleware(wsgi, workers=settings.WEB_THREADS, send_queue_size=0)


async def _refuse(send: Send, status: int, code: str, sentence: str) -> None:
    body = f'{{"error": {{"code": "{code}", "sentence": "{sentence}", "field": null}}}}'.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None when the client went away. ValueError over the limit."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise ValueError
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application uvicorn serves."""
    if scope["type"] != "http":
        await _pages(scope, receive, send)
        return
    if scope["path"].startswith("/live/"):
        await live_application(scope, receive, send)
        return
    headers = dict(scope["headers"])
    limit = settings.UPLOAD_MAX_BYTES
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > limit:
        await _refuse(send, 413, "body_too_large", f"A request may have {limit} bytes at most.")
        return
    if b"content-encoding" in headers:
        await _refuse(send, 415, "encoding_unsupported", "Send the body without an encoding.")
        return
    try:
        async with asyncio.timeout(settings.UPLOAD_MAX_SECONDS):
            body = await _body(receive, limit)
    except ValueError:
        await _refuse(send, 413, "body_too_large", f"A request may have {limit} bytes at most.")
        return
    except TimeoutError:
        await _refuse(send, 408, "body_too_slow", "The request body took too long to arrive.")
        return
    if body is None:
        return
    # a2wsgi knows the length only from the header; a chunked body has none
    kept = [
        pair
        for pair in scope["headers"]
        if pair[0] not in (b"content-length", b"transfer-encoding")
    ]
    scope["headers"] = [*kept, (b"content-length", str(len(body)).encode())]
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    await _pages(scope, replay, send)
