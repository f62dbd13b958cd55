"""A case's notice and its evidence on paper: drafted, issued, opened, sent again; and the letters
that wait for the printer."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from audit.access import reveal_file
from cameras.access import OPERATE, person_actor
from cameras.models import Site
from core.errors import NotFound, ProductError
from dashboard import purposes
from dashboard.gates import OperatorRequest, gate
from enforcement.cases.deadlines import Channel
from enforcement.cases.issuing import notice_terms
from enforcement.cases.models import CLOSED_STATES, OPEN_STATES, Case
from enforcement.cases.policies import policy_at
from enforcement.cases.selectors import case_get
from enforcement.notices.deliveries import delivery_again, delivery_returned, mail_is_set
from enforcement.notices.languages import CODES, language
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.notices.pack import pack_make
from enforcement.notices.printing import MOST_PRINTED, batch_csv, batch_make, batch_pdf
from enforcement.notices.selectors import (
    batch_get,
    batches,
    deliveries_troubled,
    delivery_get,
    letters_waiting,
    notice_of,
)
from enforcement.notices.services import notice_issue, notice_preview
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

_TROUBLES_SHOWN = 50
_NOT_YET_OUT = (NoticeDelivery.State.QUEUED, NoticeDelivery.State.SENDING)
_ERRORS = {
    "case-over": "the case was over before it went out",
    "no-longer-kept": "the notice is no longer kept",
    "address-refused": "the mail server refused the address",
    "given-up": "the mail server could not be reached for two days",
}


def case_notice_context(
    request: OperatorRequest, case: Case, opened: purposes.Chosen | None
) -> dict[str, Any]:
    """What `dashboard/case_notice.html` shows of a case; empty where there is nothing to."""
    notice = notice_of(case)
    if notice is None and case.state not in (*OPEN_STATES, Case.State.CONFIRMED):
        return {}
    context: dict[str, Any] = {
        "languages": _languages(case),
        "mail": mail_is_set(),
        "channels": [
            (code, label)
            for code, label in NoticeDelivery.Channel.choices
            if code != Channel.EMAIL or mail_is_set()
        ],
    }
    if notice is None:
        return {"notice": context | _to_issue(case)}
    deliveries = list(notice.deliveries.defer("address"))
    return {
        "notice": context
        | {
            "issued": notice,
            "amount": language("en").money(notice.amount, notice.currency),
            "digest": bytes(notice.pdf_sha256).hex(),
            "deliveries": [
                {"row": one, "error": _ERRORS.get(one.error, one.error)} for one in deliveries
            ],
            "may_send": case.state not in CLOSED_STATES
            and not any(one.state in _NOT_YET_OUT for one in deliveries),
        }
    }


def _languages(case: Case) -> list[tuple[str, str]]:
    policy = policy_at(case.site, case.seen_to)
    first = [code for code in (policy.languages if policy else ()) if code in CODES]
    codes = dict.fromkeys([*first, *CODES])
    return [(code, Notice.Language(code).label) for code in codes]


def _to_issue(case: Case) -> dict[str, Any]:
    try:
        by = Channel.EMAIL if mail_is_set() else Channel.PRINT
        terms = notice_terms(case, channel=by, now=timezone.now())
    except ProductError as error:
        return {"refused": error.sentence}
    return {
        "may_issue": case.state == Case.State.CONFIRMED and case.withdrawal_asked_at is None,
        "amount": language("en").money(terms.amount, terms.currency),
        "reduced": language("en").money(terms.discount_amount, terms.currency)
        if terms.discount_amount is not None
        else "",
    }


def _case(request: OperatorRequest, case_id: uuid.UUID) -> Case:
    """The case, opened for review by this person."""
    case = case_get(case_id, request.sites)
    if purposes.look(request, "case", case.pk, timezone.now()) is None:
        raise NotFound("not_open", "Open the case for review first.")
    return case


def _case_page(case: Case) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('cases_case', args=[case.pk])}#notice")


def pdf_response(pdf: bytes, name: str) -> HttpResponse:
    """A PDF shown in the browser, kept in no cache. `name` holds no plate."""
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return response


@require_POST
@gate(*OPERATE)
def notices_preview(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """The notice as it would be, marked as a draft."""
    case = _case(request, case_id)
    pdf = notice_preview(
        case=case,
        user=request.user,
        language_code=request.POST.get("language", ""),
        channel=request.POST.get("channel", Channel.PRINT),
        now=timezone.now(),
    )
    return pdf_response(pdf, f"draft-{case.number}")


@require_POST
@gate(*OPERATE)
def notices_issue(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Issue the notice and put it into the outbox."""
    case = _case(request, case_id)
    try:
        notice = notice_issue(
            case_id=case.pk,
            user=request.user,
            language_code=request.POST.get("language", ""),
            channel=request.POST.get("channel", ""),
            address=request.POST.get("address", ""),
            addressee=request.POST.get("addressee", ""),
            now=timezone.now(),
        )
    except ProductError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, f"Notice {notice.number} issued.")
    return _case_page(case)


@require_POST
@gate(*OPERATE)
def notices_pdf(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """The notice as it was issued."""
    case = _case(request, case_id)
    notice = notice_of(case)
    if notice is None:
        raise NotFound("not_found", "No notice was issued.")
    try:
        pdf = reveal_file(
            notice,
            "pdf",
            actor=person_actor(request.user, request),
            purpose="case-review",
            case_ref=case.number,
        )
    except (KeyDestroyed, SealBroken, FileNotFoundError) as error:
        raise NotFound("forgotten", "This notice is no longer kept.") from error
    return pdf_response(pdf, f"notice-{notice.number}")


@require_POST
@gate(*OPERATE)
def notices_again(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """Send the notice once more, another way or to another address."""
    case = _case(request, case_id)
    notice = notice_of(case)
    if notice is None:
        raise NotFound("not_found", "No notice was issued.")
    try:
        delivery_again(
            notice=notice,
            user=request.user,
            channel=request.POST.get("channel", ""),
            address=request.POST.get("address", ""),
            now=timezone.now(),
        )
    except ProductError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, "The notice goes out once more.")
    return _case_page(case)


@require_POST
@gate(*OPERATE)
def notices_returned(request: OperatorRequest, delivery_id: uuid.UUID) -> HttpResponse:
    """Note that a letter or message came back."""
    delivery = delivery_get(delivery_id, request.sites)
    try:
        delivery_returned(delivery_id=delivery.pk, user=request.user, now=timezone.now())
    except ProductError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, "Noted that it came back.")
    return _case_page(delivery.notice.case)


@require_POST
@gate(*OPERATE)
def notices_pack(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """The evidence of a case on paper, for an appeal body or a court."""
    case = _case(request, case_id)
    made = pack_make(case=case, user=request.user, language_code=request.POST.get("language", ""))
    return pdf_response(made.pdf, f"evidence-{case.number}")


# --- letters -------------------------------------------------------------------------------------


@gate(*OPERATE)
def letters(request: OperatorRequest) -> HttpResponse:
    """What waits to be printed, what was printed, and what did not reach anybody."""
    waiting = letters_waiting(request.sites)
    context = {
        "waiting": [
            {"site": site, "count": waiting[site.pk]}
            for site in request.sites.filter(pk__in=list(waiting))
        ],
        "batches": list(batches(request.sites)),
        "troubles": [
            {"row": one, "error": _ERRORS.get(one.error, one.error)}
            for one in deliveries_troubled(request.sites)[:_TROUBLES_SHOWN]
        ],
        "most": MOST_PRINTED,
    }
    return render(request, "dashboard/notice_letters.html", context)


@require_POST
@gate(*OPERATE)
def letters_print(request: OperatorRequest, site_id: uuid.UUID) -> HttpResponse:
    """Take the waiting letters of a site to be printed."""
    site = request.sites.filter(pk=site_id).first()
    if site is None:
        raise NotFound("not_found", "There is no such site here.")
    return _printed(request, site)


def _printed(request: OperatorRequest, site: Site) -> HttpResponse:
    try:
        batch = batch_make(site=site, user=request.user, now=timezone.now())
    except ProductError as error:
        messages.error(request, error.sentence)
        return HttpResponseRedirect(reverse("letters"))
    messages.success(request, "The letters are taken: open their PDF and print it.")
    return HttpResponseRedirect(f"{reverse('letters')}#batch-{batch.pk}")


@require_POST
@gate(*OPERATE)
def letters_pdf(request: OperatorRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The letters of a batch as one PDF."""
    batch = batch_get(batch_id, request.sites)
    return pdf_response(batch_pdf(batch=batch, user=request.user), f"letters-{batch.pk}")


@require_POST
@gate(*OPERATE)
def letters_list(request: OperatorRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The list of a batch: numbers, addresses, pages and digests."""
    batch = batch_get(batch_id, request.sites)
    listed = batch_csv(batch=batch, user=request.user)
    response = HttpResponse(listed, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="letters-{batch.pk}.csv"'
    return response
