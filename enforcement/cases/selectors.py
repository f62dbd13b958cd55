"""Reading cases. A case of a site that isn't the asker's is not there."""

import uuid

from django.db.models import QuerySet

from cameras.models import Site
from core.errors import NotFound
from enforcement.cases.models import CLOSED_STATES, OPEN_STATES, Case, Evidence
from plates.models import PlateRead


def case_get(case_id: uuid.UUID, sites: "QuerySet[Site]") -> Case:
    """The case, if it is of one of `sites`; NotFound otherwise."""
    case = (
        Case.objects.filter(pk=case_id, site__in=sites).select_related("site", "decided_by").first()
    )
    if case is None:
        raise NotFound("not_found", "There is no such case here.")
    return case


def cases_queue(sites: "QuerySet[Site]", *, state: str | None = None) -> "QuerySet[Case]":
    """Cases of `sites` in `state`, or all that wait for a person; oldest first, so that none is
    left behind."""
    states = OPEN_STATES if state is None else (state,)
    return (
        Case.objects.filter(site__in=sites, state__in=states)
        .select_related("site", "decided_by")
        .order_by("opened_at", "pk")
    )


def read_decided(read: PlateRead) -> bool:
    """Whether a read is evidence of cases that are all over: nothing is added to it any more."""
    states = Evidence.objects.filter(
        token_exact=read.token_exact, capture_id=read.capture_id
    ).values_list("case__state", flat=True)
    return bool(states) and set(states) <= set(CLOSED_STATES)
