"""The stage `watch`."""

from celery import shared_task

from core.stages import task_name
from enforcement.watchlist.watching import MOST_WATCHED, reads_watch
from plates.tasks import drain


@shared_task(name=task_name("watch"))
def watch() -> None:
    """Watch whatever waits."""
    drain(lambda now: reads_watch(now=now), "watch", most=MOST_WATCHED)
