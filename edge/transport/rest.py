"""The REST road: `POST /api/v1/captures` in batches, heartbeats, pictures on demand, watchlists.

Bodies are JSON, compressed with gzip for as long as the server takes that (one that doesn't answers
415 `encoding_unsupported` or, not having noticed, 400 `json_malformed`). Only an answer in our
server's own shape is believed: what a captive portal or a broken proxy says is no verdict on an
item.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

import edge
from edge.spool import Spooled
from edge.transport import (
    Answer,
    BatchRefused,
    KeyRefused,
    Later,
    Misanswered,
    NotYet,
    Outcome,
    Refused,
    Taken,
    TooMuch,
    Unreachable,
)

_CONNECT_S: Final = 10.0
_SILENCE_S: Final = 60.0  # the server gives an upload as long
_ANSWER_S: Final = 120.0
_ANSWER_BYTES: Final = 4 << 20
_WORTH_GZIP: Final = 200  # bytes
_PLAIN_WORD: Final = re.compile(r"[a-z][a-z0-9_.]{0,79}")
_NO_GZIP: Final = ("encoding_unsupported", "json_malformed")
_ABOUT_ITEMS: Final = (400, 409, 422)  # a 404 is about the address
_FOR_NOW: Final = frozenset({"try_again", "storage_full", "rate_limited"})


class _Bearer(AuthBase):
    """As `auth`, since requests lets a machine's .netrc overrule a header."""

    def __init__(self, key: str) -> None:
        self._header = f"Bearer {key}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def items_json(items: Sequence[Spooled], *, sent_at: datetime | None) -> dict[str, Any]:
    """The body of `POST /api/v1/captures` for a batch; pictures in base64."""
    return {"items": [_item_json(one, sent_at) for one in items]}


def _item_json(spooled: Spooled, sent_at: datetime | None) -> dict[str, Any]:
    item = spooled.item
    body: dict[str, Any] = {
        **item.fields,
        "event_id": item.event_id,
        "kind": item.kind,
        "captured_at": item.captured_at.isoformat(),
    }
    if sent_at is not None:
        body["sent_at"] = sent_at.isoformat()
    if not item.timed:
        body["clock"] = "unknown"
    for name, picture in (("picture", item.picture), ("crop", item.crop)):
        if picture is not None:
            body[name] = b64encode(picture).decode()
    return body


class RestTransport:
    """The server at `url` (scheme and host), asked with a device key. Threads may share one.

    `ca`: a file of certificates to trust instead of the usual ones. `utc` tells the time, for a
    Retry-After that is a date. Proxies come from the environment, as everywhere.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        ca: Path | None = None,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url.rstrip("/")
        self._auth = _Bearer(key)
        self._verify: bool | str = True if ca is None else str(ca)
        self._utc = utc
        self._own = threading.local()
        self._gzip = True

    # --- captures ---------------------------------------------------------------------------------
    def send(
        self, items: Sequence[Spooled], *, sent_at: datetime | None, through: datetime | None = None
    ) -> Answer:
        """Send 1 to 100 items in order. The watermark goes with the heartbeats, when it is known
        what has been taken. TransportError."""
        body = json.dumps(items_json(items, sent_at=sent_at)).encode()
        status, raw, bytes_sent = self._post_packed("/api/v1/captures", body)
        said = _object(raw)
        if said is not None and "results" in said and status in (202, 400):
            return Answer(_outcomes(said["results"], len(items)), bytes_sent)
        try:
            self._judge(status, said)
        except BatchRefused as refusal:
            if refusal.status not in _ABOUT_ITEMS:
                raise Misanswered(f"Captures are not taken there ({status}).") from refusal
            raise
        raise Misanswered("The server's answer says nothing about what was sent.")

    def _post_packed(self, path: str, body: bytes) -> tuple[int, bytes, int]:
        """POST JSON as small as the server takes it; (status, answer, bytes sent)."""
        if self._gzip and len(body) >= _WORTH_GZIP:
            packed = gzip.compress(body, compresslevel=5, mtime=0)
            status, raw = self._exchange("POST", path, packed, {"Content-Encoding": "gzip"})
            refusal = _error(_object(raw)) if status in (400, 415) else None
            if refusal is None or refusal[0] not in _NO_GZIP:
                return status, raw, len(packed)
            self._gzip = False
        status, raw = self._exchange("POST", path, body)
        return status, raw, len(body)

    # --- the rest ---------------------------------------------------------------------------------
    def heartbeat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post a heartbeat; what the server answered. TransportError."""
        status, raw, _ = self._post_packed("/api/v1/heartbeats", json.dumps(body).encode())
        return self._object_of(status, raw)

    def put_picture(self, capture_id: str, picture: bytes) -> None:
        """Send the larger picture (JPEG) of a capture the server asked for. TransportError."""
        path = f"/api/v1/captures/{UUID(capture_id)}/picture"
        status, raw = self._exchange("PUT", path, picture, {"Content-Type": "image/jpeg"})
        if not 200 <= status < 300:
            self._judge(status, _object(raw))

    def hotlist(self, etag: str | None) -> tuple[str | None, Any] | None:
        """The tokens of watchlists and their ETag; None where they are still those of `etag`.
        TransportError."""
        headers = {} if etag is None else {"If-None-Match": etag}
        status, raw = self._exchange("GET", "/api/v1/hotlist", None, headers)
        if status == requests.codes.not_modified and etag is not None:
            return None
        return self._own.etag, self._object_of(status, raw)

    def close(self) -> None:
        """Give this thread's connection back."""
        if (session := getattr(self._own, "session", None)) is not None:
            session.close()
            del self._own.session

    # --- one exchange -----------------------------------------------------------------------------
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:  # a session is for one thread
            session = self._own.session = requests.Session()
            session.headers["User-Agent"] = f"platewarden-edge/{edge.__version__}"
        return session

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and whole body of an answer; Unreachable, Later, TooMuch, Misanswered."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        try:
            with self._session().request(
                method,
                self._url + path,
                # read in blocks, so that the time limit is one of silence, not of a slow line
                data=None if body is None else BytesIO(body),
                headers=sent,
                auth=self._auth,
                timeout=(_CONNECT_S, _SILENCE_S),
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = _whole(response)
        except requests.exceptions.SSLError as error:
            raise Unreachable("The server's certificate is not trusted.") from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unreachable(f"No connection to the server ({type(error).__name__}).") from error
        status = response.status_code
        self._own.etag = response.headers.get("ETag")
        if status in (requests.codes.too_many_requests, requests.codes.service_unavailable):
            wait = self._retry_after(response.headers.get("Retry-After"))
            raise Later("The server asks for patience.", wait)
        if status == requests.codes.request_entity_too_large:
            raise TooMuch("Too much at once for the server.")
        if status == requests.codes.request_timeout:
            raise Unreachable("The line is too slow for what was sent.")
        return status, raw

    def _retry_after(self, header: str | None) -> float | None:
        """Seconds (RFC 9110, 10.2.3: a number or a date); None where it says none."""
        if header is None:
            return None
        if header.strip().isdecimal():
            return float(header)
        try:
            until = parsedate_to_datetime(header)
            return max(0.0, (until - self._utc()).total_seconds())
        except (TypeError, ValueError):
            return None

    def _object_of(self, status: int, raw: bytes) -> Mapping[str, Any]:
        said = _object(raw)
        if 200 <= status < 300 and said is not None:
            return said
        self._judge(status, said)
        raise Misanswered("The server answers with something else than JSON.")

    def _judge(self, status: int, said: Mapping[str, Any] | None) -> None:
        """Raise what an answer that is no success means."""
        refusal = _error(said)
        if refusal is None or not 400 <= status < 500:
            raise Misanswered(f"What answers is not our server, or it is not well ({status}).")
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise KeyRefused(f"The server refuses this device's key ({refusal[0]}).")
        raise BatchRefused(*refusal, status=status)


def _whole(response: requests.Response) -> bytes:
    """The body; ValueErrors of requests where it ends early, is endless or takes for ever."""
    parts, size, until = [], 0, time.monotonic() + _ANSWER_S
    while part := response.raw.read1(1 << 16, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > _ANSWER_BYTES or time.monotonic() > until:
            raise requests.exceptions.ReadTimeout("The answer does not end.")
    return b"".join(parts)


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _error(said: Mapping[str, Any] | None) -> tuple[str, str | None] | None:
    """(code, field) of an answer in our server's shape for errors, else None."""
    error = said.get("error") if said is not None else None
    if not isinstance(error, dict) or not isinstance(error.get("sentence"), str):
        return None
    code, field = error.get("code"), error.get("field")
    if not isinstance(code, str) or not _PLAIN_WORD.fullmatch(code):
        return None
    return code, field if isinstance(field, str) and _PLAIN_WORD.fullmatch(field) else None


def _outcomes(results: Any, count: int) -> list[Outcome]:
    """One outcome for each item sent; Misanswered unless each has exactly one."""
    found: dict[int, Outcome] = {}
    for one in results if isinstance(results, list) else ():
        if isinstance(one, dict) and isinstance(one.get("index"), int):
            found[one["index"]] = _outcome(one)
    if len(found) != count or len(results) != count or set(found) != set(range(count)):
        raise Misanswered("The server's answer does not say what became of each item.")
    return [found[index] for index in range(count)]


def _outcome(one: Mapping[str, Any]) -> Outcome:
    refusal = _error(one)
    if refusal is not None:
        return NotYet() if refusal[0] in _FOR_NOW else Refused(*refusal)
    try:
        return Taken(str(UUID(one["id"])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Misanswered("The server's answer does not name what it took.") from error
