"""The flow: which stages there are, and how one wakes the next.

The row is the truth, the queue is a doorbell: a message carries nothing but the stage's name, a
worker claims whatever waits in the tables, and a sweeper rings again for what was missed. So a lost
message loses nothing and a doubled one does nothing. Upstream wakes downstream by name, never by
import; the tasks register themselves under `stage.<name>`.
"""

from dataclasses import dataclass
from functools import partial

import structlog
from celery import current_app
from django.db import transaction

EXPIRES_SECONDS = 60
"""A doorbell nobody answered for so long is dropped: the sweeper rings anew, and a long outage of
the workers doesn't leave a heap of messages."""

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
            "act", "flow", "verdicts that ask for one → cases; cases whose verdict turned → closed"
        ),
        Stage("forget", "house", "everything → gone, when its time has come"),
        Stage("sweep", "house", "rings for whatever waits longer than it should"),
        Stage("tidy", "house", "stored files no row names → gone"),
        Stage("health", "house", "cameras that have gone quiet → offline"),
    )
}


def task_name(stage: str) -> str:
    """The Celery task name of a stage; KeyError for one that isn't in the flow."""
    return f"stage.{STAGES[stage].name}"


def ring_now(stage: str) -> bool:
    """Ring at once; False if the broker could not be reached (the sweeper will ring again)."""
    try:
        current_app.send_task(
            task_name(stage), queue=STAGES[stage].queue, retry=False, expires=EXPIRES_SECONDS
        )
    except Exception as error:  # any broker trouble: the row is stored, that is what counts
        log.warning("doorbell_lost", stage=stage, error=type(error).__name__)
        return False
    return True


def ring(stage: str) -> None:
    """Ring when the current transaction commits (at once outside one)."""
    transaction.on_commit(partial(ring_now, stage), robust=True)
