"""The monthly partitions of PlateRead, made ahead of time."""

from datetime import UTC, datetime

import structlog
from django.db import Error, connection, transaction

from core.ids import uuid7_floor

TABLE = "plates_plateread"
MONTHS_BACK = 1
MONTHS_AHEAD = 2

log = structlog.get_logger(__name__)


def _month(at: datetime, offset: int) -> datetime:
    months = at.year * 12 + at.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def partitions_ensure(*, now: datetime) -> list[str]:
    """Make the partitions from last month to two months ahead; the names of those made.

    A month whose range already has rows in the default partition can't be made: those rows stay
    there, which is what the default partition is for.
    """
    made = []
    for offset in range(-MONTHS_BACK, MONTHS_AHEAD + 1):
        start, end = _month(now, offset), _month(now, offset + 1)
        name = f"{TABLE}_{start:%Y%m}"
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
            if cursor.fetchone()[0]:
                continue
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # it needs the whole table for a moment: behind a long transaction it must not make
                # everybody else wait
                cursor.execute("SET LOCAL lock_timeout = '1s'")
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM (%s) TO (%s)",
                    [str(uuid7_floor(start)), str(uuid7_floor(end))],
                )
        except Error as error:
            log.warning("partition_not_made", partition=name, error=type(error).__name__)
        else:
            made.append(name)
    return made
