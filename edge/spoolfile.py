"""The file the spool lies in: its tables, how an item becomes a row's body, how it is written to,
what is evicted, and what happens when the disk is full or the file damaged."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, get_args

from edge.health import Health
from edge.items import Item, Kind

_HEAD: Final = struct.Struct(">III")
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_RESERVE_BYTES: Final = 2 << 20
_LOW_BYTES: Final = 16 << 20
_NO_CAP: Final = 1_073_741_823
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS item (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    captured_at INTEGER NOT NULL, -- microseconds since 1970, UTC
    boot TEXT, -- where the time was not known: the run of the machine and its microsecond
    seen INTEGER,
    timed INTEGER NOT NULL DEFAULT 1, -- whether captured_at is right
    body BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    refusal TEXT, -- the code; null while it waits
    refused_field TEXT
);
CREATE INDEX IF NOT EXISTS item_waiting ON item (kind, number) WHERE refusal IS NULL;
CREATE INDEX IF NOT EXISTS item_oldest ON item (captured_at) WHERE refusal IS NULL;
CREATE INDEX IF NOT EXISTS item_untimed ON item (boot, number) WHERE timed = 0;
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
_COLUMNS: Final = {
    "item": "number, event_id, kind, captured_at, boot, seen, timed, body, bytes, refusal,"
    " refused_field",
    "larger": "number, event_id, capture_id, captured_at, body, bytes",
}
_EVICTION: Final = (
    # what, table, which of its rows
    ("larger_sent", "larger", "capture_id IS NOT NULL"),
    ("larger", "larger", "capture_id IS NULL"),
    ("refused", "item", "refusal IS NOT NULL"),
    ("frame", "item", "refusal IS NULL AND kind = 'frame'"),
    ("crop", "item", "refusal IS NULL AND kind = 'crop'"),
    ("read", "item", "refusal IS NULL AND kind = 'read'"),
)
RANK: Final = {what: rank for rank, (what, _, _) in enumerate(_EVICTION)}
"""What may be evicted for what: everything of at most its own rank."""
assert set(get_args(Kind)) <= set(RANK)


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


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether it says that the file is damaged or none of ours."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


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


class SpoolFile:
    """The database in `folder`, with a tally of its bytes. Not for two threads at once.

    One too damaged to open is moved aside, a new one begun with what could still be read of it,
    and `spool_damaged` counted: the agent must go on. sqlite3.Error, OSError.

    A disk with less than `_LOW_BYTES` left counts as full: from then on the file does not grow, so
    that every write finds its pages inside it. What the log of writes needs is there already, or
    comes out of a reserve: a file whose bytes are given up when even that cannot be written.
    """

    def __init__(self, folder: Path, health: Health) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path, self._reserve = folder / "spool.db", folder / "spool.reserve"
        self._health = health
        self._evicted: Counter[str] = Counter()
        self._capped = False
        self.bytes = 0
        try:
            try:
                self.db = _connected(self._path)
            except sqlite3.OperationalError:
                if not self._give_reserve():
                    raise
                self.db = _connected(self._path)
            self.bytes = self._counted()
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
            self.begin_anew()
        self.take_stock()

    def begin_anew(self) -> None:
        """Move a damaged file aside and go on with what can still be read of it."""
        if hasattr(self, "db"):
            self.db.close()
        aside = self._path.with_name(f"damaged-{time.time_ns()}.db")
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self.db = _connected(self._path)
        self._health.count("spool_damaged")
        self._health.count("spool_rescued", self._rescue(aside))
        self._health.trouble(
            "disk", "The spool's file was damaged: moved aside, what was readable kept."
        )
        self.take_stock()

    def _rescue(self, aside: Path) -> int:
        """Copy the rows that can still be read, from the front and then from the back; how many."""
        count = 0
        for table, columns in _COLUMNS.items():
            marks = ", ".join("?" * len(columns.split(",")))
            insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
            for order in ("", " DESC"):
                with suppress(sqlite3.Error), closing(_connected(aside)) as old:
                    asked = f"SELECT {columns} FROM {table} ORDER BY number{order}"  # noqa: S608
                    for row in old.execute(asked):
                        with self.writing(synced=False):
                            count += self.db.execute(insert, row).rowcount
        self._checkpoint()  # which syncs what the many small writes did not
        return count

    def forget_damaged(self, hours: float) -> None:
        """Delete files moved aside longer ago than that: what they hold would be gone by now."""
        for part in self._path.parent.glob("damaged-*"):
            if time.time() - part.stat().st_mtime > 3600 * hours:
                part.unlink()

    def take_stock(self) -> None:
        """Count the bytes again; look at the disk and, where it has room, have the reserve."""
        self.bytes = self._counted()
        self.mind_disk()
        if not self._capped and not self._reserve.exists():
            try:
                self._reserve.write_bytes(bytes(_RESERVE_BYTES))
            except OSError:
                self._reserve.unlink(missing_ok=True)

    def _counted(self) -> int:
        (size,) = self.db.execute(
            "SELECT (SELECT coalesce(sum(bytes), 0) FROM item)"
            " + (SELECT coalesce(sum(bytes), 0) FROM larger)"
        ).fetchone()
        return int(size)

    @contextmanager
    def writing(self, *, synced: bool) -> Iterator[None]:
        """One transaction; with `synced` it is on the disk afterwards. What is counted in memory
        goes back with it."""
        before = self.bytes
        self._evicted.clear()
        self.db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            self.bytes = before
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        for what, count in self._evicted.items():
            self._health.count(f"spool_evicted_{what}", count)

    def forget(self, table: str, where: str, value: str | int) -> int:
        """Delete rows inside a transaction; how many."""
        gone = self.db.execute(
            f"DELETE FROM {table} WHERE {where} RETURNING bytes",  # noqa: S608 - our own words
            (value,),
        ).fetchall()
        self.bytes -= sum(size for (size,) in gone)
        return len(gone)

    def expire(self, before: int, now: int, too_early: str) -> int:
        """Let go of what was captured before a stamp; how many items. One whose time was never
        known has no age until it is refused. What was refused as `too_early` waits again where it
        no longer is."""
        with self.writing(synced=False):
            gone = self.forget(
                "item", "captured_at < ? AND (timed = 1 OR refusal IS NOT NULL)", before
            )
            self.forget("larger", "captured_at < ?", before)
            self.db.execute(
                "UPDATE item SET refusal = NULL, refused_field = NULL"
                " WHERE refusal = ? AND captured_at <= ?",
                (too_early, now),
            )
        return gone

    def fit(self, size: int, max_bytes: int, rank: int) -> bool:
        """Make room for `size` within `max_bytes`, inside a transaction; see `free`."""
        return self.free(self.bytes + size - max_bytes, rank)

    def free(self, needed: int, rank: int) -> bool:
        """Evict `needed` bytes of what is worth no more than `rank`; False, and nothing evicted,
        where there is not so much of it."""
        victims: list[tuple[str, str, int]] = []
        for what, table, which in _EVICTION[: rank + 1]:
            if needed <= 0:
                break
            rows = self.db.execute(
                f"SELECT number, bytes FROM {table} WHERE {which} ORDER BY number"  # noqa: S608
            )
            for number, size in rows:
                victims.append((what, table, number))
                needed -= size
                if needed <= 0:
                    break
            rows.close()
        if needed > 0:
            return False
        for what, table, number in victims:
            self.forget(table, "number = ?", number)
            self._evicted[what] += 1
        return True

    # --- a full disk ------------------------------------------------------------------------------
    def mind_disk(self) -> None:
        """See that the file does not grow while the disk is as good as full."""
        left = shutil.disk_usage(self._path.parent).free
        if not self._capped and left < _LOW_BYTES:
            self.cap()
        elif self._capped and left > 2 * _LOW_BYTES:
            self.db.execute(f"PRAGMA max_page_count = {_NO_CAP}")
            self._capped = False

    def cap(self) -> None:
        """From now on the file does not grow. What the log of writes still holds of it is brought
        in, at the cost of the reserve if need be."""
        (pages,) = self.db.execute("PRAGMA page_count").fetchone()
        self.db.execute(f"PRAGMA max_page_count = {pages}")
        self._capped = True
        self._health.count("spool_disk_full")
        try:
            self._checkpoint()
        except sqlite3.Error:
            if self._give_reserve():
                with suppress(sqlite3.Error):
                    self._checkpoint()

    def make_room(self, size: int, rank: int) -> None:
        """Free pages inside the file, for a body of `size` bytes and some. sqlite3.Error."""
        if not self._capped:
            self.cap()
        self.again_with_reserve(lambda: self._make_room(size, rank))

    def _make_room(self, size: int, rank: int) -> None:
        with self.writing(synced=True):
            self.free(2 * size, rank) or self.free(size, rank)

    def again_with_reserve(self, work: Callable[[], None]) -> None:
        """Do `work`; where the disk is too full for it, give up the reserve and do it again."""
        try:
            work()
        except sqlite3.Error as error:
            if not is_full(error) or not self._give_reserve():
                raise
            self._checkpoint()
            work()

    def _checkpoint(self) -> None:
        self.db.execute("PRAGMA wal_checkpoint(RESTART)")

    def _give_reserve(self) -> bool:
        """Give up the reserve; whether there was one."""
        try:
            self._reserve.unlink()
        except FileNotFoundError:
            return False
        return True
