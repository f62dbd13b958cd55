"""How items reach the server, and what can be said of one attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from edge.spool import Spooled


@dataclass(frozen=True, slots=True)
class Taken:
    """The server has it. `capture_id`: its name for it, None where the transport can't know."""

    capture_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The server will never take this item as it is; `code` and `field` as it said."""

    code: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not taken just now, through no fault of the item."""


Outcome = Taken | Refused | NotYet


@dataclass(frozen=True, slots=True)
class Answer:
    """One outcome for each item sent, in their order; the size in bytes of the body as sent."""

    outcomes: Sequence[Outcome]
    bytes_sent: int


class TransportError(Exception):
    """An attempt of which nothing counts as delivered. The text is a sentence without secrets."""


class Unreachable(TransportError):
    """No connection, or it broke, or it was too slow."""


class Misanswered(TransportError):
    """Something answered, and not as our server does (5xx, garbage, half a response)."""


class Later(TransportError):
    """The server asked for patience; `seconds` where it said how much."""

    def __init__(self, sentence: str, seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class TooMuch(TransportError):
    """Too large at once: try with less."""


class KeyRefused(TransportError):
    """The server knows this device's key no longer, or not for this."""


class BatchRefused(TransportError):
    """The whole request was refused as wrong, by our server, without saying which item. `status`
    is HTTP's."""

    def __init__(self, code: str, field: str | None = None, *, status: int = 400) -> None:
        super().__init__(f"The server refuses the request ({code}).")
        self.code, self.field, self.status = code, field, status


class Transport(Protocol):
    """A road to the server; used by one thread at a time."""

    def send(
        self, items: Sequence[Spooled], *, sent_at: datetime | None, through: datetime
    ) -> Answer:
        """Send 1 to 100 items in order. `sent_at`: None where the time is not known. `through`: the
        watermark once they have been delivered. TransportError."""

    def close(self) -> None:
        """Give the connection back."""
