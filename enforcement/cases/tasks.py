"""Stage `act`: loads nothing but the clock and calls a service."""

from celery import shared_task

from enforcement.cases.services import MOST_ACTED, cases_act
from plates.tasks import drain


@shared_task(name="stage.act")
def act() -> None:
    """Open and close cases as the verdicts ask."""
    drain(lambda now: cases_act(now=now), "act", most=MOST_ACTED)
