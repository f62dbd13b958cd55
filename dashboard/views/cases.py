"""The case queue and the case: looked at for one stated purpose, decided by a person."""

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from cameras.access import OPERATE
from core.errors import NotAllowed, NotFound, ProductError
from dashboard.caseboard import (
    case_page,
    looked_at,
    next_case,
    open_for_review,
    run_set,
    running,
)
from dashboard.gates import OperatorRequest, gate
from dashboard.plates import picture_response
from dashboard.views.feed import narrow
from dashboard.wording import CASE_QUEUES, CASE_STATES
from enforcement.cases.corrections import evidence_correct
from enforcement.cases.decisions import case_confirm, case_dismiss
from enforcement.cases.models import OPEN_STATES, Case
from enforcement.cases.selectors import SOON, case_get, cases_queue, queue_counts

PAGE = 50


@gate(*OPERATE)
def cases(request: OperatorRequest) -> HttpResponse:
    """The queue: open cases, one of the heaps of work, or those of one state."""
    context = narrow(request)
    now = timezone.now()
    state = request.GET.get("state", "")
    if state not in CASE_STATES and state not in CASE_QUEUES:
        state = ""
    queue = list(cases_queue(request.sites, state=state or None, today=now.date())[: PAGE + 1])
    counts = queue_counts(request.sites, now.date())
    shown = queue[:PAGE]
    context |= {
        "cases": shown,
        "more": len(queue) > PAGE,
        "state": state,
        "states": CASE_STATES,
        "heaps": [(name, words, counts[name]) for name, words in CASE_QUEUES.items()],
        "title": CASE_QUEUES.get(state) or (CASE_STATES[state].label if state else ""),
        "decidable": any(case.state in OPEN_STATES for case in shown),
        "now": now,
        "today": now.date(),
        "soon": SOON,
    }
    return render(request, "dashboard/cases.html", context)


@gate(*OPERATE)
def cases_case(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """One case: closed until opened for review."""
    return case_page(request, case_get(case_id, request.sites))


@require_POST
@gate(*OPERATE)
def cases_open(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Open one case for review."""
    return open_for_review(request, case_get(case_id, request.sites), timezone.now())


@require_POST
@gate(*OPERATE)
def cases_start(request: OperatorRequest) -> HttpResponse:
    """Review one case after another, from the most urgent on: with each decision the next opens,
    for the same purpose."""
    narrow(request)
    run_set(request, True)
    return _onward(request, None)


@require_POST
@gate(*OPERATE)
def cases_decide(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Confirm or dismiss, with a reason from the list; then on to the next open case."""
    case = case_get(case_id, request.sites)
    run_set(request, "onward" in request.POST)
    if looked_at(request, case) is None:
        messages.error(request, "Open the case for review before you decide it.")
        return HttpResponseRedirect(reverse("cases_case", args=[case.pk]))
    decide = case_confirm if request.POST.get("decision") == "confirm" else case_dismiss
    try:
        done = decide(
            case_id=case.pk,
            user=request.user,
            reason=request.POST.get("reason", ""),
            note=request.POST.get("note", "").strip()[:500],
            now=timezone.now(),
        )
    except ProductError as error:  # a reason is missing, or somebody or the judge was quicker
        return case_page(request, case_get(case_id, request.sites), error)
    messages.success(request, _told(done))
    return _onward(request, case)


@require_POST
@gate(*OPERATE)
def cases_correct(
    request: OperatorRequest, case_id: uuid.UUID, evidence_id: uuid.UUID
) -> HttpResponse:
    """Say what a read of the case really was, with its picture open; the read itself stays."""
    case = case_get(case_id, request.sites)
    if looked_at(request, case) is None:
        raise NotAllowed("not_open", "Open the case for review before you correct a read.")
    if not case.evidence.shown().filter(pk=evidence_id).exists():
        raise NotFound("not_found", "There is no such read here.")
    try:
        evidence_correct(
            evidence_id=evidence_id,
            user=request.user,
            plate=request.POST.get("plate", ""),
            country=request.POST.get("country", ""),
            reason=request.POST.get("reason", ""),
            note=request.POST.get("note", "").strip()[:500],
            now=timezone.now(),
        )
    except ProductError as error:
        return case_page(request, case_get(case_id, request.sites), error, about=str(evidence_id))
    messages.success(request, "The read is corrected; a person must look at the case anew.")
    return HttpResponseRedirect(reverse("cases_case", args=[case.pk]))


def _told(case: Case) -> str:
    if case.state in OPEN_STATES:
        return f"Case {case.number} waits for a second person to confirm it."
    return f"Case {case.number} {case.get_state_display()}."


def _onward(request: OperatorRequest, case: Case | None) -> HttpResponse:
    """To the case after this one, opened where one case after another is reviewed."""
    now = timezone.now()
    following = next_case(request, now, after=case)
    if following is None:
        run_set(request, False)
        return HttpResponseRedirect(reverse("cases"))
    if running(request):
        return open_for_review(request, case_get(following, request.sites), now)
    return HttpResponseRedirect(reverse("cases_case", args=[following]))


@gate(*OPERATE)
def cases_evidence(
    request: OperatorRequest, case_id: uuid.UUID, evidence_id: uuid.UUID, which: str
) -> HttpResponse:
    """The `picture` or the `crop` of one piece of evidence, while the case is open for review."""
    case = case_get(case_id, request.sites)
    evidence = case.evidence.shown().filter(pk=evidence_id).first()
    if evidence is None or not getattr(evidence, which):
        raise NotFound("not_found", "This picture is no longer kept.")
    return picture_response(request, evidence, which, looked_at(request, case))
