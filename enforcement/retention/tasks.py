"""Stages `forget` and `tidy`."""

from celery import shared_task
from django.utils import timezone

from enforcement.retention.services import forget, orphans_remove


@shared_task(name="stage.forget")
def forget_stage() -> None:
    """Erase whatever is due."""
    forget(now=timezone.now())


@shared_task(name="stage.tidy")
def tidy() -> None:
    """Remove stored files that no row names."""
    orphans_remove(now=timezone.now())
