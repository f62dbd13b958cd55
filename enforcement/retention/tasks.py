"""Stage `forget`."""

from celery import shared_task
from django.utils import timezone

from enforcement.retention.services import forget


@shared_task(name="stage.forget")
def forget_stage() -> None:
    """Erase whatever is due."""
    forget(now=timezone.now())
