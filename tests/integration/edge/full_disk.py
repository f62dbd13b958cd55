"""Run in a mount namespace of its own: a spool on a small disk that somebody else fills.

Prints as JSON what was kept. A module and no test: `test_disk.py` starts it.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.health import Health
from edge.items import Item, Kind
from edge.spool import Spool

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)


class _Clock:
    boot, known_since = "boot", 0.0

    def now(self) -> float:
        return 0.0

    def utc(self, at: float) -> datetime:
        return BEGIN


def item(number: int, kind: Kind, size: int) -> Item:
    data = os.urandom(size)
    at = BEGIN + timedelta(seconds=number)
    fields = {"read": {"text": f"AB{number}CD", "score": 0.9}} if kind == "read" else {}
    picture, crop = (None, data) if kind == "read" else (data, None)
    return Item(kind, at, fields, picture, crop, event_id=f"{kind}-{number}")


def main(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(folder)], check=True)
    health = Health()
    made = Spool(
        folder / "spool", bytes(32), max_bytes=10**9, keep_hours=24, clock=_Clock(), health=health
    )
    reserved = (folder / "spool" / "spool.reserve").exists()
    for number in range(200):
        made.put(item(number, "frame", 50_000))
        made.put(item(number, "read", 3_000))
    # somebody else takes everything that is left
    with (folder / "log").open("wb", buffering=0) as log:
        try:
            while True:
                log.write(bytes(4096))
        except OSError:
            pass
    kept, failed = [], 0
    for number in range(200, 1200):
        try:
            made.put(item(number, "read", 3_000))
            kept.append(f"read-{number}")
        except OSError:
            failed += 1
    before = [one.item.event_id for one in made.peek(10_000, 10**9)]
    made.done(dict.fromkeys(before[:50]))
    after = [one.item.event_id for one in made.peek(10_000, 10**9)]
    made.close()
    again = Spool(
        folder / "spool", bytes(32), max_bytes=10**9, keep_hours=24, clock=_Clock(), health=health
    )
    print(
        json.dumps(
            {
                "reserved": reserved,
                "kept": kept,
                "failed": failed,
                "before": before,
                "after": after,
                "again": [one.item.event_id for one in again.peek(10_000, 10**9)],
                "told": health.snapshot(),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
