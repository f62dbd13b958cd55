"""A device that puts and sends until it is killed; a module that is quick to import."""

import multiprocessing
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.health import Health
from edge.items import Item
from edge.settings import Settings
from edge.spool import Spool
from edge.transport.rest import RestTransport
from edge.transport.sender import Sender

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
WANTED = b"larger" * 500


class _Clock:
    boot, known_since = "boot", 0.0

    def now(self) -> float:
        return datetime.now(UTC).timestamp()

    def utc(self, at: float) -> datetime:
        return BEGIN + timedelta(hours=1)


def make_device(folder: Path, url: str) -> tuple[Spool, Sender]:
    health, clock = Health(), _Clock()
    spool = Spool(folder, bytes(32), max_bytes=10**8, keep_hours=10_000, clock=clock, health=health)
    transport = RestTransport(url, "pwd_00000000_" + "x" * 43)
    sender = Sender(spool, transport, clock=clock, health=health, settings=Settings)
    return spool, sender


def live(folder: Path, url: str, log: Path, first: int, born: "multiprocessing.Queue[int]") -> None:
    """A device: one thread sends; this one puts item after item, and notes each that was kept."""
    spool, sender = make_device(folder, url)
    threading.Thread(target=sender.run, args=(threading.Event(),), daemon=True).start()
    kept = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in range(first, first + 100_000):
        item = Item(
            "read",
            BEGIN + timedelta(milliseconds=number),
            {"read": {"text": f"AB{number}CD", "score": 0.9}},
            crop=bytes(1000),
            wanted=WANTED if number % 10 == 0 else None,
            event_id=f"event-{number}",
        )
        spool.put(item)
        os.write(kept, f"{number}\n".encode())
        if number == first:
            born.put(number)
