"""Claiming waiting rows so that two workers never take the same one.

Work that takes long (recognition) is claimed with a lease: the claim commits, the work runs outside
any transaction, and a worker that dies leaves a lease that expires. Short work simply keeps the row
locked until its own commit (`select_for_update(skip_locked=True)`).
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import Q

M = TypeVar("M", bound=models.Model)


def claim(
    waiting: "models.QuerySet[M, M]", *, limit: int, lease: timedelta, now: datetime
) -> list[M]:
    """Take up to `limit` rows of `waiting` whose lease is free, oldest id first.

    The rows need `lease_until`, `lease_token` and `attempts`. Each claimed row carries a fresh
    `lease_token`: finishing it is a conditional update on that token, so a worker that lost its
    lease to another can't finish the row a second time.
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
