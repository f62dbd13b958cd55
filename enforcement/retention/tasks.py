"""Stages `forget` and `tidy`."""

from celery import shared_task
from django.utils import timezone

from enforcement.retention.services import forget, orphans_remove, strays_erase


@shared_task(name="stage.forget")
def forget_stage() -> None:
    """Erase whatever is due."""
    forget(now=timezone.now())


@shared_task(name="stage.tidy")
def tidy() -> None:
    """Erase reads that belong nowhere, and stored files that no row names."""
    now = timezone.now()
    strays_erase(now=now)
    orphans_remove(now=now)
