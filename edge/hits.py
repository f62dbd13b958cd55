"""Tokens of watchlists on the device: a hit is noticed when the network is gone.

The server hands out HMAC tokens under a key for this device only; they are kept sealed, and they
expire. No plate is among them, but whoever holds the running device can test one plate after
another (docs/threat-model.md).

The answer of `GET /api/v1/hotlist`: `{"key": base64, "expires_at": ISO 8601, "exact": [hex …],
"possible": [hex …]}`: the first 16 bytes of HMAC-SHA256 of a canonical text, and of a text with
each character replaced by the first of its class of look-alikes (domain-rules.md §4).
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from edge.health import Health

How = Literal["exact", "possible"]
TOKEN_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Hit:
    """A read that stands on a watchlist. `how`: "exact", or "possible" where only look-alike
    characters differ: never more than a reason for a person to look."""

    how: How
    captured_at: datetime
    text: str


class Sealer(Protocol):
    """What keeps the tokens unreadable on the disk (`sealing`)."""

    def seal(self, data: bytes, about: str) -> bytes: ...
    def open(self, sealed: bytes, about: str) -> bytes: ...


class Hits:
    """Checks reads against the tokens. `utc_now` is the server's time as the device knows it.

    `hook` is called for each hit: it sounds, lights or writes something. Threads share one.
    """

    def __init__(
        self,
        file: Path,
        sealer: Sealer,
        utc_now: Callable[[], datetime],
        health: Health,
        hook: Callable[[Hit], None] | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def etag(self) -> str | None:
        """What the server called the list that is held; None where none is, or it expired."""
        raise NotImplementedError

    def take(self, answer: Any, etag: str | None) -> bool:
        """Keep a new list; False (and a trouble) where the answer is not one."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop the list here and on the disk: the server no longer wants it watched."""
        raise NotImplementedError

    def check(self, text: str, captured_at: datetime) -> Hit | None:
        """Whether a read's text stands on a list."""
        raise NotImplementedError
