"""A registry of millions of vignettes, stored as the product stores them, as fast as COPY can.

Every plate is sealed and has its tokens, by the product's own functions; only Django's model
instances, one a row, are spared. Rows go in without their indexes, which are made afterwards.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from django.db import connection, connections

from enforcement.rights.models import Provider, Right, RightPlate
from vault import blind, sealing
from vault.keys import current_key
from vault.models import DataClass

Say = Callable[[str], None]

SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL: Final = datetime(2027, 1, 1, tzinfo=UTC)
SEEN: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
_CHUNK: Final = 50_000
_DIGITS: Final = "0123456789"
_LETTERS: Final = "ABCDEFHJKLMNPRSTUVXYZ"
_THIRD: Final = _DIGITS + _LETTERS
_ALL: Final = 9 * len(_LETTERS) * len(_THIRD) * 10_000
_PRIME: Final = 58_590_023
_RIGHT: Final = (
    "id,kind,site_id,provider_id,external_token,external_id,content_token,version,current,scheme,"
    "product,scope,category,reason,first_day,starts_at,ends_at,bought_at,known_at,data_class,"
    "data_key"
)
_PLATE: Final = "id,right_id,text,token_exact,token_class,tokens_near,country,data_class,data_key"


def plate(number: int) -> str:
    """The plate of a number below `_ALL`, in the Czech syntax; another for each number."""
    number, serial = divmod(number, 10_000)
    number, third = divmod(number, len(_THIRD))
    first, letter = divmod(number, len(_LETTERS))
    return f"{first + 1}{_LETTERS[letter]}{_THIRD[third]}{serial:04d}"


def numbers(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """`count` different numbers of plates, at most `_ALL`, in no order."""
    # a multiplication modulo a prime just above the range visits everything once, without a table
    places = np.arange(1, count + 1 + _PRIME - _ALL, dtype=np.int64)
    mixed = (places * 40_503_877 + seed) % _PRIME
    return mixed[mixed < _ALL][:count]


def fill(*, provider: Provider, texts: np.ndarray[Any, np.dtype[np.int64]], say: Say) -> None:
    """Write an annual vignette of `provider` for each of the plates of these numbers."""
    key = current_key("registry", DataClass.RIGHT, SEEN)
    chunks = [
        (str(provider.pk), key, start, texts[start : start + _CHUNK])
        for start in range(0, len(texts), _CHUNK)
    ]
    with _without_indexes(say):
        connections.close_all()
        with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
            for done, _ in enumerate(pool.imap_unordered(_write, chunks), 1):
                if done % 20 == 0 or done == len(chunks):
                    say(f"{min(done * _CHUNK, len(texts)):,} rights written")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE rights_right, rights_rightplate")


def _write(chunk: tuple[str, uuid.UUID, int, np.ndarray[Any, np.dtype[np.int64]]]) -> None:
    provider_id, key, start, texts = chunk
    rights, plates = io.StringIO(), io.StringIO()
    right, row = Right(), RightPlate()
    instants = [one.isoformat() for one in (SINCE, UNTIL, SINCE - timedelta(days=9))]
    for place, number in enumerate(texts.tolist(), start):
        text = plate(number)
        right.pk, row.pk = uuid.uuid4(), uuid.uuid4()
        right.data_key = row.data_key = key
        sealing.seal_text(right, {"external_id": f"v{place}"})
        sealing.seal_text(row, {"text": text})
        external = blind.token(blind.Kind.EVENT, f"{provider_id}:vignette:v{place}")
        rights.write(
            f"{right.pk}\tvignette\t\\N\t{provider_id}\t{external}\t{_bytes(right.external_id)}"
            f"\t{external}\t1\tt\tCZ\tannual\t\tcar\t\t{SINCE:%Y-%m-%d}"
            f"\t{instants[0]}\t{instants[1]}\t{instants[2]}\t{instants[2]}\tright\t{key}\n"
        )
        plates.write(
            f"{row.pk}\t{right.pk}\t{_bytes(row.text)}\t{blind.exact(text)}"
            f"\t{blind.equivalent(text)}\t{{}}\tCZ\tright\t{key}\n"
        )
    with connection.cursor() as cursor:
        for table, columns, data in (
            (Right._meta.db_table, _RIGHT, rights),
            (RightPlate._meta.db_table, _PLATE, plates),
        ):
            data.seek(0)
            cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", data)


def _bytes(sealed: Any) -> str:
    return "\\\\x" + bytes(sealed).hex()


_CONSTRAINTS: Final = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('u', 'f')
"""
_INDEXES: Final = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text = ANY(%s) AND NOT indisprimary
"""


@contextmanager
def _without_indexes(say: Say) -> Iterator[None]:
    """Both tables without what is checked or kept for each row, but their primary keys."""
    tables = [Right._meta.db_table, RightPlate._meta.db_table]
    with connection.cursor() as cursor:
        cursor.execute(_CONSTRAINTS, [tables])
        constraints = cursor.fetchall()
        for table, name, _ in constraints:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        cursor.execute(_INDEXES, [tables])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        for name, definition in indexes:
            say(f"making {name}")
            cursor.execute(definition)
        for table, name, definition in constraints:
            say(f"making {name}")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
