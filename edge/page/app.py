"""What the page answers. Behind the log-in everything, before it only the log-in and its style."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.page.door import Door
from edge.page.film import MOST_WATCHERS, Film

HERE: Final = Path(__file__).parent
COOKIE: Final = "platewarden_edge"
_LARGEST_FORM: Final = 4096
_FORM_S: Final = 10.0
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}

State = Callable[[], Mapping[str, Any]]
Crop = Callable[[int], bytes | None]


def make_app(door: Door, film: Film, *, state: State, crop: Crop, camera: str) -> ASGIApp:
    """The page as an ASGI application. `state`: what `/state` says; `crop`: the JPEG of a read."""
    pages = {
        name: (HERE / f"{name}.html").read_text(encoding="utf-8").replace(
            "{{camera}}", html.escape(camera)
        )
        for name in ("login", "index")
    }  # fmt: skip

    def inside(request: Request) -> bool:
        return door.inside(request.cookies.get(COOKIE))

    def behind(
        answer: Callable[[Request], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if not inside(request):
                return _refusal(401, "not_logged_in", "Log in first.")
            return await answer(request)

        return guarded

    async def index(request: Request) -> Response:
        if not inside(request):
            return RedirectResponse("/login", status_code=303)
        return HTMLResponse(pages["index"])

    def login_page(sentence: str = "", status: int = 200) -> Response:
        said = f'<p class="error" role="alert">{html.escape(sentence)}</p>' if sentence else ""
        return HTMLResponse(pages["login"].replace("{{message}}", said), status_code=status)

    async def login(request: Request) -> Response:
        if request.method != "POST":
            return RedirectResponse("/", status_code=303) if inside(request) else login_page()
        address = request.client.host if request.client else ""
        form = await _form(request)
        if (wait := door.wait_s(address)) > 0:
            answer = login_page(f"Too many attempts. Try again in {wait:.0f} seconds.", 429)
            answer.headers["retry-after"] = str(int(wait) + 1)
            return answer
        token = await run_in_threadpool(door.enter, address, form.get("password", ""))
        if token is None:
            return login_page("That is not the password.", 403)
        entered = RedirectResponse("/", status_code=303)
        entered.set_cookie(
            COOKIE,
            token,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return entered

    async def logout(request: Request) -> Response:
        door.leave(request.cookies.get(COOKIE))
        left = RedirectResponse("/login", status_code=303)
        left.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return left

    async def told(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(state))

    async def stream(request: Request) -> Response:
        if film.watchers >= MOST_WATCHERS:
            sentence = f"{MOST_WATCHERS} are watching already; close one of their pages."
            return _refusal(503, "too_many_watchers", sentence)
        token = request.cookies.get(COOKIE)
        return StreamingResponse(
            film.watch(lambda: door.inside(token)), media_type="application/octet-stream"
        )

    async def read_crop(request: Request) -> Response:
        picture = crop(request.path_params["number"])
        if picture is None:
            return _refusal(404, "not_found", "This picture is no longer kept.")
        return Response(picture, media_type="image/jpeg")

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        sentence = {
            400: "This request could not be understood.",
            403: "This request came from another page.",
            404: "There is nothing here.",
            405: "That cannot be done here.",
            413: "This request is too large.",
        }.get(status, "The page failed; the agent goes on.")
        return _refusal(status, f"http_{status}", sentence)

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/login", login, methods=["GET", "POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/state", behind(told)),
            Route("/stream", behind(stream)),
            Route("/reads/{number:int}.jpg", behind(read_crop)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={HTTPException: refused, Exception: refused},
    )
    return _Guard(app)


def _refusal(status: int, code: str, sentence: str) -> Response:
    return JSONResponse({"error": {"code": code, "sentence": sentence}}, status_code=status)


async def _form(request: Request) -> dict[str, str]:
    """A small form, sent within a few seconds; of a field sent twice the last."""
    body = b""
    try:
        async with asyncio.timeout(_FORM_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _LARGEST_FORM:
                    raise HTTPException(413)
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=10)
    except (TimeoutError, ValueError, ClientDisconnect) as error:
        raise HTTPException(400) from error
    return {name: values[-1] for name, values in fields.items()}


class _Guard:
    """Our headers on every answer; a POST of another site's page is refused, whatever cookie it
    carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                kept = [(n, v) for n, v in message["headers"] if n.decode() not in _HEADERS]
                message = {**message, "headers": [*kept, *ours]}
            await send(message)

        if scope["method"] == "POST" and _foreign(Request(scope)):
            refusal = _refusal(403, "other_origin", "This request came from another page.")
            await refusal(scope, receive, sent)
            return
        await self._app(scope, receive, sent)


def _foreign(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
