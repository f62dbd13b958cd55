"""Tokens of watchlists on the device: a hit is noticed when the network is gone.

The server hands out HMAC tokens under a key for this device only; they are kept sealed, and they
expire. No plate is among them, but whoever holds the running device can test one plate after
another (docs/threat-model.md).

The answer of `GET /api/v1/hotlist`: `{"key": base64, "expires_at": ISO 8601, "exact": [hex …],
"possible": [hex …]}`: the first 16 bytes of HMAC-SHA256 of a canonical text, and of a text with
each character replaced by the first of its class of look-alikes (domain-rules.md §4).
"""

from __future__ import annotations

import binascii
import contextlib
import hmac
import json
import queue
import subprocess
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from edge.disk import write_whole
from edge.health import Health
from edge.sealing import Sealer, SealError
from inference.lookalikes import LOOKALIKES

How = Literal["exact", "possible"]

TOKEN_BYTES: Final = 16
PURPOSE: Final = "hotlist"
"""What the sealer's key is made for."""

_ABOUT: Final = "hotlist"
_MOST_TOKENS: Final = 1_000_000
_MOST_AGE: Final = timedelta(hours=25)  # what the server promises, and an hour of clock
_QUIET: Final = timedelta(seconds=60)
_COMMAND_S: Final = 30.0
_CLASSES: Final = str.maketrans(
    {char: min(group) for group in LOOKALIKES for char in group}  # its digit
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A read that stands on a watchlist. `how`: "exact", or "possible" where only look-alike
    characters differ: never more than a reason for a person to look. It holds no plate."""

    how: How
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class _List:
    key: bytes
    expires_at: datetime
    exact: frozenset[bytes]
    possible: frozenset[bytes]
    etag: str | None

    def __len__(self) -> int:
        return len(self.exact)


def token(key: bytes, text: str) -> bytes:
    """What stands on the list for a text: 16 bytes."""
    return hmac.digest(key, text.encode(), "sha256")[:TOKEN_BYTES]


def look_alike(text: str) -> str:
    """A text with each character replaced by its class's digit: one for all texts that look the
    same."""
    return text.translate(_CLASSES)


class Hits:
    """Checks reads against the tokens. `utc_now` is the server's time as the device knows it.

    `hook` is called for each hit, in the thread that read the plate: it returns at once. The same
    token does not sound again until it has not been seen for a minute: a vehicle has several reads.
    Threads share one.
    """

    def __init__(
        self,
        file: Path,
        sealer: Sealer,
        utc_now: Callable[[], datetime],
        health: Health,
        hook: Callable[[Hit], None] | None = None,
    ) -> None:
        self._file, self._sealer, self._utc_now = file, sealer, utc_now
        self._health, self._hook = health, hook
        self._lock = threading.Lock()
        self._list: _List | None = None
        self._recent: dict[bytes, datetime] = {}
        self._read_file()
        self._note()

    @property
    def etag(self) -> str | None:
        """What the server called the list that is held; None where none is, or it expired."""
        held = self._valid()
        return held.etag if held else None

    def take(self, answer: Any, etag: str | None) -> bool:
        """Keep a new list; False (and a trouble) where the answer is not one: the list held
        before stays until it expires."""
        try:
            found = _parse(answer, etag, self._utc_now())
        except (KeyError, TypeError, ValueError):
            self._health.count("hotlist_refused")
            self._health.trouble("hotlist", "The server's watchlist could not be understood.")
            return False
        with self._lock:
            self._list = found
        self._write_file(found)
        self._note()
        return True

    def forget(self) -> None:
        """Drop the list here and on the disk: the server no longer wants it watched."""
        with self._lock:
            self._list = None
            self._recent.clear()
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)
        self._health.note("hotlist_entries", 0)
        self._health.trouble("hotlist", None)

    def check(self, text: str, captured_at: datetime) -> Hit | None:
        """Whether a read's text (canonical, as the reader gives it) stands on a list."""
        held = self._valid()
        if held is None:
            return None
        exact = token(held.key, text)
        if exact in held.exact:
            return self._hit("exact", exact, captured_at)
        possible = token(held.key, look_alike(text))
        if possible in held.possible:
            return self._hit("possible", possible, captured_at)
        return None

    def _hit(self, how: How, found: bytes, captured_at: datetime) -> Hit:
        hit = Hit(how, captured_at)
        with self._lock:
            self._recent = {
                one: at for one, at in self._recent.items() if captured_at - at < _QUIET
            }
            again = found in self._recent
            self._recent[found] = captured_at
        if not again:
            self._health.count(f"hits_{how}")
            if self._hook is not None:
                self._hook(hit)
        return hit

    def _valid(self) -> _List | None:
        with self._lock:
            held = self._list
        if held is None:
            return None
        if self._utc_now() < held.expires_at:
            return held
        self.forget()
        self._health.trouble(
            "hotlist",
            "The watchlist has expired; hits are not noticed here until the server answers.",
        )
        return None

    def _note(self) -> None:
        held = self._valid()
        if held is not None:
            self._health.note("hotlist_entries", len(held))
            self._health.trouble("hotlist", None)

    def _read_file(self) -> None:
        try:
            raw = json.loads(self._sealer.open(self._file.read_bytes(), _ABOUT))
            self._list = _parse(raw, raw["etag"], self._utc_now())
        except FileNotFoundError:
            return
        except (OSError, SealError, KeyError, TypeError, ValueError):
            self._health.trouble("hotlist", "The watchlist on the disk cannot be read.")

    def _write_file(self, held: _List) -> None:
        clear = json.dumps(
            {
                "key": b64encode(held.key).decode(),
                "expires_at": held.expires_at.isoformat(),
                "exact": [one.hex() for one in held.exact],
                "possible": [one.hex() for one in held.possible],
                "etag": held.etag,
            }
        ).encode()
        try:
            write_whole(self._file, self._sealer.seal(clear, _ABOUT))
        except OSError:
            self._health.trouble("hotlist", "The watchlist cannot be kept on the disk.")


def _parse(raw: Any, etag: str | None, now: datetime) -> _List:
    """Raises KeyError, TypeError, ValueError."""
    if not isinstance(raw, Mapping):
        raise TypeError("not an object")
    key = b64decode(raw["key"], validate=True)
    expires = datetime.fromisoformat(raw["expires_at"])
    if len(key) < 16 or expires.tzinfo is None:
        raise ValueError("a key or a moment that is none")
    lists = []
    for name in ("exact", "possible"):
        tokens = raw[name]
        if not isinstance(tokens, list) or len(tokens) > _MOST_TOKENS:
            raise ValueError("not a list of tokens")
        found = frozenset(binascii.unhexlify(one) for one in tokens)
        if any(len(one) != TOKEN_BYTES for one in found):
            raise ValueError("not a token")
        lists.append(found)
    # A list that says it lasts longer than the server promises does not.
    return _List(key, min(expires.astimezone(UTC), now + _MOST_AGE), lists[0], lists[1], etag)


def command_hook(command: Sequence[str], health: Health) -> Callable[[Hit], None]:
    """A hook that runs a program of the device's owner: a horn, a lamp, a radio.

    It gets `{"how": …, "captured_at": …}` on its standard input and no plate anywhere; it has
    half a minute. While one runs the next waits; more than a few waiting are dropped and counted.
    """
    waiting: queue.Queue[Hit] = queue.Queue(maxsize=8)

    def run() -> None:
        while True:
            hit = waiting.get()
            said = json.dumps({"how": hit.how, "captured_at": hit.captured_at.isoformat()})
            try:
                subprocess.run(
                    list(command), input=said, text=True, timeout=_COMMAND_S, check=True,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError):
                health.count("hit_command_failed")
                health.trouble("hits", "The program that should sound on a hit fails.")
            else:
                health.trouble("hits", None)

    threading.Thread(target=run, name="hits", daemon=True).start()

    def hook(hit: Hit) -> None:
        try:
            waiting.put_nowait(hit)
        except queue.Full:
            health.count("hit_command_skipped")

    return hook
