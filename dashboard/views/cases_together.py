"""Many cases on one page: their plates and times side by side, decided for one reason.

Each is opened for its own review, so that every look and every decision has its own audit row.
"""

import uuid
from collections.abc import Sequence

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from cameras.access import OPERATE
from core.errors import BadInput, ProductError
from dashboard import purposes
from dashboard.caseboard import PURPOSE, looked_at
from dashboard.gates import OperatorRequest, gate
from dashboard.plates import text_of
from dashboard.views.feed import ids_among
from enforcement.cases.decisions import Decided, case_take, cases_decide
from enforcement.cases.models import OPEN_STATES, Case, Evidence
from enforcement.cases.reasons import CONFIRM, DISMISS

MOST = 20
"""So many a person can compare on one page; the session keeps twice as many looks."""


def _open_cases(request: OperatorRequest, ids: Sequence[uuid.UUID]) -> list[Case]:
    found = (
        Case.objects.filter(pk__in=ids, site__in=request.sites, state__in=OPEN_STATES)
        .select_related("site")
        .prefetch_related(Prefetch("evidence", Evidence.objects.shown()))
    )
    by_id = {case.pk: case for case in found}
    return [by_id[one] for one in dict.fromkeys(ids) if one in by_id]


def _to(cases: Sequence[Case]) -> HttpResponseRedirect:
    query = urlencode([("case", str(case.pk)) for case in cases])
    return HttpResponseRedirect(f"{reverse('cases_together')}?{query}")


@require_POST
@gate(*OPERATE)
def cases_together_open(request: OperatorRequest) -> HttpResponse:
    """Open the ticked cases for review: this click states the purpose for each of them."""
    now = timezone.now()
    ticked = _open_cases(request, ids_among(request.POST.getlist("case"), MOST))
    if not ticked:
        messages.error(request, "Tick the cases you want to review together.")
        return HttpResponseRedirect(reverse("cases"))
    for case in ticked:
        chosen = purposes.look_begin(
            request, "case", case.pk, code=PURPOSE, case_ref=case.number, now=now
        )
        case_take(case, request.user, until=chosen.until)
    return _to(ticked)


@gate(*OPERATE)
def cases_together(request: OperatorRequest) -> HttpResponse:
    """The cases of the address that this person has open, side by side."""
    return _page(request, _open_cases(request, ids_among(request.GET.getlist("case"), MOST)))


def _page(
    request: OperatorRequest, cases: Sequence[Case], error: ProductError | None = None
) -> HttpResponse:
    shown = []
    for case in cases:
        chosen = looked_at(request, case)
        if chosen is not None:
            shown.append(
                {
                    "case": case,
                    "text": text_of(request, case, chosen),
                    "shots": case.evidence.all(),
                }
            )
    context = {
        "shown": shown,
        "confirm_reasons": CONFIRM,
        "dismiss_reasons": DISMISS,
        "error": error,
        "decision": request.POST.get("decision", ""),
        "note": request.POST.get("note", ""),
    }
    status = error.status if error else 200
    return render(request, "dashboard/cases_together.html", context, status=status)


@require_POST
@gate(*OPERATE)
def cases_together_decide(request: OperatorRequest) -> HttpResponse:
    """Decide the ticked cases for one reason; what became of each is told."""
    now = timezone.now()
    shown = _open_cases(request, ids_among(request.POST.getlist("shown"), MOST))
    confirm = request.POST.get("decision") == "confirm"
    # what this person has not looked at is not decided, whatever was posted
    looked = [
        one
        for one in ids_among(request.POST.getlist("case"), MOST)
        if purposes.look(request, "case", one, now) is not None
    ]
    try:
        if not looked:
            raise BadInput("none_ticked", "Tick the cases this reason is for.", field="case")
        results = cases_decide(
            looked,
            sites=request.sites,
            confirm=confirm,
            user=request.user,
            reason=request.POST.get("reason", ""),
            note=request.POST.get("note", "").strip()[:500],
            now=now,
        )
    except BadInput as error:
        return _page(request, shown, error)
    _tell(request, results, confirm=confirm)
    rest = [case for case in shown if case.pk not in set(looked)]
    return _to(rest) if rest else HttpResponseRedirect(reverse("cases"))


def _tell(request: OperatorRequest, results: Sequence[Decided], *, confirm: bool) -> None:
    done = sum(one.error is None for one in results)
    if done:
        cases = "1 case" if done == 1 else f"{done} cases"
        messages.success(request, f"{cases} {'confirmed' if confirm else 'dismissed'}.")
    for one in results:
        if one.error is not None:
            messages.warning(request, f"Case {one.number} was left: {one.error.sentence}")
