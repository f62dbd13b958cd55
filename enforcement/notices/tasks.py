"""Stage `deliver`: loads nothing but the clock and calls a service."""

from celery import shared_task

from core.stages import task_name
from enforcement.notices.outbox import MOST_SENT, notices_send
from plates.tasks import drain


@shared_task(name=task_name("deliver"))
def deliver() -> None:
    """Send the notices that are due."""
    drain(lambda now: notices_send(now=now), "deliver", most=MOST_SENT)
