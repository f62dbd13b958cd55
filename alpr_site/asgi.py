"""One port: pages and API as WSGI in a fixed pool of threads, the live feed as ASGI.

Plain Django ASGI would open a database connection per request; the pool's threads keep theirs. The
body of a request is read before a thread is taken, with a limit and a deadline, so that a crowd of
stalled uploads never keeps anybody else waiting.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alpr_site.settings")

from django.conf import settings

from alpr_site.pages import Pages
from alpr_site.wsgi import application as wsgi
from dashboard.live import live_application
from vault.checks import refuse_wrong_keys

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

refuse_wrong_keys()
_pages = Pages(wsgi, workers=settings.WEB_THREADS)


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
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
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
    if headers.get(b"content-encoding", b"gzip") != b"gzip":  # which parsers of devices take
        await _refuse(
            send, 415, "encoding_unsupported", "Send the body as it is, or JSON with gzip."
        )
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
    await _pages(scope, body, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    """There is nothing to do at the start and at the end."""
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})
