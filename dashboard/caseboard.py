"""What the page of a case shows, and opening cases one after another for review."""

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from core.errors import ProductError
from dashboard import purposes
from dashboard.gates import OperatorRequest
from dashboard.plates import text_of
from dashboard.views.notices import case_notice_context
from enforcement.cases.decisions import case_take
from enforcement.cases.models import OPEN_STATES, Case
from enforcement.cases.policies import policy_at
from enforcement.cases.possible import steps_possible
from enforcement.cases.reasons import CANCEL, CONFIRM, CORRECT, DISMISS, UPHOLD, WRITE_OFF
from enforcement.cases.selectors import deadlines_of, waiting_for

PURPOSE = "case-review"
_RUN = "case-run"


def looked_at(request: OperatorRequest, case: Case) -> purposes.Chosen | None:
    """The purpose this person opened the case with a while ago, if they did."""
    return purposes.look(request, "case", case.pk, timezone.now())


def open_for_review(request: OperatorRequest, case: Case, now: datetime) -> HttpResponseRedirect:
    """Open a case: the click states the purpose, and the case's number is its reference."""
    chosen = purposes.look_begin(
        request, "case", case.pk, code=PURPOSE, case_ref=case.number, now=now
    )
    case_take(case, request.user, until=chosen.until)
    return HttpResponseRedirect(reverse("cases_case", args=[case.pk]))


def running(request: OperatorRequest) -> bool:
    """Whether this person reviews one case after another: the next opens with the decision."""
    return bool(request.session.get(_RUN))


def run_set(request: OperatorRequest, on: bool) -> None:
    """Begin or end reviewing one case after another."""
    if on:
        request.session[_RUN] = True
    else:
        request.session.pop(_RUN, None)


def next_case(
    request: OperatorRequest, now: datetime, *, after: Case | None = None
) -> uuid.UUID | None:
    """The case to decide next: the one behind `after` in the queue, round to the first; None where
    nothing waits for this person."""
    waiting = waiting_for(request.sites, request.user, now=now, today=now.date())
    ids = list(waiting.values_list("pk", flat=True)[:500])
    if after is not None and after.pk in ids:
        place = ids.index(after.pk)
        ids = ids[place + 1 :] + ids[:place]
    return ids[0] if ids else None


def case_page(
    request: OperatorRequest,
    case: Case,
    error: ProductError | None = None,
    *,
    about: str = "decide",
) -> HttpResponse:
    """The page of one case; with what went wrong in the form `about`, kept as it was filled in."""
    now = timezone.now()
    chosen = looked_at(request, case)
    corrected: dict[uuid.UUID, list[Any]] = {}
    for correction in case.corrections.select_related("user"):
        corrected.setdefault(correction.evidence_id, []).append(
            {
                "row": correction,
                "text": text_of(request, correction, chosen) if chosen else None,
            }
        )
    shots = [
        {
            "evidence": evidence,
            "text": text_of(request, evidence, chosen) if chosen else None,
            "corrections": corrected.get(evidence.pk, ()),
        }
        for evidence in case.evidence.shown()
    ]
    appeals = [
        {
            "row": appeal,
            "text": text_of(request, appeal, chosen) if chosen else None,
            "contact": text_of(request, appeal, chosen, "contact") if chosen else None,
        }
        for appeal in case.appeals.select_related("decided_by")
    ]
    may = steps_possible(case, request.user, policy_at(case.site, now))
    context = {
        "case": case,
        "opened": chosen,
        "text": text_of(request, case, chosen) if chosen else None,
        "shots": shots,
        "appeals": appeals,
        "payments": case.payments.select_related("recorded_by"),
        "deadlines": deadlines_of(case, now),
        "history": case.events.all(),
        "may": may,
        "taken": case.taken_by
        if case.taken_until and case.taken_until > now and case.taken_by != request.user
        else None,
        "confirm_reasons": CONFIRM,
        "dismiss_reasons": DISMISS,
        "correct_reasons": CORRECT,
        "uphold_reasons": UPHOLD,
        "cancel_reasons": CANCEL,
        "write_off_reasons": WRITE_OFF,
        "decision": request.POST.get("decision", ""),
        "posted": request.POST,
        "today": now.astimezone(case.site.zone_info).date(),
        "following": next_case(request, now, after=case) if case.state in OPEN_STATES else None,
        "running": running(request),
        "error": error,
        "about": about,
        **case_notice_context(request, case, chosen),
    }
    return render(request, "dashboard/case.html", context, status=error.status if error else 200)
