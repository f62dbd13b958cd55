"""The disk queue between pipeline and server: what `put` has returned from is never lost.

One SQLite file in WAL mode. `put` syncs to the disk before it returns; what marks an item as sent
does not, since an item sent twice is stored once (its event id is the same).

Fields and pictures are sealed (`edge.sealing`); in the clear stand only a random event id, the
kind, the time and the size.

**Order of eviction**, when `max_bytes` are reached or the disk is full (`_EVICTION`), oldest first
in each: larger pictures nobody has asked for yet (of items already sent, then of items waiting),
items the server has refused, waiting frames, waiting crops, waiting reads. A new item never
displaces a kind worth more than itself; then it is the new one that is not kept, and `put` says so.
Items older than `keep_hours` go whatever their kind. All of it is counted: `spool_evicted_<what>`,
`spool_expired`, `spool_put_failed`.

**The watermark** is the moment up to which everything seen has been delivered. Items refused or
evicted do not hold it back: they will never come.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast, get_args

from edge.health import Health
from edge.items import Item, Kind
from edge.sealing import Sealer, SealError
from edge.spoolfile import Moments, about, is_full, moment, opened, packed, stamp, unpacked

SETTLING: Final = timedelta(seconds=10)
"""How long a vehicle that was seen may take to become an item (`Spool.hold` for longer)."""

_ROW_BYTES: Final = 300  # what a row costs beside its body, roughly
_RESERVE_BYTES: Final = 2 << 20
_EVICTION: Final = (
    # what, table, which of its rows
    ("larger_sent", "larger", "capture_id IS NOT NULL"),
    ("larger", "larger", "capture_id IS NULL"),
    ("refused", "item", "refusal IS NOT NULL"),
    ("frame", "item", "refusal IS NULL AND kind = 'frame'"),
    ("crop", "item", "refusal IS NULL AND kind = 'crop'"),
    ("read", "item", "refusal IS NULL AND kind = 'read'"),
)
_RANK: Final = {what: rank for rank, (what, _, _) in enumerate(_EVICTION)}
assert set(get_args(Kind)) <= set(_RANK)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A waiting item, without its larger picture; `number` grows in the order of `put`."""

    number: int
    item: Item = field(repr=False)
    bytes: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item set aside: the server's code and, where it named one, the field."""

    event_id: str
    kind: str
    captured_at: datetime
    code: str
    field: str | None


@dataclass(frozen=True, slots=True)
class State:
    """How the spool is: items waiting and set aside, bytes of everything kept, seconds since the
    oldest waiting item was captured (0 where none waits)."""

    waiting: int
    refused: int
    bytes: int
    oldest_s: float


class Spool:
    """The spool in `folder`; threads share one. Implements `edge.items.Outbox`.

    `key`: the device's own (`sealing.load_key`). A file too damaged to open is moved aside, a new
    one begun, and `spool_damaged` counted: the agent must go on.
    """

    def __init__(
        self,
        folder: Path,
        key: bytes,
        *,
        max_bytes: int,
        keep_hours: float,
        clock: Moments,
        health: Health,
    ) -> None:
        self.max_bytes, self.keep_hours = max_bytes, keep_hours
        self._clock, self._health = clock, health
        self._sealer = Sealer(key, "spool")
        self._reserve = folder / "spool.reserve"
        self._lock = threading.RLock()
        self._news = threading.Event()
        self._held: datetime | None = None
        self._evicted: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = opened(folder / "spool.db", clock, health)
        self._bytes = self._counted_bytes()
        self._set_reserve()

    # --- in ---------------------------------------------------------------------------------------
    def put(self, item: Item) -> None:
        """Keep an item and its larger picture; durable once it returns. OSError where it can't be.

        The same event a second time changes nothing. A larger picture for which there is no room
        is left out (counted).
        """
        body = self._sealer.seal(packed(item), about(item))
        larger = None
        if item.wanted is not None:
            larger = self._sealer.seal(item.wanted, f"larger {item.event_id}")
        with self._lock:
            try:
                self._put(item, body, larger)
            except sqlite3.Error as error:
                if not is_full(error):
                    raise self._failed(errno.EIO, "cannot be written") from error
                self._put_on_full_disk(item, body, larger)
        self._health.count("items_spooled")
        self._health.trouble("spool", None)
        self._news.set()

    def _put_on_full_disk(self, item: Item, body: bytes, larger: bytes | None) -> None:
        self._health.count("spool_disk_full")
        try:
            self._make_room(len(body) + len(larger or b"") + 2 * _ROW_BYTES, _RANK[item.kind])
            try:
                self._put(item, body, larger)
            except sqlite3.Error:
                if larger is None:
                    raise
                self._put(item, body, None)
                self._health.count("spool_evicted_larger")
        except sqlite3.Error as error:
            raise self._failed(errno.ENOSPC, "has no room: the disk is full") from error

    def _put(self, item: Item, body: bytes, larger: bytes | None) -> None:
        at = stamp(item.captured_at)
        with self._writing(synced=True):
            size = len(body) + _ROW_BYTES
            if not self._evict(size, _RANK[item.kind]):
                self._health.count(f"spool_evicted_{item.kind}")
                raise self._failed(errno.ENOSPC, "is full of what is worth more")
            added = self._db.execute(
                "INSERT OR IGNORE INTO item (event_id, kind, captured_at, body, bytes)"
                " VALUES (?, ?, ?, ?, ?)",
                (item.event_id, item.kind, at, body, size),
            ).rowcount
            if not added:
                return
            self._bytes += size
            if larger is None:
                return
            size = len(larger) + _ROW_BYTES
            if not self._evict(size, _RANK["larger"]):
                self._health.count("spool_evicted_larger")
                return
            self._db.execute(
                "INSERT OR IGNORE INTO larger (event_id, captured_at, body, bytes)"
                " VALUES (?, ?, ?, ?)",
                (item.event_id, at, larger, size),
            )
            self._bytes += size

    def _failed(self, number: int, what: str) -> OSError:
        sentence = f"The spool {what}."
        self._health.count("spool_put_failed")
        self._health.trouble("spool", sentence)
        return OSError(number, sentence)

    # --- out --------------------------------------------------------------------------------------
    def peek(self, most: int, max_bytes: int) -> list[Spooled]:
        """The oldest waiting items in the order they were put: at most `most`, and no more than
        `max_bytes` beyond the first. One that no longer opens is set aside as `unreadable`."""
        found: list[Spooled] = []
        total = 0
        with self._lock:
            rows = self._db.execute(
                "SELECT number, event_id, kind, captured_at, body, bytes FROM item"
                " WHERE refusal IS NULL ORDER BY number LIMIT ?",
                (most,),
            )
            damaged: list[str] = []
            for number, event_id, kind, at, body, size in rows:
                total += size
                if found and total > max_bytes:
                    break
                head = Item(cast(Kind, kind), moment(at), event_id=event_id)
                try:
                    item = unpacked(self._sealer.open(body, about(head)), head)
                except SealError:
                    damaged.append(event_id)
                    continue
                found.append(Spooled(number, item, size))
            rows.close()
            for event_id in damaged:
                self.set_aside(event_id, "unreadable")
        return found

    def done(self, delivered: Mapping[str, str | None]) -> None:
        """Items the server has, by event id → the server's id of the capture (None: unknown; a
        larger picture that can never be asked for goes with its item)."""
        with self._lock, self._writing(synced=False):
            for event_id, capture_id in delivered.items():
                self._forget("item", "event_id = ?", event_id)
                if capture_id is None:
                    self._forget("larger", "event_id = ?", event_id)
                else:
                    self._db.execute(
                        "UPDATE OR IGNORE larger SET capture_id = ? WHERE event_id = ?",
                        (capture_id, event_id),
                    )
        self._health.count("items_sent", len(delivered))

    def set_aside(self, event_id: str, code: str, field: str | None = None) -> None:
        """The server will not take this item: it is kept and listed, and not sent again."""
        with self._lock, self._writing(synced=True):
            self._db.execute(
                "UPDATE item SET refusal = ?, refused_field = ? WHERE event_id = ?",
                (code, field, event_id),
            )
        self._health.count("items_refused")

    def refused(self, most: int = 100) -> list[Refusal]:
        """The items set aside, newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT event_id, kind, captured_at, refusal, refused_field FROM item"
                " WHERE refusal IS NOT NULL ORDER BY number DESC LIMIT ?",
                (most,),
            ).fetchall()
        return [
            Refusal(event_id, kind, moment(at), code, named)
            for event_id, kind, at, code, named in rows
        ]

    def put_back(self) -> int:
        """Everything set aside waits again, at its old place; how many. For people: after the
        clock, the key or the server was put right."""
        with self._lock, self._writing(synced=True):
            count = self._db.execute(
                "UPDATE item SET refusal = NULL, refused_field = NULL WHERE refusal IS NOT NULL"
            ).rowcount
        self._news.set()
        return count

    # --- larger pictures --------------------------------------------------------------------------
    def larger(self, capture_id: str) -> bytes | None:
        """The larger picture (JPEG) of a capture, by the server's id; None where it is gone."""
        with self._lock:
            row = self._db.execute(
                "SELECT event_id, body FROM larger WHERE capture_id = ?", (capture_id,)
            ).fetchone()
        if row is None:
            return None
        with suppress(SealError):
            return self._sealer.open(row[1], f"larger {row[0]}")
        return None

    def larger_done(self, capture_id: str) -> None:
        """The server has the larger picture, or wants it no longer."""
        with self._lock, self._writing(synced=False):
            self._forget("larger", "capture_id = ?", capture_id)

    # --- how it is --------------------------------------------------------------------------------
    def hold(self, since: datetime | None) -> None:
        """The pipeline still watches something first seen then; None: nothing. The watermark stays
        behind it."""
        self._held = since

    def watermark(self) -> datetime:
        """Everything seen until then has been delivered, or never will be (module docstring)."""
        with self._lock:
            oldest = self._oldest()
            until = self._utc() - SETTLING
            for since in (oldest, self._held):
                if since is not None:
                    until = min(until, since - timedelta(microseconds=1))
        return until

    def state(self) -> State:
        """How it is now; also noted in `health`: `queue_depth`, `spool_refused`, `spool_bytes`,
        `spool_oldest_s`."""
        with self._lock:
            waiting, refused = self._db.execute(
                "SELECT (SELECT count(*) FROM item WHERE refusal IS NULL),"
                " (SELECT count(*) FROM item WHERE refusal IS NOT NULL)"
            ).fetchone()
            oldest = self._oldest()
            kept = self._bytes
        age = 0.0 if oldest is None else max(0.0, (self._utc() - oldest).total_seconds())
        self._health.note("queue_depth", waiting)
        self._health.note("spool_refused", refused)
        self._health.note("spool_bytes", kept)
        self._health.note("spool_oldest_s", round(age, 1))
        return State(waiting, refused, kept, age)

    def wait(self, seconds: float) -> bool:
        """Sleep until something was put, `seconds` at most; whether something was."""
        woken = self._news.wait(seconds)
        self._news.clear()
        return woken

    def expire(self) -> None:
        """Let go of what is older than `keep_hours`; take stock again. Call it now and then."""
        limit = stamp(self._utc() - timedelta(hours=self.keep_hours))
        with self._lock:
            with self._writing(synced=False):
                gone = self._forget("item", "captured_at < ?", limit)
                self._forget("larger", "captured_at < ?", limit)
            if gone:
                self._health.count("spool_expired", gone)
            self._bytes = self._counted_bytes()
            self._set_reserve()

    def close(self) -> None:
        """Give the file back; nothing is lost by not calling it."""
        with self._lock:
            self._db.close()

    # --- inside -----------------------------------------------------------------------------------
    def _utc(self) -> datetime:
        return self._clock.utc(self._clock.now())

    def _oldest(self) -> datetime | None:
        (at,) = self._db.execute(
            "SELECT min(captured_at) FROM item WHERE refusal IS NULL"
        ).fetchone()
        return None if at is None else moment(at)

    def _counted_bytes(self) -> int:
        (size,) = self._db.execute(
            "SELECT (SELECT coalesce(sum(bytes), 0) FROM item)"
            " + (SELECT coalesce(sum(bytes), 0) FROM larger)"
        ).fetchone()
        return int(size)

    @contextmanager
    def _writing(self, *, synced: bool) -> Iterator[None]:
        """One transaction; with `synced` it is on the disk afterwards. What is counted in memory
        goes back with it."""
        before = self._bytes
        self._evicted.clear()
        self._db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._bytes = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        for what, count in self._evicted.items():
            self._health.count(f"spool_evicted_{what}", count)

    def _forget(self, table: str, where: str, value: str | int) -> int:
        """Delete rows inside a transaction; how many."""
        gone = self._db.execute(
            f"DELETE FROM {table} WHERE {where} RETURNING bytes",  # noqa: S608 - our own words
            (value,),
        ).fetchall()
        self._bytes -= sum(size for (size,) in gone)
        return len(gone)

    def _evict(self, size: int, rank: int) -> bool:
        """Make room for `size` within `max_bytes`, inside a transaction; see `_free`."""
        return self._free(self._bytes + size - self.max_bytes, rank)

    def _free(self, needed: int, rank: int) -> bool:
        """Evict `needed` bytes of what is worth no more than `rank`; False, and nothing evicted,
        where there is not so much of it."""
        victims: list[tuple[str, str, int]] = []
        for what, table, which in _EVICTION[: rank + 1]:
            if needed <= 0:
                break
            rows = self._db.execute(
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
            self._forget(table, "number = ?", number)
            self._evicted[what] += 1
        return True

    def _make_room(self, size: int, rank: int) -> None:
        """The disk is full: free pages inside the file, with the reserve for the work of it."""
        self._reserve.unlink(missing_ok=True)
        self._db.execute("PRAGMA wal_checkpoint(RESTART)")
        with self._writing(synced=True):
            self._free(2 * size + _RESERVE_BYTES // 4, rank) or self._free(size, rank)
        self._db.execute("PRAGMA wal_checkpoint(RESTART)")

    def _set_reserve(self) -> None:
        """Bytes on the disk that are ours to give up when it is full: evicting needs some too."""
        if self._reserve.exists():
            return
        try:
            if shutil.disk_usage(self._reserve.parent).free > 8 * _RESERVE_BYTES:
                with self._reserve.open("xb") as file:
                    os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
        except OSError:
            self._reserve.unlink(missing_ok=True)
