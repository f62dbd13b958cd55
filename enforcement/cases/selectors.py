"""Reading cases. A case of a site that isn't the asker's is not there."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import models
from django.db.models import Count, Q, QuerySet, Value, When
from django.utils import timezone

from cameras.models import Site
from core.errors import NotFound
from core.models import User
from enforcement.cases.models import CLOSED_STATES, OPEN_STATES, Case, Evidence
from plates.models import PlateRead

SOON = 3
"""Days before a deadline from which on it is shown as running out."""

_OUT = ("notice-issued", "appealed", "upheld")


def case_get(case_id: uuid.UUID, sites: "QuerySet[Site]") -> Case:
    """The case, if it is of one of `sites`; NotFound otherwise."""
    case = (
        Case.objects.filter(pk=case_id, site__in=sites)
        .select_related("site", "decided_by", "vouched_by", "taken_by")
        .first()
    )
    if case is None:
        raise NotFound("not_found", "There is no such case here.")
    return case


QUEUES: dict[str, Callable[[date], Q]] = {
    "running-out": lambda today: (
        Q(state__in=(*OPEN_STATES, "confirmed"))
        & Q(last_issue_day__lte=today + timedelta(days=SOON))
    ),
    "second": lambda today: Q(state__in=OPEN_STATES, vouched_at__isnull=False),
    "to-issue": lambda today: Q(state="confirmed", withdrawal_asked_at__isnull=True),
    "withdraw": lambda today: (
        Q(withdrawal_asked_at__isnull=False) & (~Q(state__in=CLOSED_STATES) | Q(state="paid"))
    ),
    "appeals": lambda today: Q(state="appealed"),
    "overdue": lambda today: Q(state__in=("notice-issued", "upheld"), due_on__lt=today),
}
"""Heaps of work besides the open cases: what belongs to each on a day."""


def cases_queue(
    sites: "QuerySet[Site]", *, state: str | None = None, today: date | None = None
) -> "QuerySet[Case]":
    """Cases of `sites` in `state` (or of one of `QUEUES`), or all that wait for a person: first
    those whose time runs out, then the oldest, so that none is left behind."""
    today = today or timezone.now().date()
    if state is None:
        wanted = Q(state__in=OPEN_STATES)
    elif state in QUEUES:
        wanted = QUEUES[state](today)
    else:
        wanted = Q(state=state)
    soon = Q(last_issue_day__lte=today + timedelta(days=SOON), last_issue_day__gte=today)
    urgent = models.Case(
        When(soon & Q(state__in=(*OPEN_STATES, "confirmed")), then=Value(0)), default=Value(1)
    )
    return (
        Case.objects.filter(wanted, site__in=sites)
        .select_related("site", "decided_by", "vouched_by", "taken_by")
        .order_by(urgent, "opened_at", "pk")
    )


def queue_counts(sites: "QuerySet[Site]", today: date) -> dict[str, int]:
    """How many cases lie on each heap of `QUEUES`. One query."""
    live = Case.objects.filter(site__in=sites).filter(
        ~Q(state__in=CLOSED_STATES) | Q(withdrawal_asked_at__isnull=False)
    )
    counts = {
        name.replace("-", "_"): Count("pk", filter=wanted(today)) for name, wanted in QUEUES.items()
    }
    found = live.aggregate(**counts)
    return {name: found[name.replace("-", "_")] for name in QUEUES}


def waiting_for(
    sites: "QuerySet[Site]", user: User, *, now: datetime, today: date
) -> "QuerySet[Case]":
    """The open cases `user` could decide next: none that another has open just now, none that waits
    for somebody other than `user` to confirm it too."""
    return (
        cases_queue(sites, today=today)
        .exclude(Q(taken_until__gt=now) & ~Q(taken_by=user))
        .exclude(vouched_by=user)
    )


@dataclass(frozen=True, slots=True)
class Deadline:
    """One day of a case that counts down: `left` days from today, 0 on its last day, negative
    after. `name` is of dashboard wording."""

    name: str
    last: date
    left: int

    @property
    def soon(self) -> bool:
        """It runs out."""
        return 0 <= self.left <= SOON


def deadlines_of(case: Case, now: datetime) -> list[Deadline]:
    """What still runs for a case, or has just run out, the nearest first."""
    today = now.astimezone(case.site.zone_info).date()
    days: list[tuple[str, date | None]] = []
    if case.state in (*OPEN_STATES, "confirmed"):
        days = [("issue", case.last_issue_day)]
    elif case.state in _OUT:
        days = [("due", case.due_on), ("appeal", case.appeal_until)]
        if case.discount_until is not None and case.discount_until >= today:
            days.append(("discount", case.discount_until))
    found = [Deadline(name, day, (day - today).days) for name, day in days if day is not None]
    return sorted(found, key=lambda one: one.last)


def read_decided(read: PlateRead) -> bool:
    """Whether a read is evidence of cases that are all over: nothing is added to it any more."""
    states = Evidence.objects.filter(
        token_exact=read.token_exact, capture_id=read.capture_id
    ).values_list("case__state", flat=True)
    return bool(states) and set(states) <= set(CLOSED_STATES)
