"""Stage `act`: loads nothing but the clock and calls a service."""

from celery import shared_task

from enforcement.cases.automatic import cases_confirm_alone
from enforcement.cases.pictures import pictures_join
from enforcement.cases.services import MOST_ACTED, cases_act
from plates.tasks import drain

_SECONDS = 1.0
"""A case takes tens of milliseconds, and somebody may be waiting for a first verdict behind it."""


@shared_task(name="stage.act")
def act() -> None:
    """Open and close cases as the verdicts ask; pictures that came later join their evidence."""
    drain(
        lambda now: (
            cases_act(now=now)
            + pictures_join(now=now)
            + cases_confirm_alone(now=now, limit=MOST_ACTED)
        ),
        "act",
        most=MOST_ACTED,
        seconds=_SECONDS,
    )
