"""A spool under a clock of the test's own, and items for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.health import Health
from edge.items import Item, Kind
from edge.spool import Spool

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEY = bytes(range(32))


class Clock:
    """Seconds since `BEGIN`, moved by hand; `wrong` by as much."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.boot = "this boot"
        self.known_since: float | None = 0.0
        self.wrong = timedelta(0)

    def now(self) -> float:
        return self.seconds

    def utc(self, at: float) -> datetime:
        return BEGIN + timedelta(seconds=at) + self.wrong


def make_spool(
    folder: Path,
    clock: Clock,
    health: Health | None = None,
    *,
    max_bytes: int = 10_000_000,
    keep_hours: float = 24.0,
) -> Spool:
    return Spool(
        folder,
        KEY,
        max_bytes=max_bytes,
        keep_hours=keep_hours,
        clock=clock,
        health=health or Health(),
    )


def make_item(number: int, kind: Kind = "read", *, size: int = 0, **more: Any) -> Item:
    """The `number`th capture, a second after the one before."""
    body: dict[str, Any] = {"event_id": f"event-{number}", **more}
    if kind == "read":
        body.setdefault("fields", {"read": {"text": f"AB{number}CD", "score": 0.9}})
        body.setdefault("crop", b"c" * size if size else None)
    else:
        body.setdefault("picture", b"p" * (size or 10))
    return Item(kind, BEGIN + timedelta(seconds=number), **body)


def waiting(spool: Spool) -> list[str]:
    """Event ids in the order they will go."""
    return [one.item.event_id for one in spool.peek(10_000, 10**9)]
