"""The flow: which stages there are, and how one wakes the next.

The row is the truth, the queue is a doorbell: a message carries nothing but the stage's name, a
worker claims whatever waits in the tables, and a sweeper rings again for what was missed. So a lost
message loses nothing and a doubled one does nothing. Upstream wakes downstream by name, never by
import; the tasks register themselves under `stage.<name>`.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import redis
import structlog
from celery import current_app
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

EXPIRES_SECONDS = 60
"""A doorbell nobody answered for so long is dropped: the sweeper rings anew, and a long outage of
the workers doesn't leave a heap of messages."""
UNHEARD_SECONDS = 2
"""For so long one unanswered bell speaks for all: after that its message may have been lost."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Stage:
    """One stage: the queue its task runs on, and what it moves."""

    name: str
    queue: str
    moves: str


STAGES = {
    stage.name: stage
    for stage in (
        Stage("recognise", "recognise", "Capture received → recognised / unreadable / failed"),
        Stage("watch", "flow", "PlateRead → alerts, before anything slower"),
        Stage("gather", "flow", "PlateReads of one vehicle in view → one Passage"),
        Stage("judge", "flow", "Passage → a verdict that explains itself; visits; case proposals"),
        Stage("rejudge", "flow", "passages and visits a new right or a deadline touches → judge"),
        Stage(
            "act",
            "flow",
            "verdicts that ask for one → cases; cases whose verdict turned → closed; pictures that "
            "came later → their evidence",
        ),
        Stage(
            "lookup", "house", "Lookup waiting → answered: a provider is asked before a case opens"
        ),
        Stage("deliver", "house", "NoticeDelivery queued → sending → sent / failed"),
        Stage("forget", "house", "everything → gone, when its time has come"),
        Stage("sweep", "house", "rings for whatever waits longer than it should"),
        Stage("tidy", "house", "stored files no row names → gone"),
        Stage("health", "house", "cameras that have gone quiet → offline"),
    )
}


def task_name(stage: str) -> str:
    """The Celery task name of a stage; KeyError for one that isn't in the flow."""
    return f"stage.{STAGES[stage].name}"


@lru_cache(maxsize=4)
def _broker(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
    )


def _bell() -> redis.Redis:
    return _broker(current_app.conf.broker_url)


def ring_now(stage: str) -> bool:
    """Ring at once; False if the broker could not be reached (the sweeper will ring again).

    While a bell of this stage waits to be heard (`hear`), another would bring nothing: whoever
    answers it looks at the tables only then, and finds what was committed before this call.
    """
    name, bell = task_name(stage), f"pw:bell:{stage}"
    try:
        if _bell().set(bell, 1, nx=True, ex=UNHEARD_SECONDS):
            current_app.send_task(
                name, queue=STAGES[stage].queue, retry=False, expires=EXPIRES_SECONDS
            )
    except Exception as error:  # any broker trouble: the row is stored, that is what counts
        log.warning("doorbell_lost", stage=stage, error=type(error).__name__)
        return False
    return True


def hear(stage: str) -> None:
    """Whoever answers a bell says so before looking at the tables: from here on it rings anew."""
    try:
        _bell().delete(f"pw:bell:{stage}")
    except redis.RedisError as error:
        log.warning("doorbell_unheard", stage=stage, error=type(error).__name__)


def ring(stage: str) -> None:
    """Ring when the current transaction commits (at once outside one)."""
    transaction.on_commit(partial(ring_now, stage), robust=True)
