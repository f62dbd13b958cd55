"""Pages and the API, a WSGI application, served out of ASGI by a fixed pool of threads.

A thread is taken once the body is there and given back as soon as the answer is made: it waits for
no client. An answer that is whole when it is made goes from the thread to the loop in one piece.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from django.http import HttpResponse

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Tell = Callable[..., None]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Pages:
    """`app` with the threads it runs in."""

    def __init__(self, app: Wsgi, *, workers: int) -> None:
        self.app = app
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pages")

    async def __call__(self, scope: Message, body: bytes, send: Send) -> None:
        """Answer one HTTP request, whose body has come."""
        loop = asyncio.get_running_loop()
        # without a limit: a thread must never wait for a client that reads slowly, since a few of
        # them would be all there are
        waiting: asyncio.Queue[tuple[Message, ...]] = asyncio.Queue()

        def tell(*messages: Message) -> None:
            loop.call_soon_threadsafe(waiting.put_nowait, messages)

        done = loop.run_in_executor(self._threads, self._answer, environ(scope, body), tell)
        done.add_done_callback(lambda _: waiting.put_nowait(()))
        while messages := await waiting.get():
            for message in messages:
                await send(message)
        await done

    def _answer(self, asked: dict[str, Any], tell: Tell) -> None:
        start: Message = {"type": "http.response.start"}

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            start["status"] = int(status.partition(" ")[0])
            # Django's Set-Cookie begins with a blank, which h11 refuses
            start["headers"] = [
                (name.lower().encode("latin-1"), value.strip().encode("latin-1"))
                for name, value in headers
            ]

        made = self.app(asked, start_response)
        try:
            if isinstance(made, HttpResponse):
                tell(start, _part(b"".join(made), more=False))
                return
            tell(start)
            for part in made:
                tell(_part(part, more=True))
            tell(_part(b"", more=False))
        finally:
            getattr(made, "close", lambda: None)()


def _part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def environ(scope: Message, body: bytes) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of an ASGI HTTP scope. Its length is the body's own, whatever
    the client said: a chunked one says nothing."""
    host, port = scope.get("server") or ("localhost", 80)
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        if b"_" in raw:
            continue  # it would pass for the header with a hyphen, which a proxy may vouch for
        name = raw.decode("latin-1").upper().replace("-", "_")
        if name != "CONTENT_TYPE":
            name = f"HTTP_{name}"
        said = value.decode("latin-1")
        found[name] = f"{found[name]},{said}" if name in found else said
    found["CONTENT_LENGTH"] = str(len(body))
    found.pop("HTTP_CONTENT_LENGTH", None)
    found.pop("HTTP_TRANSFER_ENCODING", None)
    return found
