"""The live feed's doorbell: which row of which site is new. Never a plate, never a picture."""

import json
import uuid
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, Protocol

import redis
import structlog
from django.conf import settings
from django.db import transaction

CHANNEL = "platewarden.live"

log = structlog.get_logger(__name__)


class Row(Protocol):
    """A row of a site."""

    pk: Any
    site_id: uuid.UUID


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def _publish(messages: Sequence[str]) -> None:
    try:
        with _client().pipeline(transaction=False) as pipe:
            for message in messages:
                pipe.publish(CHANNEL, message)
            pipe.execute()
    except redis.RedisError as error:  # a screen that misses a line reloads; nothing is lost
        log.warning("live_publish_lost", error=type(error).__name__)


def announce(kind: str, *rows: Row) -> None:
    """On commit, tell open screens of each row's site that a `kind` (read, alert, case, camera…)
    came."""
    if not rows:
        return
    messages = [
        json.dumps({"kind": kind, "id": str(row.pk), "site": str(row.site_id)}) for row in rows
    ]
    transaction.on_commit(partial(_publish, messages), robust=True)
