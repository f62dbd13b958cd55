"""Stages `recognise`, `gather` and `sweep`: thin, each calls a service."""

import time
from collections.abc import Callable
from datetime import datetime

from celery import shared_task
from django.utils import timezone

from cameras.models import Capture
from core.stages import hear, ring_now
from plates.gathering import MOST_GATHERED, passages_close, reads_gather
from plates.models import PlateRead
from plates.partitions import partitions_ensure
from plates.services import MOST_AT_ONCE, captures_recognise
from vault.files import remove_doomed

_SECONDS = 20.0
_PACE = 0.06
"""Seconds between two looks. Fewer looks cost less CPU, but each of three stages waits for its own:
at 60 frames a second on two cores p95 of the whole way is 0.49 s, and 0.65 s with 0.1."""
_looked: dict[str, float] = {}


def answer(stage: str) -> None:
    """Answer a bell, before looking at the tables.

    One process looks sixteen times a second at most: what comes in a stream is taken together,
    and costs one transaction instead of many. After a pause the first look is at once.
    """
    since = time.monotonic() - _looked.get(stage, -_PACE)
    time.sleep(max(0.0, _PACE - since))
    _looked[stage] = time.monotonic()
    hear(stage)


def drain(
    step: Callable[[datetime], int], stage: str, *, most: int, seconds: float = _SECONDS
) -> None:
    """Call `step` once, and again while it finds its fill of `most`, or ring again after `seconds`
    to let others have a turn."""
    answer(stage)
    until = time.monotonic() + seconds
    while step(timezone.now()) >= most:
        ring_now(stage)  # there is more: another worker may help, or go on when this one stops
        if time.monotonic() > until:
            return


@shared_task(name="stage.recognise")
def recognise() -> None:
    """Recognise whatever waits."""
    drain(lambda now: captures_recognise(now=now), "recognise", most=MOST_AT_ONCE)


@shared_task(name="stage.gather")
def gather() -> None:
    """Gather whatever waits."""
    drain(lambda now: reads_gather(now=now), "gather", most=MOST_GATHERED)


@shared_task(name="stage.sweep")
def sweep() -> None:
    """Ring for whatever waits; close passages; remove files whose rows are gone."""
    now = timezone.now()
    if Capture.objects.filter(status=Capture.Status.RECEIVED).exists():
        ring_now("recognise")
    if PlateRead.objects.filter(watched_at__isnull=True).exists():
        ring_now("watch")
    if PlateRead.objects.filter(passage_id__isnull=True).exists():
        ring_now("gather")
    for stage in ("judge", "rejudge", "act", "deliver"):
        ring_now(stage)
    passages_close(now=now)
    partitions_ensure(now=now)
    remove_doomed()
