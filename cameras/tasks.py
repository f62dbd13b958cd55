"""The stage `health`."""

from celery import shared_task
from django.utils import timezone

from cameras.enrolment import setup_tokens_prune
from cameras.services import cameras_check, heartbeats_prune
from core.stages import task_name

_ROUNDS = 50


@shared_task(name=task_name("health"))
def health() -> None:
    """Mark silent cameras offline, and let old heartbeats and set-up tokens go."""
    now = timezone.now()
    cameras_check(now=now)
    setup_tokens_prune(now=now)
    for _ in range(_ROUNDS):
        if not heartbeats_prune(now=now):
            break
