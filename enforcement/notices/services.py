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
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from audit.access import Access, reveal_file, reveal_text
from audit.services import Actor
from cameras.access import person_actor
from core.errors import BadInput, Conflict, NotFound
from core.models import User
from core.stages import ring
from enforcement.cases.chain import chain_append
from enforcement.cases.deadlines import Channel
from enforcement.cases.decisions import case_audit, case_held
from enforcement.cases.issuing import NoticeTerms, case_issue, notice_terms
from enforcement.cases.models import Case, ChainEntry, Correction, Evidence
from enforcement.notices.content import (
    Letter,
    Sighting,
    evidence_chosen,
    notice_content,
    pictures_of,
)
from enforcement.notices.document import (
    TEMPLATE_VERSION,
    Document,
    Picture,
    document_make,
    picture_fit,
)
from enforcement.notices.languages import Language, language
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.visits.models import VerdictVersion
from vault.keys import KeyDestroyed
from vault.models import DataClass, SealedRow
from vault.sealing import SealBroken, assign_key, seal_file, seal_text

PURPOSE = "case-review"
_SECRET_BYTES = 16
_MOST_LINES = 8
_LONGEST_LINE = 80
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
    correction_id: uuid.UUID | None
    terms: NoticeTerms


def notice_preview(
    *, case: Case, user: User, language_code: str, channel: str, now: datetime
) -> bytes:
    """The PDF that would go out if it were issued now, marked as a draft and with nobody's address.

    The caller has checked that `user` may see the case. Each plate and picture opened leaves its
    audit row. Conflict `policy_missing` or `notice_late`; NotFound `forgotten`.
    """
    terms = notice_terms(case, channel=_channel(channel), now=now)
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
    actor, words, by = person_actor(user), language(language_code), _channel(channel)
    to = address_checked(by, address)
    lines = _lines(addressee or address) if by is Channel.EMAIL else tuple(to.splitlines())
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


def delivery_queue(notice: Notice, channel: str, to: str, *, now: datetime) -> NoticeDelivery:
    """Put a notice into the outbox; `to` is of `address_checked`. In the caller's transaction."""
    delivery = NoticeDelivery(notice=notice, channel=channel, queued_at=now, next_at=now)
    host = urlsplit(settings.PLATEWARDEN_URL).hostname or "localhost"
    delivery.message_id = f"<{delivery.pk.hex}.notice@{host}>"
    assign_key(delivery, scope=str(notice.site_id), data_class=DataClass.CASE, now=now)
    seal_text(delivery, {"address": to})
    delivery.save(force_insert=True)
    return delivery


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


def address_checked(channel: str, address: str) -> str:
    """An address a notice can go to; BadInput `address_wrong` otherwise."""
    if channel == Channel.EMAIL:
        try:
            validate_email(address.strip())
        except ValidationError as error:
            raise BadInput(
                "address_wrong", "This is no e-mail address.", field="address"
            ) from error
        return address.strip()
    lines = _lines(address)
    if len(lines) < 2:
        raise BadInput(
            "address_wrong", "Write the name and the postal address, line by line.", field="address"
        )
    return "\n".join(lines)


def _lines(text: str) -> tuple[str, ...]:
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(lines) > _MOST_LINES or any(
        len(line) > _LONGEST_LINE or not line.isprintable() for line in lines
    ):
        raise BadInput(
            "address_wrong",
            f"An address has at most {_MOST_LINES} lines of {_LONGEST_LINE} characters.",
            field="address",
        )
    return lines


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError as error:
        raise BadInput(
            "channel_unknown", "Choose how the notice goes out.", field="channel"
        ) from error


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
    correction = case.corrections.order_by("at", "pk").last()
    return _Basis(
        verdict_id=case.verdict_id,
        explanation=json.dumps(case.explanation, sort_keys=True),
        decided_at=case.decided_at,
        evidence=tuple(case.evidence.order_by("pk").values_list("pk", "picture")),
        correction_id=correction.pk if correction is not None else None,
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
    shown = _Opened(case, actor)
    sightings = [
        shown.sighting(one, corrections) for one in evidence_chosen(case, case.evidence.all())
    ]
    rules = VerdictVersion.objects.filter(pk=case.verdict_id).values_list("rules", flat=True)
    link = f"{settings.PLATEWARDEN_URL}/notice/{case.number}/{secret}/" if secret else ""
    letter = Letter(
        plate=shown.text(corrections[-1] if corrections else case),
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


@dataclass(frozen=True, slots=True)
class _Opened:
    """Opens what a document shows, each with its audit row."""

    case: Case
    actor: Actor

    def text(self, row: SealedRow) -> str:
        """The plate in a row; NotFound `forgotten` when it is gone."""
        try:
            return reveal_text(
                row, "text", actor=self.actor, purpose=PURPOSE, case_ref=self.case.number
            )
        except (KeyDestroyed, SealBroken) as error:
            raise NotFound("forgotten", "This plate is no longer kept.") from error

    def sighting(self, evidence: Evidence, corrections: Sequence[Correction]) -> Sighting:
        """A read with its pictures, those that are still there."""
        return Sighting(
            evidence,
            self._picture(evidence, "picture"),
            self._picture(evidence, "crop"),
            corrected=any(one.evidence_id == evidence.pk for one in corrections),
        )

    def _picture(self, evidence: Evidence, field: str) -> Picture | None:
        if not getattr(evidence, field):
            return None
        try:
            data = reveal_file(
                evidence, field, actor=self.actor, purpose=PURPOSE, case_ref=self.case.number
            )
        except (FileNotFoundError, KeyDestroyed, SealBroken):
            return None
        return picture_fit(data)
