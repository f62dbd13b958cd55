"""How fast a device may send: a token bucket per key in Redis, shared by all web processes.

DRF's throttles count requests of a fixed window with two separate cache calls, and a batch counts
once; a bucket filled and emptied in one script is exact for batches and under concurrency. Without
Redis nobody is limited: a capture is worth more than a limit.
"""

import time
from functools import lru_cache

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from core.errors import TooMany

log = structlog.get_logger(__name__)

_TIMEOUT = 0.25
_REST = 5.0  # seconds without asking a Redis that didn't answer, so that it slows nobody down
_MUCH = 1_000_000_000
_BUCKET = """
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local cost, needed = tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local wait = 0
if tokens >= needed then tokens = tokens - cost else wait = (needed - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil((burst - tokens) / rate) + 1)
return tostring(wait)
"""
_away_until = 0.0


@lru_cache(maxsize=1)
def _bucket() -> Script:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    return client.register_script(_BUCKET)


def take(name: str) -> None:
    """Take one token out of the bucket `name`; TooMany `rate_limited` if there is none."""
    wait = _ask(name, cost=1, needed=1)
    if wait > 0:
        raise TooMany(
            "rate_limited",
            f"More than {settings.DEVICE_RATE:g} captures per second; come back later.",
            retry_after=wait,
        )


def seldom(name: str, *, every: float, burst: int) -> None:
    """Take one token of a bucket that holds `burst` and gets one more each `every` seconds;
    TooMany `rate_limited` if there is none."""
    wait = _ask(name, cost=1, needed=1, rate=1 / every, burst=burst)
    if wait > 0:
        raise TooMany("rate_limited", "Too often; come back later.", retry_after=wait)


def owe(name: str, cost: float) -> None:
    """Take `cost` more tokens, into debt if need be: a batch that got in is let through whole, and
    paid off before the next request gets in."""
    if cost > 0:
        _ask(name, cost=cost, needed=-_MUCH)


def _ask(
    name: str, *, cost: float, needed: int, rate: float | None = None, burst: int | None = None
) -> float:
    """The seconds to wait until the bucket holds `needed`; 0 when `cost` was taken out of it."""
    global _away_until
    if time.monotonic() < _away_until:
        return 0.0
    arguments = [rate or settings.DEVICE_RATE, burst or settings.DEVICE_BURST, cost, needed]
    try:
        return float(_bucket()(keys=[f"pw:rate:{name}"], args=arguments))
    except redis.RedisError as error:
        _away_until = time.monotonic() + _REST
        log.warning("rate_limit_open", error=type(error).__name__)
        return 0.0
