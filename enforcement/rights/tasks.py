"""Stage `lookup`: loads nothing but the clock and calls a service."""

from celery import shared_task
from django.utils import timezone

from core.stages import hear, ring_now
from enforcement.rights.lookups import MOST_AT_ONCE, lookups_ask, lookups_tidy


@shared_task(name="stage.lookup")
def lookup() -> None:
    """Ask providers what is due. One round only: a slow provider must not hold the house up."""
    hear("lookup")
    now = timezone.now()
    if lookups_ask(now=now) >= MOST_AT_ONCE:
        ring_now("lookup")
    lookups_tidy(now=now)
