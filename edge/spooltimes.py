"""The times of spooled items, also on a device that did not know the time when it saw them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from edge.items import Item
from edge.spoolfile import SpoolFile

_PAST_ALL: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Moments(Protocol):
    """What is needed of `edge.clock.Clock`."""

    def now(self) -> float:
        """Seconds that never go back."""

    def utc(self, at: float) -> datetime:
        """The same moment in UTC."""

    @property
    def known_since(self) -> float | None:
        """The moment of `now()` since when the time is known; None: it is not."""

    @property
    def boot(self) -> str:
        """The run of the machine for which `now()` counts."""


def stamp(at: datetime) -> int:
    """Microseconds since 1970: exactly what was measured, however often it is sent."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(stamped: int) -> datetime:
    """The time of a stamp."""
    return _EPOCH + timedelta(microseconds=stamped)


@dataclass(frozen=True, slots=True)
class Seen:
    """When an item was captured, where the time was not known: the run of the machine, and
    microseconds of its clock that never goes back."""

    boot: str
    micros: int


def timed(item: Item, clock: Moments) -> tuple[Item, Seen | None]:
    """An item with its time as it is known now; where it is not known, also when it was seen."""
    if item.at is None:
        return item, None
    since = clock.known_since
    if since is None:
        return replace(item, timed=False), Seen(clock.boot, round(item.at * 1e6))
    if item.at < since:
        return replace(item, captured_at=clock.utc(item.at)), None
    return item, None


def about(item: Item, seen: Seen | None) -> str:
    """What an item's sealed body is bound to: its time or, where that was not known, `seen`."""
    when = str(stamp(item.captured_at)) if seen is None else f"{seen.boot} {seen.micros}"
    return f"item {item.event_id} {item.kind} {when}"


def first_untimed(file: SpoolFile, clock: Moments) -> int:
    """The number of the first item whose time may yet become known; past all numbers where there
    is none."""
    (number,) = file.db.execute(
        "SELECT min(number) FROM item WHERE timed = 0 AND boot = ?", (clock.boot,)
    ).fetchone()
    return _PAST_ALL if number is None else int(number)


def tell_times(file: SpoolFile, clock: Moments) -> int:
    """The time is known: give what was put before, in this run of the machine, the time it was
    seen; how many. On the disk before any of it is sent, so that it is never sent with another."""
    rows = file.db.execute(
        "SELECT number, seen FROM item WHERE timed = 0 AND boot = ?", (clock.boot,)
    ).fetchall()
    if rows:
        times = [(stamp(clock.utc(micros / 1e6)), number) for number, micros in rows]
        with file.writing(synced=True):
            file.db.executemany(
                "UPDATE item SET captured_at = ?, timed = 1 WHERE number = ?", times
            )
            file.db.execute(
                "UPDATE larger SET captured_at = item.captured_at FROM item"
                " WHERE item.event_id = larger.event_id AND item.boot = ?",
                (clock.boot,),
            )
    return len(rows)
