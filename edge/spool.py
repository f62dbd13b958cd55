"""The disk queue between pipeline and server: what `put` has returned from is never lost.

One SQLite file in WAL mode. `put` syncs to the disk before it returns; what marks an item as sent
does not, since an item sent twice is stored once (its event id is the same).

Fields and pictures are sealed (`edge.sealing`); in the clear stand only a random event id, the
kind, the time and the size.

**Order of eviction**, when `max_bytes` are reached or the disk is full (`spoolfile`), oldest first
in each: larger pictures nobody has asked for yet (of items already sent, then of items waiting),
items the server has refused, waiting frames, waiting crops, waiting reads. A new item never
displaces a kind worth more than itself; then it is the new one that is not kept, and `put` says so.
Items older than `keep_hours` go whatever their kind, as soon as the time is known. All of it is
counted: `spool_evicted_<what>`, `spool_expired`, `spool_put_failed`.

**The watermark** is the moment up to which everything seen has been delivered; the server enforces
nothing before it. Items refused or evicted do not hold it back: they will never come. Over a road
that ends before the server (a broker), nobody here knows what has been delivered: then `confirmed`
is False, the watermark stays at the beginning of time, and each batch carries its own.

**A device that does not know the time** (`edge.clock`) keeps with each item the second of the
clock that never goes back. Such items wait, and the watermark with them, until the time is known;
then they get the right one. What lies there from an earlier run of the machine that never learnt
the time goes out marked (`Item.timed`), and the server enforces nothing by it.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast

from edge.health import Health
from edge.items import Item, Kind
from edge.sealing import Sealer, SealError
from edge.spoolfile import RANK, SpoolFile, is_damaged, is_full, packed, unpacked
from edge.spooltimes import Moments, Seen, about, first_untimed, moment, stamp, tell_times, timed

SETTLING: Final = timedelta(seconds=10)
"""How long a vehicle that was seen may take to become an item (`Spool.hold` for longer)."""

_TOO_EARLY: Final = "captured_at_in_future"  # the server's word for it
_ROW_BYTES: Final = 300  # what a row costs beside its body, roughly


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
        self.confirmed = True
        self.settling = SETTLING  # none once the source has ended
        self._clock, self._health = clock, health
        self._sealer = Sealer(key, "spool")
        self._lock = threading.RLock()
        self._news = threading.Event()
        self._held: datetime | None = None
        self._file = SpoolFile(folder, health)
        self._untimed = True  # whether items may wait for the time to be known

    # --- in ---------------------------------------------------------------------------------------
    def put(self, item: Item) -> None:
        """Keep an item and its larger picture; durable once it returns. OSError where it can't be.

        The same event a second time changes nothing. A larger picture for which there is no room
        is left out (counted).
        """
        item, seen = timed(item, self._clock)
        body = self._sealer.seal(packed(item), about(item, seen))
        larger = None
        if item.wanted is not None:
            larger = self._sealer.seal(item.wanted, f"larger {item.event_id}")
        with self._lock:
            try:
                self._put(item, seen, body, larger)
            except sqlite3.Error as error:
                self._put_anyway(item, seen, body, larger, error)
        self._health.count("items_spooled")
        self._health.trouble("spool", None)
        self._news.set()

    def _put_anyway(
        self,
        item: Item,
        seen: Seen | None,
        body: bytes,
        larger: bytes | None,
        error: sqlite3.Error,
    ) -> None:
        """The second attempt, after what can be done about the first one's error."""
        rank = RANK[item.kind]
        try:
            if is_damaged(error):
                self._file.begin_anew()
                self._put(item, seen, body, larger)
            elif is_full(error):
                self._file.make_room(len(body) + len(larger or b"") + 2 * _ROW_BYTES, rank)
                try:
                    self._put(item, seen, body, larger)
                except sqlite3.Error:
                    if larger is None:
                        raise
                    self._health.count("spool_evicted_larger")
                    self._put(item, seen, body, None)
            else:
                raise error
        except sqlite3.Error as last:
            if is_full(last):
                raise self._failed(errno.ENOSPC, "has no room: the disk is full") from last
            raise self._failed(errno.EIO, "cannot be written") from last

    def _put(self, item: Item, seen: Seen | None, body: bytes, larger: bytes | None) -> None:
        at = stamp(item.captured_at)
        boot, micros = (seen.boot, seen.micros) if seen else (None, None)
        self._file.mind_disk()
        with self._file.writing(synced=True):
            size = len(body) + _ROW_BYTES
            if not self._file.fit(size, self.max_bytes, RANK[item.kind]):
                self._health.count(f"spool_evicted_{item.kind}")
                raise self._failed(errno.ENOSPC, "is full of what is worth more")
            added = self._file.db.execute(
                "INSERT OR IGNORE INTO item"
                " (event_id, kind, captured_at, boot, seen, timed, body, bytes)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (item.event_id, item.kind, at, boot, micros, item.timed, body, size),
            ).rowcount
            if not added:
                return
            self._untimed |= seen is not None
            self._file.bytes += size
            if larger is None:
                return
            size = len(larger) + _ROW_BYTES
            if not self._file.fit(size, self.max_bytes, RANK["larger"]):
                self._health.count("spool_evicted_larger")
                return
            self._file.db.execute(
                "INSERT OR IGNORE INTO larger (event_id, captured_at, body, bytes)"
                " VALUES (?, ?, ?, ?)",
                (item.event_id, at, larger, size),
            )
            self._file.bytes += size

    def _failed(self, number: int, what: str) -> OSError:
        sentence = f"The spool {what}."
        self._health.count("spool_put_failed")
        self._health.trouble("spool", sentence)
        return OSError(number, sentence)

    # --- out --------------------------------------------------------------------------------------
    def peek(self, most: int, max_bytes: int) -> list[Spooled]:
        """The oldest waiting items in the order they were put: at most `most`, and no more than
        `max_bytes` beyond the first; none from the first on whose time may yet become known. One
        that no longer opens is set aside as `unreadable`."""
        found: list[Spooled] = []
        damaged: list[str] = []
        total = 0
        with self._sound():
            self._tell_times()
            rows = self._file.db.execute(
                "SELECT number, event_id, kind, captured_at, boot, seen, timed, body, bytes"
                " FROM item WHERE refusal IS NULL AND number < ? ORDER BY number LIMIT ?",
                (first_untimed(self._file, self._clock), most),
            )
            for number, event_id, kind, at, boot, micros, known, body, size in rows:
                total += size
                if found and total > max_bytes:
                    break
                head = Item(cast(Kind, kind), moment(at), event_id=event_id, timed=bool(known))
                seen = None if boot is None else Seen(boot, micros)
                try:
                    item = unpacked(self._sealer.open(body, about(head, seen)), head)
                except SealError:
                    damaged.append(event_id)
                else:
                    found.append(Spooled(number, item, size))
            rows.close()
            for event_id in damaged:
                self.set_aside(event_id, "unreadable")
        return found

    def done(self, delivered: Mapping[str, str | None]) -> None:
        """Items the server has, by event id → the server's id of the capture (None: unknown; a
        larger picture that can never be asked for goes with its item)."""
        with self._sound():
            self._file.again_with_reserve(lambda: self._done(delivered))
        self._health.count("items_sent", len(delivered))

    def _done(self, delivered: Mapping[str, str | None]) -> None:
        with self._file.writing(synced=False):
            for event_id, capture_id in delivered.items():
                self._file.forget("item", "event_id = ?", event_id)
                if capture_id is None:
                    self._file.forget("larger", "event_id = ?", event_id)
                else:
                    self._file.db.execute(
                        "UPDATE OR IGNORE larger SET capture_id = ? WHERE event_id = ?",
                        (capture_id, event_id),
                    )

    def set_aside(self, event_id: str, code: str, field: str | None = None) -> None:
        """The server will not take this item: it is kept and listed, and not sent again."""
        with self._lock, self._file.writing(synced=True):
            self._file.db.execute(
                "UPDATE item SET refusal = ?, refused_field = ? WHERE event_id = ?",
                (code, field, event_id),
            )
        self._health.count("items_refused")

    def refused(self, most: int = 100) -> list[Refusal]:
        """The items set aside, newest first."""
        with self._lock:
            rows = self._file.db.execute(
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
        with self._lock, self._file.writing(synced=True):
            count = self._file.db.execute(
                "UPDATE item SET refusal = NULL, refused_field = NULL WHERE refusal IS NOT NULL"
            ).rowcount
        self._news.set()
        return count

    # --- larger pictures --------------------------------------------------------------------------
    def larger(self, capture_id: str) -> bytes | None:
        """The larger picture (JPEG) of a capture, by the server's id; None where it is gone."""
        with self._lock:
            row = self._file.db.execute(
                "SELECT event_id, body FROM larger WHERE capture_id = ?", (capture_id,)
            ).fetchone()
        if row is None:
            return None
        with suppress(SealError):
            return self._sealer.open(row[1], f"larger {row[0]}")
        return None

    def larger_done(self, capture_id: str) -> None:
        """The server has the larger picture, or wants it no longer."""
        with self._lock, self._file.writing(synced=False):
            self._file.forget("larger", "capture_id = ?", capture_id)

    # --- how it is --------------------------------------------------------------------------------
    def hold(self, since: datetime | None) -> None:
        """The pipeline still watches something first seen then; None: nothing. The watermark stays
        behind it."""
        self._held = since

    def watermark(self) -> datetime:
        """Everything seen until then has been delivered, or never will be (module docstring)."""
        return self.watermark_behind(()) if self.confirmed else moment(0)

    def watermark_behind(self, batch: Sequence[Spooled]) -> datetime:
        """What the watermark is once these items have been delivered too."""
        if self._clock.known_since is None:
            return moment(0)
        marks = ", ".join("?" * len(batch))
        with self._lock:
            self._tell_times()
            (oldest,) = self._file.db.execute(
                "SELECT min(captured_at) FROM item"  # noqa: S608 - question marks
                f" WHERE refusal IS NULL AND number NOT IN ({marks})",
                [one.number for one in batch],
            ).fetchone()
            until = self._utc() - self.settling
            for since in (None if oldest is None else moment(oldest), self._held):
                if since is not None:
                    until = min(until, since - timedelta(microseconds=1))
        return until

    def state(self) -> State:
        """How it is now; also noted in `health`: `queue_depth`, `spool_refused`, `spool_bytes`,
        `spool_oldest_s`."""
        with self._lock:
            waiting, refused = self._file.db.execute(
                "SELECT (SELECT count(*) FROM item WHERE refusal IS NULL),"
                " (SELECT count(*) FROM item WHERE refusal IS NOT NULL)"
            ).fetchone()
            oldest = self._oldest()
            kept = self._file.bytes
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
        """Let go of what is older than `keep_hours`; take stock again. Call it now and then.

        Items the server refused as of the future (the device's clock was wrong) wait again once
        their time has come.
        """
        with self._sound():
            if self._clock.known_since is not None:
                self._tell_times()
                now = self._utc()
                limit = now - timedelta(hours=self.keep_hours)
                if gone := self._file.expire(stamp(limit), stamp(now), _TOO_EARLY):
                    self._health.count("spool_expired", gone)
                self._file.forget_damaged(self.keep_hours)
            self._file.take_stock()

    def close(self) -> None:
        """Give the file back; nothing is lost by not calling it."""
        with self._lock:
            self._file.db.close()

    # --- inside -----------------------------------------------------------------------------------
    def _utc(self) -> datetime:
        return self._clock.utc(self._clock.now())

    def _tell_times(self) -> None:
        if self._untimed and self._clock.known_since is not None:
            tell_times(self._file, self._clock)
            self._untimed = False

    def _oldest(self) -> datetime | None:
        (at,) = self._file.db.execute(
            "SELECT min(captured_at) FROM item WHERE refusal IS NULL"
        ).fetchone()
        return None if at is None else moment(at)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """Alone with the file; begun anew if it turns out to be damaged (the error goes on: whoever
        sends tries again)."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                if is_damaged(error):
                    self._file.begin_anew()
                raise
