"""The file the spool lies in: its tables, how an item becomes a row's body, opening it."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from edge.health import Health
from edge.items import Item

_HEAD: Final = struct.Struct(">III")
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS item (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    captured_at INTEGER NOT NULL, -- microseconds since 1970, UTC
    body BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    refusal TEXT, -- the code; null while it waits
    refused_field TEXT
);
CREATE INDEX IF NOT EXISTS item_waiting ON item (kind, number) WHERE refusal IS NULL;
CREATE INDEX IF NOT EXISTS item_oldest ON item (captured_at) WHERE refusal IS NULL;
CREATE INDEX IF NOT EXISTS item_refused ON item (number) WHERE refusal IS NOT NULL;
CREATE TABLE IF NOT EXISTS larger (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    capture_id TEXT UNIQUE, -- null until the server has named it
    captured_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    bytes INTEGER NOT NULL
);
"""


class Moments(Protocol):
    """What is needed of `edge.clock.Clock`."""

    def now(self) -> float:
        """Seconds that never go back."""

    def utc(self, at: float) -> datetime:
        """The same moment in UTC."""


def stamp(at: datetime) -> int:
    """Microseconds since 1970: exactly what was measured, however often it is sent."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(stamped: int) -> datetime:
    """The time of a stamp."""
    return _EPOCH + timedelta(microseconds=stamped)


def about(item: Item) -> str:
    """What an item's sealed body is bound to."""
    return f"item {item.event_id} {item.kind} {stamp(item.captured_at)}"


def packed(item: Item) -> bytes:
    """Fields as JSON, picture, crop, each with its length before it (0: none)."""
    parts = (json.dumps(item.fields).encode(), item.picture or b"", item.crop or b"")
    return _HEAD.pack(*map(len, parts)) + b"".join(parts)


def unpacked(body: bytes, head: Item) -> Item:
    """`head` with the fields and pictures of its body."""
    fields, picture, crop = _HEAD.unpack_from(body)
    at = _HEAD.size
    text = body[at : at + fields]
    shown = body[at + fields : at + fields + picture]
    close = body[at + fields + picture : at + fields + picture + crop]
    return replace(head, fields=json.loads(text), picture=shown or None, crop=close or None)


def is_full(error: sqlite3.Error) -> bool:
    """Whether it says that the disk is full."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def opened(path: Path, clock: Moments, health: Health) -> sqlite3.Connection:
    """The spool's file, begun anew where it is too damaged to be one. sqlite3.Error, OSError."""
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
            raise
    stamp = clock.utc(clock.now()).strftime("%Y%m%dT%H%M%S")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"damaged-{stamp}-{part.name}"))
    health.count("spool_damaged")
    health.trouble(
        "spool_file", "The spool's file was damaged; it was moved aside, a new one begun."
    )
    return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    made = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA wal_autocheckpoint = 256")  # 1 MiB: what evicting needs on a full disk
        made.executescript(_TABLES)
    except sqlite3.Error:
        made.close()
        raise
    return made
