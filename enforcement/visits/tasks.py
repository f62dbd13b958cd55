"""Stages `judge` and `rejudge`: each loads nothing but the clock and calls a service."""

from celery import shared_task
from django.utils import timezone

from enforcement.visits.services import MOST_JUDGED, passages_judge, passages_rejudge_due
from plates.tasks import answer, drain


@shared_task(name="stage.judge")
def judge() -> None:
    """Judge whatever waits."""
    drain(lambda now: passages_judge(now=now), "judge", most=MOST_JUDGED)


@shared_task(name="stage.rejudge")
def rejudge() -> None:
    """Have looked at again what something new may have changed."""
    answer("rejudge")
    passages_rejudge_due(now=timezone.now())
