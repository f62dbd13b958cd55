"""Stages `recognise`, `gather` and `sweep`: thin, each calls a service."""

import time
from collections.abc import Callable
from datetime import datetime

from celery import shared_task
from django.utils import timezone

from cameras.models import Capture
from core.stages import ring_now
from plates.gathering import passages_close, reads_gather
from plates.models import PlateRead
from plates.partitions import partitions_ensure
from plates.services import captures_recognise
from vault.files import remove_doomed

_SECONDS = 20.0
_MOST_BELLS = 8


def drain(step: Callable[[datetime], int], stage: str) -> None:
    """Call `step` until nothing waits, or ring again after 20 s to let others have a turn."""
    until = time.monotonic() + _SECONDS
    while step(timezone.now()):
        if time.monotonic() > until:
            ring_now(stage)
            return


@shared_task(name="stage.recognise")
def recognise() -> None:
    """Recognise whatever waits."""
    drain(lambda now: captures_recognise(now=now), "recognise")


@shared_task(name="stage.gather")
def gather() -> None:
    """Gather whatever waits."""
    drain(lambda now: reads_gather(now=now), "gather")


@shared_task(name="stage.sweep")
def sweep() -> None:
    """Ring for whatever waits; close passages; remove files whose rows are gone."""
    now = timezone.now()
    waiting = Capture.objects.filter(status=Capture.Status.RECEIVED)[:_MOST_BELLS].count()
    for _ in range(waiting):
        ring_now("recognise")
    if PlateRead.objects.filter(watched_at__isnull=True).exists():
        ring_now("watch")
    if PlateRead.objects.filter(passage_id__isnull=True).exists():
        ring_now("gather")
    for stage in ("judge", "rejudge", "act"):
        ring_now(stage)
    passages_close(now=now)
    partitions_ensure(now=now)
    remove_doomed()
