"""Claiming waiting rows so that two workers never take the same one.

Work that takes long (recognition) is claimed with a lease: the claim commits, the work runs outside
any transaction, and a worker that dies leaves a lease that expires. Short work simply keeps the row
locked until its own commit (`select_for_update(skip_locked=True)`).
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import Q

M = TypeVar("M", bound=models.Model)


def claim(
    waiting: "models.QuerySet[M, M]", *, limit: int, lease: timedelta, now: datetime
) -> list[M]:
    """Take up to `limit` rows of `waiting` whose lease is free, oldest id first.

    The rows need `lease_until`, `lease_token` and `attempts`. Finishing a row is a conditional
    update on its status: when a slow worker lost its lease to another, whoever is done first
    counts, and the other changes nothing. (By token, two slow workers would undo each other's work
    for ever.)
    """
    token = uuid.uuid4()
    with transaction.atomic():
        free = waiting.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
        rows = list(free.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:limit])
        changes: dict[str, Any] = {"lease_until": now + lease, "lease_token": token}
        waiting.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(
            attempts=models.F("attempts") + 1, **changes
        )
    for row in rows:
        row.lease_until = changes["lease_until"]  # type: ignore[attr-defined]
        row.lease_token = token  # type: ignore[attr-defined]
        row.attempts += 1  # type: ignore[attr-defined]
    return rows


def untried(rows: Iterable[models.Model]) -> None:
    """Take back the attempt of claimed rows that could not even be tried (a store was away).

    Their lease stands, so whatever else waits has its turn first. Rows that another worker has
    claimed meanwhile are left alone.
    """
    for row in rows:
        type(row)._default_manager.filter(
            pk=row.pk,
            lease_token=row.lease_token,  # type: ignore[attr-defined]
        ).update(attempts=models.F("attempts") - 1)
