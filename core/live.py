"""The live feed's doorbell: which row of which site is new. Never a plate, never a picture."""

import json
import uuid
from functools import lru_cache, partial

import redis
import structlog
from django.conf import settings
from django.db import transaction

CHANNEL = "platewarden.live"

log = structlog.get_logger(__name__)


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def _publish(message: str) -> None:
    try:
        _client().publish(CHANNEL, message)
    except redis.RedisError as error:  # a screen that misses a line reloads; nothing is lost
        log.warning("live_publish_lost", error=type(error).__name__)


def announce(kind: str, row_id: uuid.UUID, site_id: uuid.UUID) -> None:
    """On commit, tell open screens of `site_id` that a `kind` (read, alert, case, camera) came."""
    message = json.dumps({"kind": kind, "id": str(row_id), "site": str(site_id)})
    transaction.on_commit(partial(_publish, message), robust=True)
