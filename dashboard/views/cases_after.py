"""What operators note about a case whose notice went out: payments, appeals, its end."""

import uuid
from collections.abc import Callable
from datetime import date

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from cameras.access import OPERATE, person_actor
from core.errors import BadInput, NotAllowed, ProductError
from dashboard.caseboard import case_page, looked_at
from dashboard.gates import OperatorRequest, gate
from enforcement.cases.models import Case, CaseAppeal
from enforcement.cases.money import minor_units
from enforcement.cases.selectors import case_get
from enforcement.cases.settling import (
    appeal_decide,
    appeal_open,
    case_cancel,
    case_write_off,
    payment_record,
)

MOST_NOTE = 500


def _after(
    request: OperatorRequest, case_id: uuid.UUID, about: str, step: Callable[[Case], str]
) -> HttpResponse:
    """Take a step and show the case; what went wrong stands at its form."""
    case = case_get(case_id, request.sites)
    try:
        told = step(case)
    except ProductError as error:
        return case_page(request, case_get(case_id, request.sites), error, about=about)
    messages.success(request, told)
    return HttpResponseRedirect(f"{reverse('cases_case', args=[case.pk])}#{about}")


def _note(request: OperatorRequest) -> str:
    return request.POST.get("note", "").strip()[:MOST_NOTE]


@require_POST
@gate(*OPERATE)
def cases_pay(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Record a payment: amount, day, reference."""

    def step(case: Case) -> str:
        try:
            day = date.fromisoformat(request.POST.get("paid_on", ""))
        except ValueError as error:
            raise BadInput("day_wrong", "Choose the day it was paid.", field="paid_on") from error
        case = payment_record(
            case_id=case.pk,
            user=request.user,
            amount=minor_units(request.POST.get("amount", ""), case.currency),
            paid_on=day,
            reference=request.POST.get("reference", ""),
            now=timezone.now(),
        )
        settled = "settles the notice" if case.state == Case.State.PAID else "is a part of it"
        return f"The payment is recorded: it {settled}."

    return _after(request, case_id, "money", step)


@require_POST
@gate(*OPERATE)
def cases_appeal(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Take down an appeal that came by letter, mail or word of mouth."""

    def step(case: Case) -> str:
        through = request.POST.get("through", "")
        if through not in CaseAppeal.Through.values or through == CaseAppeal.Through.PAGE:
            raise BadInput("through_required", "Say how the appeal came.", field="through")
        appeal_open(
            case_id=case.pk,
            text=request.POST.get("text", ""),
            contact=request.POST.get("contact", ""),
            through=through,
            actor=person_actor(request.user, request),
            now=timezone.now(),
        )
        return "The appeal is taken down; the times to pay stand still."

    return _after(request, case_id, "appeals", step)


@require_POST
@gate(*OPERATE)
def cases_answer(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Refuse an appeal, or grant it: with the case open, since its text must have been read."""

    def step(case: Case) -> str:
        if looked_at(request, case) is None:
            raise NotAllowed("not_open", "Open the case for review before you decide its appeal.")
        upheld = request.POST.get("decision") == "uphold"
        appeal_decide(
            case_id=case.pk,
            user=request.user,
            upheld=upheld,
            reason=request.POST.get("reason", ""),
            note=_note(request),
            now=timezone.now(),
        )
        return "The appeal is refused." if upheld else "The appeal is granted: the notice is gone."

    return _after(request, case_id, "appeals", step)


@require_POST
@gate(*OPERATE)
def cases_end(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Cancel a notice that went out, or write it off."""

    def step(case: Case) -> str:
        cancel = request.POST.get("decision") == "cancel"
        end = case_cancel if cancel else case_write_off
        end(
            case_id=case.pk,
            user=request.user,
            reason=request.POST.get("reason", ""),
            note=_note(request),
            now=timezone.now(),
        )
        return f"Case {case.number} {'cancelled' if cancel else 'written off'}."

    return _after(request, case_id, "end", step)
