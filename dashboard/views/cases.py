"""The case queue and the case: looked at for one stated purpose, decided by a person."""

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from cameras.access import OPERATE
from core.errors import NotFound, ProductError
from dashboard import purposes
from dashboard.gates import OperatorRequest, gate
from dashboard.plates import picture_response, text_of
from dashboard.views.feed import narrow
from dashboard.wording import CASE_STATES
from enforcement.cases.decisions import case_confirm, case_dismiss
from enforcement.cases.models import OPEN_STATES, Case
from enforcement.cases.reasons import CONFIRM, DISMISS
from enforcement.cases.selectors import case_get, cases_queue

PAGE = 50
_PURPOSE = "case-review"


def _opened(request: OperatorRequest, case: Case) -> purposes.Chosen | None:
    return purposes.look(request, "case", case.pk, timezone.now())


@gate(*OPERATE)
def cases(request: OperatorRequest) -> HttpResponse:
    """The queue: open cases, or those of one state."""
    context = narrow(request)
    state = request.GET.get("state", "")
    if state not in CASE_STATES:
        state = ""
    queue = list(cases_queue(request.sites, state=state or None)[: PAGE + 1])
    context |= {
        "cases": queue[:PAGE],
        "more": len(queue) > PAGE,
        "state": state,
        "states": CASE_STATES,
    }
    return render(request, "dashboard/cases.html", context)


@gate(*OPERATE)
def cases_case(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """One case: closed until opened for review."""
    return _page(request, case_get(case_id, request.sites))


@require_POST
@gate(*OPERATE)
def cases_open(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Open for review: this click states the purpose, and the case's number is its reference."""
    case = case_get(case_id, request.sites)
    purposes.look_begin(
        request, "case", case.pk, code=_PURPOSE, case_ref=case.number, now=timezone.now()
    )
    return HttpResponseRedirect(reverse("cases_case", args=[case.pk]))


@require_POST
@gate(*OPERATE)
def cases_decide(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Confirm or dismiss, with a reason from the list; then on to the next open case."""
    case = case_get(case_id, request.sites)
    if _opened(request, case) is None:
        messages.error(request, "Open the case for review before you decide it.")
        return HttpResponseRedirect(reverse("cases_case", args=[case.pk]))
    decide = case_confirm if request.POST.get("decision") == "confirm" else case_dismiss
    following = _next(request, case)
    try:
        decide(
            case_id=case.pk,
            user=request.user,
            reason=request.POST.get("reason", ""),
            note=request.POST.get("note", "").strip()[:500],
            now=timezone.now(),
        )
    except ProductError as error:  # a reason is missing, or somebody or the judge was quicker
        return _page(request, case_get(case_id, request.sites), error)
    messages.success(
        request, f"Case {case.number} {'confirmed' if decide is case_confirm else 'dismissed'}."
    )
    if following is None:
        return HttpResponseRedirect(reverse("cases"))
    return HttpResponseRedirect(reverse("cases_case", args=[following]))


@gate(*OPERATE)
def cases_evidence(
    request: OperatorRequest, case_id: uuid.UUID, evidence_id: uuid.UUID, which: str
) -> HttpResponse:
    """The `picture` or the `crop` of one piece of evidence, while the case is open for review."""
    case = case_get(case_id, request.sites)
    evidence = case.evidence.filter(pk=evidence_id).first()
    if evidence is None or not getattr(evidence, which):
        raise NotFound("not_found", "This picture is no longer kept.")
    return picture_response(request, evidence, which, _opened(request, case))


def _next(request: OperatorRequest, case: Case) -> uuid.UUID | None:
    """The open case after this one in the queue, round to the first; None if this is the last."""
    waiting = list(cases_queue(request.sites).values_list("pk", flat=True)[:500])
    if case.pk in waiting:
        place = waiting.index(case.pk)
        waiting = waiting[place + 1 :] + waiting[:place]
    return waiting[0] if waiting else None


def _page(request: OperatorRequest, case: Case, error: ProductError | None = None) -> HttpResponse:
    chosen = _opened(request, case)
    shots = [
        {"evidence": evidence, "text": text_of(request, evidence, chosen) if chosen else None}
        for evidence in case.evidence.all()
    ]
    context = {
        "case": case,
        "opened": chosen,
        "text": text_of(request, case, chosen) if chosen else None,
        "shots": shots,
        "history": case.events.all(),
        "may_confirm": case.state in OPEN_STATES,
        "may_dismiss": case.state in (*OPEN_STATES, Case.State.CONFIRMED),
        "confirm_reasons": CONFIRM,
        "dismiss_reasons": DISMISS,
        "decision": request.POST.get("decision", ""),
        "note": request.POST.get("note", ""),
        "following": _next(request, case),
        "error": error,
    }
    return render(request, "dashboard/case.html", context, status=error.status if error else 200)
