"""The evidence chain of a site: append-only, linked, and made of digests alone.

Whatever a case rests on (each read kept, verdict, decision, correction, manifest, notice) leaves a
SHA-256 here in the transaction that wrote it; so nobody can change it later, or put it in
afterwards, without the chain saying so. Deleting a case leaves the chain whole (domain-rules §6).

The database itself numbers and links the entries (migration 0003). An entry commits to the one
before it and, through `skip`, to one that lies a power of two back: so a proof that an entry lies
before another is at most a few hundred entries, however long the chain is.
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from cameras.models import Site
from enforcement.cases.models import ChainEntry
from enforcement.cases.verifying import GENESIS, before, canonical, link_digest

Entry = tuple[str, bytes]
"""What is appended: its kind, and the SHA-256 (32 bytes) of what it attests."""

_PAGE = 2000


@dataclass(frozen=True, slots=True)
class Link:
    """Where an entry lies in its site's chain."""

    seq: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verifying found: entries looked at, and the number of the first that doesn't fit."""

    entries: int
    broken_at: int | None = None
    why: str = ""


def chain_append(site: Site, kind: str, digest: bytes, *, now: datetime) -> Link:
    """Append one entry; `digest` is the SHA-256 (32 bytes) of what it attests.

    It must tell nothing by itself: what it is made of holds something nobody can guess (a salt, a
    random id, a picture). Call it inside the transaction that writes the thing, last but for the
    audit row: appenders of a site wait for each other's commit.
    """
    return chain_extend(site.pk, [(kind, digest)], now=now)[0]


def chain_extend(site_id: uuid.UUID, entries: Sequence[Entry], *, now: datetime) -> list[Link]:
    """`chain_append` for several in one statement, in this order."""
    if not entries:
        return []
    rows = ", ".join(["(%s, %s, %s, %s)"] * len(entries))
    sql = (
        f"INSERT INTO cases_chainentry (site_id, kind, content, at) VALUES {rows} "  # noqa: S608
        "RETURNING seq, digest"
    )
    values = [value for kind, digest in entries for value in (site_id, kind, digest, now)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [Link(seq, bytes(digest)) for seq, digest in cursor.fetchall()]


def digest_of(record: Mapping[str, Any]) -> bytes:
    """SHA-256 of a record's canonical JSON."""
    return hashlib.sha256(canonical(record)).digest()


def chain_find(site_id: uuid.UUID, digests: Iterable[bytes]) -> dict[bytes, ChainEntry]:
    """The (first) entry of each digest that the site's chain has one of."""
    found = ChainEntry.objects.filter(site_id=site_id, content__in=list(digests))
    return {bytes(entry.content): entry for entry in found.order_by("-seq")}


def chain_proof(site_id: uuid.UUID, seqs: Iterable[int], head: int) -> list[ChainEntry]:
    """The entries `seqs` and those that link each of them to entry `head`, in order."""
    wanted = {head}
    for seq in seqs:
        at = head
        while at > seq:
            at = before(at, seq)
            wanted.add(at)
    return list(ChainEntry.objects.filter(site_id=site_id, seq__in=wanted).order_by("seq"))


def chain_sites() -> list[uuid.UUID]:
    """The sites that have a chain, also those that are gone."""
    first = ChainEntry.objects.filter(seq=1)
    return list(first.order_by("at", "site_id").values_list("site_id", flat=True))


def chain_verify(site_id: uuid.UUID) -> ChainReport:
    """Walk a site's whole chain: numbers without gaps, every link and every digest."""
    digests: dict[int, bytes] = {0: GENESIS}
    previous, seq = GENESIS, 0
    rows = ChainEntry.objects.filter(site_id=site_id).order_by("seq")
    for entry in rows.iterator(chunk_size=_PAGE):
        seq += 1
        if entry.seq != seq:
            return ChainReport(seq, seq, "an entry was removed")
        if bytes(entry.previous) != previous:
            return ChainReport(seq, seq, "it does not follow the entry before it")
        if bytes(entry.skip) != digests[seq - (seq & -seq)]:
            return ChainReport(seq, seq, "its longer link does not fit")
        digest = link_digest(
            site_id, seq, previous, bytes(entry.skip), entry.at, bytes(entry.content), entry.kind
        )
        if bytes(entry.digest) != digest:
            return ChainReport(seq, seq, "it was changed")
        previous = digests[seq] = digest
        _forget(digests, seq)
    return ChainReport(seq)


def _forget(digests: dict[int, bytes], seq: int) -> None:
    """Keep only what a later entry's longer link can name: memory stays logarithmic."""
    passed = seq & -seq
    step = 1
    while step < passed:
        digests.pop(seq - step, None)
        step *= 2
