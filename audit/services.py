"""Appending to the audit chain, and verifying it."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from audit.models import AuditRow

_CHAIN_LOCK = 0x41554449  # "AUDI": one appender at a time, until its commit
_GENESIS = bytes(32)


@dataclass(frozen=True)
class Actor:
    """Who acts: a person's user name, a device's or provider's name, a stage, a command."""

    kind: str
    name: str
    organisation: str = ""
    place: str = ""


def stage_actor(stage: str) -> Actor:
    """A stage of the pipeline as actor."""
    return Actor("stage", stage, place="pipeline")


def _digest(row: AuditRow) -> bytes:
    form = {
        "at": row.at.isoformat(timespec="microseconds"),
        "who": [row.actor_kind, row.actor, row.organisation],
        "why": [row.purpose, row.case_ref],
        "what": [row.action, row.subject, row.subject_id, row.count, row.outcome],
        "tokens": [str(token) for token in row.tokens],
        "place": row.place,
        "detail": row.detail,
    }
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(bytes(row.previous) + text.encode()).digest()


def record(
    actor: Actor,
    action: str,
    *,
    purpose: str,
    case_ref: str = "",
    subject: str = "",
    subject_id: object = "",
    tokens: Iterable[uuid.UUID] = (),
    count: int = 1,
    outcome: str = "done",
    detail: Mapping[str, Any] | None = None,
) -> AuditRow:
    """Append one row. Inside a transaction call it last: appenders wait for each other's commit."""
    with transaction.atomic(savepoint=False):  # no access goes on without its row
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])
        last = AuditRow.objects.order_by("-id").values_list("digest", flat=True).first()
        row = AuditRow(
            at=timezone.now(),
            actor_kind=actor.kind,
            actor=actor.name,
            organisation=actor.organisation,
            place=actor.place,
            purpose=purpose,
            case_ref=case_ref,
            action=action,
            subject=subject,
            subject_id=str(subject_id),
            tokens=list(tokens),
            count=count,
            outcome=outcome,
            detail=dict(detail or {}),
            previous=bytes(last) if last is not None else _GENESIS,
        )
        row.digest = _digest(row)
        row.save(force_insert=True)
    return row


@dataclass(frozen=True)
class ChainReport:
    """What verifying found: `rows` looked at, and the id of the first row that doesn't fit."""

    rows: int
    broken_at: int | None
    why: str = ""


def verify() -> ChainReport:
    """Walk the whole chain from its first row."""
    previous, rows = _GENESIS, 0
    for row in AuditRow.objects.order_by("id").iterator(chunk_size=2000):
        rows += 1
        if bytes(row.previous) != previous:
            return ChainReport(rows, row.pk, "a row before this one was removed or inserted")
        if _digest(row) != bytes(row.digest):
            return ChainReport(rows, row.pk, "this row was changed")
        previous = bytes(row.digest)
    return ChainReport(rows, None)
