"""The addressee's page of a notice. Who holds the printed address may see its state, open the
notice and appeal; nobody logs in, and no plate stands on the page or in its address."""

from collections.abc import Callable
from datetime import date
from functools import update_wrapper
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods, require_POST

from audit.access import reveal_file
from audit.services import Actor
from cameras.limits import seldom
from core.errors import NotFound, ProductError
from dashboard.gates import refusal
from dashboard.views.notices import pdf_response
from enforcement.cases.models import Case
from enforcement.cases.policies import policy_at
from enforcement.cases.settling import MOST_APPEAL, MOST_CONTACT, appeal_open
from enforcement.notices.content import own_text
from enforcement.notices.languages import Language, language
from enforcement.notices.models import Notice
from enforcement.notices.selectors import notice_by_link
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

_OPEN_EVERY = 60.0  # seconds
_OPEN_AT_ONCE = 20
_PAYABLE = (Case.State.NOTICE_ISSUED, Case.State.UPHELD)
_ERRORS = {"text_required": "page.empty", "too_long": "page.too_long", "not_text": "page.empty"}

View = Callable[[HttpRequest, Notice, str], HttpResponse]
Linked = Callable[[HttpRequest, str, str], HttpResponse]


def linked(view: View) -> Linked:
    """Let in who holds the secret of the address; anybody else finds nothing there."""

    def wrapper(request: HttpRequest, number: str, secret: str) -> HttpResponse:
        try:
            response = view(request, notice_by_link(number, secret), secret)
        except ProductError as error:
            response = refusal(request, error.status, error.sentence)
        patch_cache_control(response, no_store=True, private=True)
        # the address itself is the key. Not "no-referrer": a form's POST would have no origin then
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return update_wrapper(wrapper, view)


def _addressee(request: HttpRequest, notice: Notice) -> Actor:
    return Actor(
        "addressee",
        f"notice {notice.number}",
        notice.site.organisation.name,
        str(request.META.get("REMOTE_ADDR", "")),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@linked
def notice_page(request: HttpRequest, notice: Notice, secret: str) -> HttpResponse:
    """State, deadlines, how to pay; and the form for an appeal."""
    words = language(notice.language)
    if request.method != "POST":
        return _page(request, notice, secret, words)
    try:
        appeal_open(
            case_id=notice.case_id,
            text=request.POST.get("text", ""),
            contact=request.POST.get("contact", ""),
            actor=_addressee(request, notice),
            now=timezone.now(),
        )
    except ProductError as error:
        most = MOST_CONTACT if error.field == "contact" else MOST_APPEAL
        said = words.say(_ERRORS.get(error.code, "page.closed"), most=most)
        return _page(request, notice, secret, words, error=said, status=error.status)
    return HttpResponseRedirect(reverse("notice_page", args=[notice.number, secret]))


@require_POST
@linked
def notice_page_pdf(request: HttpRequest, notice: Notice, secret: str) -> HttpResponse:
    """The notice as it was issued. It shows the vehicle, so that it was opened is recorded; and so
    that nobody fills the audit log by it, it opens only so often."""
    seldom(f"notice:{notice.pk}", every=_OPEN_EVERY, burst=_OPEN_AT_ONCE)
    try:
        pdf = reveal_file(
            notice,
            "pdf",
            actor=_addressee(request, notice),
            purpose="customer-request",
            case_ref=notice.number,
        )
    except (KeyDestroyed, SealBroken, FileNotFoundError) as error:
        raise NotFound("forgotten", "This notice is no longer kept.") from error
    return pdf_response(pdf, f"notice-{notice.number}")


def _page(
    request: HttpRequest,
    notice: Notice,
    secret: str,
    words: Language,
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    case, say = notice.case, words.say
    zone = notice.site.zone_info
    policy = policy_at(notice.site, case.seen_to)
    appeal = case.appeals.order_by("received_at").last()
    today = timezone.now().astimezone(zone).date()
    context: dict[str, Any] = {
        "lang": words.code,
        "title": say("page.title", number=notice.number),
        "kind": say(f"titles.{notice.site.kind}"),
        "issuer": policy.payee.splitlines() if policy else [notice.site.organisation.name],
        "t": words.texts["page"],
        "state": say(f"page_states.{case.state}"),
        "facts": [
            (say("page.state"), say(f"page_states.{case.state}")),
            (say("page.site"), notice.site.name),
            (say("page.seen"), words.moment(case.seen_from, zone, seconds=False)),
            (say("letter.issued"), words.moment(notice.issued_at, zone, seconds=False)),
        ],
        "amounts": _amounts(notice, words, today) if case.state in _PAYABLE else [],
        "nothing": ""
        if case.state in _PAYABLE
        else say("page.nothing_now" if case.state == Case.State.APPEALED else "page.nothing"),
        "pay": own_text(policy.pay_texts, words.code) if policy else [],
        "reference": say("pay.reference", number=notice.number),
        "pdf_url": reverse("notice_page_pdf", args=[notice.number, secret]),
        "may_appeal": case.state == Case.State.NOTICE_ISSUED,
        "appeal_heading": say("appeal.heading"),
        "pay_heading": say("pay.heading"),
        "appeal_by": _appeal_by(case, words, today),
        "appealed": say("page.sent", date=words.day(appeal.received_at.astimezone(zone).date()))
        if appeal is not None and case.state == Case.State.APPEALED
        else "",
        "text_hint": say("page.text_hint", most=MOST_APPEAL),
        "most": MOST_APPEAL,
        "most_contact": MOST_CONTACT,
        "text": request.POST.get("text", ""),
        "contact": request.POST.get("contact", ""),
        "error": error,
    }
    return render(request, "dashboard/notice_page.html", context, status=status)


def _amounts(notice: Notice, words: Language, today: date) -> list[tuple[str, str]]:
    """What is due until when: by the case, whose clock stands still during an appeal."""
    case = notice.case
    if case.amount is None or case.due_on is None:
        return []
    full = (
        words.say("money.due", date=words.day(case.due_on)),
        words.money(case.amount, case.currency),
    )
    if case.discount_amount is None or case.discount_until is None or today > case.discount_until:
        return [full]
    reduced = (
        words.say("money.discounted", date=words.day(case.discount_until)),
        words.money(case.discount_amount, case.currency),
    )
    return [reduced, full]


def _appeal_by(case: Case, words: Language, today: date) -> str:
    if case.appeal_until is None:
        return ""
    name = "page.late" if today > case.appeal_until else "appeal.by"
    return words.say(name, date=words.day(case.appeal_until))
