"""UUIDv7 ids made in the application from a capture time.

The id carries the time, so a table can be partitioned by range of its primary key, and it can be
deterministic, so that the id itself is the idempotency key (house.md, "PostgreSQL at size").
"""

import hashlib
import os
import uuid
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MS = (1 << 48) - 1


def _milliseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("an id needs an aware datetime")
    delta = at - _EPOCH
    ms = (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
    if not 0 <= ms <= _MAX_MS:
        raise ValueError("the time lies outside what a UUIDv7 can hold (1970 to 10889)")
    return ms


def _build(ms: int, tail: bytes) -> uuid.UUID:
    value = ms << 80 | int.from_bytes(tail[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return uuid.UUID(int=value)


def uuid7(at: datetime, seed: bytes | None = None) -> uuid.UUID:
    """A UUIDv7 of the aware time `at` (millisecond precision).

    With `seed` the same time and seed give the same id; without it the rest is random.
    """
    tail = hashlib.sha256(seed).digest() if seed is not None else os.urandom(10)
    return _build(_milliseconds(at), tail)


def uuid7_floor(at: datetime) -> uuid.UUID:
    """The smallest possible UUIDv7 at `at`: a bound for partitions and for queries by time."""
    return _build(_milliseconds(at), b"\0" * 10)


def uuid7_time(value: uuid.UUID) -> datetime:
    """The aware UTC time inside a UUIDv7 (millisecond precision)."""
    ms = value.int >> 80
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
