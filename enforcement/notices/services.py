"""Issuing a notice: from a confirmed case to a sealed document, its row in the outbox, and an entry
in the evidence chain, all in one transaction.

The document is made before it, so that nobody waits for pictures and typesetting with the case
held; what it was made from is compared inside.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from audit.access import Access
from audit.services import Actor
from cameras.access import person_actor
from core.errors import Conflict, NotFound
from core.models import User
from core.stages import ring
from enforcement.cases.chain import chain_append
from enforcement.cases.deadlines import Channel
from enforcement.cases.decisions import case_audit, case_held
from enforcement.cases.issuing import NoticeTerms, case_issue, notice_terms
from enforcement.cases.models import Case, ChainEntry
from enforcement.notices.content import (
    Letter,
    evidence_chosen,
    notice_content,
    pictures_of,
)
from enforcement.notices.deliveries import (
    address_checked,
    address_lines,
    channel_checked,
    channel_known,
    delivery_queue,
)
from enforcement.notices.document import (
    TEMPLATE_VERSION,
    Document,
    document_make,
    picture_fit,
)
from enforcement.notices.languages import Language, language
from enforcement.notices.models import Notice
from enforcement.notices.opening import Opened
from enforcement.visits.models import VerdictVersion
from vault.models import DataClass
from vault.sealing import assign_key, seal_file, seal_text

_SECRET_BYTES = 16
_TRIES = 3


class _Moved(Exception):
    """The case is no longer what the document says: make it again."""


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a document was made from; equal as long as it would be the same document."""

    verdict_id: uuid.UUID
    explanation: str
    decided_at: datetime | None
    evidence: tuple[tuple[uuid.UUID, str], ...]
    token: uuid.UUID
    terms: NoticeTerms


def notice_preview(
    *, case: Case, user: User, language_code: str, channel: str, now: datetime
) -> bytes:
    """The PDF that would go out if it were issued now, marked as a draft and with nobody's address.

    The caller has checked that `user` may see the case. Each plate and picture opened leaves its
    audit row. Conflict `policy_missing` or `notice_late`; NotFound `forgotten`.
    """
    terms = notice_terms(case, channel=channel_known(channel), now=now)
    made, _, _ = _compose(case, terms, language(language_code), (), person_actor(user), "", now)
    return made.pdf


def notice_issue(
    *,
    case_id: uuid.UUID,
    user: User,
    language_code: str,
    channel: str,
    address: str,
    addressee: str = "",
    now: datetime,
) -> Notice:
    """Issue the notice of a confirmed case and put it into the outbox.

    `address`: an e-mail address, or a postal one line by line (with the name); `addressee` is the
    name that stands on a notice sent by e-mail. The caller has checked that `user` may act at the
    site. BadInput `language_unknown`, `channel_unknown`, `address_wrong`; Conflict as of
    `cases.issuing.case_issue`; NotFound `forgotten` when what it would show is gone.
    """
    actor, words, by = person_actor(user), language(language_code), channel_checked(channel)
    to = address_checked(by, address)
    lines = address_lines(addressee) if addressee.strip() else tuple(to.splitlines())
    for _ in range(_TRIES):
        try:
            return _issue(case_id, user, actor, words, by, to, lines, now)
        except _Moved:
            continue
    raise Conflict("case_moved", "The case keeps changing; look at it once more.")


def _issue(
    case_id: uuid.UUID,
    user: User,
    actor: Actor,
    words: Language,
    channel: Channel,
    to: str,
    lines: tuple[str, ...],
    now: datetime,
) -> Notice:
    case = Case.objects.select_related("site__organisation").filter(pk=case_id).first()
    if case is None:
        raise NotFound("not_found", "There is no such case here.")
    if case.state != Case.State.CONFIRMED:
        raise Conflict("case_decided", f"The case is {case.get_state_display()}.")
    terms = notice_terms(case, channel=channel, now=now)
    basis = _basis(case, terms)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    document, content, link = _compose(case, terms, words, lines, actor, secret, now)
    digest = hashlib.sha256(document.pdf).digest()
    with transaction.atomic():
        held = case_held(case_id)
        event, agreed = case_issue(held, actor=actor, channel=channel, now=now)
        if _basis(held, agreed) != basis:
            raise _Moved
        notice = Notice(
            case=held,
            site=held.site,
            number=held.number,
            language=words.code,
            template_version=TEMPLATE_VERSION,
            pdf_sha256=digest,
            pages=document.pages,
            currency=terms.currency,
            amount=terms.amount,
            discounted=terms.discount_amount,
            deadlines=_deadlines(terms),
            link_digest=hashlib.sha256(secret.encode()).digest(),
            token_exact=held.token_exact,
            issued_at=now,
            issued_by=user,
        )
        assign_key(notice, scope=str(held.site_id), data_class=DataClass.CASE, now=now)
        seal_text(notice, {"content": json.dumps({**content, "link": link}, ensure_ascii=False)})
        seal_file(notice, "pdf", document.pdf, now=now)
        notice.save(force_insert=True)
        delivery_queue(notice, channel, to, now=now)
        chain_append(held.site, ChainEntry.Kind.NOTICE, digest, now=now)
        ring("deliver")
        case_audit(held, event, actor)
    return notice


def notice_again(notice: Notice, access: Access) -> Document:
    """The document made anew from what is kept of it: the same bytes, for as long as the pictures
    of its case and the version of typst are the same. `notice.case` must be loaded."""
    kept = json.loads(access.text(notice, "content"))
    rows = {str(one.pk): one for one in notice.case.evidence.all()}
    pictures = {}
    for name, (evidence_id, field) in kept["pictures"].items():
        fitted = picture_fit(access.file(rows[evidence_id], field))
        if fitted is not None:
            pictures[name] = fitted.data
    return document_make(
        "notice", kept["data"], pictures, at=notice.issued_at, link=str(kept["link"])
    )


def _deadlines(terms: NoticeTerms) -> dict[str, str]:
    days = {
        "issued": terms.dates.issued_on,
        "delivered": terms.dates.delivered_on,
        "discount": terms.dates.discount_until if terms.discount_amount is not None else None,
        "due": terms.dates.due_on,
        "appeal": terms.dates.appeal_until,
    }
    return {name: day.isoformat() for name, day in days.items() if day is not None}


def _basis(case: Case, terms: NoticeTerms) -> _Basis:
    return _Basis(
        verdict_id=case.verdict_id,
        explanation=json.dumps(case.explanation, sort_keys=True),
        decided_at=case.decided_at,
        evidence=tuple(case.evidence.shown().order_by("pk").values_list("pk", "picture")),
        token=case.token_exact,
        terms=terms,
    )


def _compose(
    case: Case,
    terms: NoticeTerms,
    words: Language,
    address: Sequence[str],
    actor: Actor,
    secret: str,
    now: datetime,
) -> tuple[Document, dict[str, Any], str]:
    """The document, what to keep so that it can be made again, and the address of its page."""
    corrections = list(case.corrections.order_by("at", "pk"))
    shown = Opened(case, actor)
    sightings = [
        shown.sighting(one, corrections) for one in evidence_chosen(case, case.evidence.shown())
    ]
    rules = VerdictVersion.objects.filter(pk=case.verdict_id).values_list("rules", flat=True)
    link = f"{settings.PLATEWARDEN_URL}/notice/{case.number}/{secret}/" if secret else ""
    letter = Letter(
        plate=shown.text(case),
        address=tuple(address),
        rules=tuple(rules.first() or ()),
        issued_at=now,
        link=link,
    )
    data = notice_content(case, terms, letter, sightings, words)
    document = document_make("notice", data, pictures_of(sightings), at=now, link=link)
    names = {
        f"{letter_}{index}": [str(one.evidence.pk), field]
        for index, one in enumerate(sightings)
        for letter_, field, picture in (("p", "picture", one.picture), ("c", "crop", one.crop))
        if picture is not None
    }
    return document, {"data": data, "pictures": names}, link
