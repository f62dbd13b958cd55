"""Correcting a read of a case: a new record beside the read, which stays as it was read.

The verdict was found for the text that was read, so a corrected case is nobody's candidate: a
person looks at it, and can't confirm it while a right of the corrected plate is known
(`right_of_correction`).
"""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from audit import freetext
from audit.services import record
from cameras.access import person_actor
from core.errors import BadInput, Conflict, NotFound
from core.models import User
from enforcement.cases import reasons
from enforcement.cases.history import event_add, vouch_lapse
from enforcement.cases.models import OPEN_STATES, Case, Correction, Evidence
from enforcement.cases.records import correction_entry, salt_new
from enforcement.rights.intake import country_of, plate_of
from enforcement.rights.models import Right
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

_MOST_NOTE = 500


def evidence_correct(
    *,
    evidence_id: uuid.UUID,
    user: User,
    plate: str,
    country: str = "",
    reason: str,
    note: str = "",
    now: datetime,
) -> Correction:
    """Say what a read of an undecided case really was. `country` is two letters, "" for as read;
    `reason` is of `reasons.CORRECT`. The caller has checked that `user` may act at the site.

    Where the case went by that read, it goes by the corrected text from here on. BadInput for what
    is no plate, country or reason, `not_changed` where it is what stands there already; Conflict
    `case_decided`.
    """
    text, country = plate_of(plate), country_of(country)
    reasons.checked(reasons.CORRECT, reason)
    actor = person_actor(user)
    with transaction.atomic():
        case, evidence = _held(evidence_id)
        stood = _stands(evidence)
        same = stood in blind.exact_lookup(text)
        if same and country in ("", case.country):
            raise BadInput("not_changed", "This is what stands there already.", field="plate")
        tokens = {case.token_exact, evidence.token_exact, stood, blind.exact(text)}
        correction = Correction(
            case=case,
            evidence=evidence,
            token_exact=blind.exact(text),
            country=country,
            reason=reason,
            note=freetext.clean(note, field="note", most=_MOST_NOTE, tokens=tokens),
            at=now,
            user=user,
        )
        salt = salt_new()
        assign_key(correction, scope=str(case.site_id), data_class=DataClass.CASE, now=now)
        seal_text(correction, {"text": text, "salt": salt})
        correction.save(force_insert=True)
        before = case.state
        if stood == case.token_exact:
            case.state = Case.State.REVIEW
            case.token_exact = correction.token_exact
            case.country = country or case.country
            seal_text(case, {"text": text})
        vouch_lapse(case, now)
        case.save()
        entry = correction_entry(case, correction, text=text, salt=salt)
        event_add(case, before, actor.name, reason, correction.note, now, entries=[entry])
        record(
            actor,
            "change",
            purpose="case-review",
            case_ref=case.number,
            subject=Correction._meta.label_lower,
            subject_id=correction.pk,
            tokens=[stood, correction.token_exact],
            detail={"what": "corrected", "reason": reason},
        )
    return correction


def _held(evidence_id: uuid.UUID) -> tuple[Case, Evidence]:
    case = (
        Case.objects.select_for_update(of=("self",))
        .select_related("site")
        .filter(evidence=evidence_id)
        .first()
    )
    evidence = Evidence.objects.filter(pk=evidence_id).first()
    if evidence is None or case is None:
        raise NotFound("not_found", "There is no such read here.")
    if case.state not in OPEN_STATES:
        raise Conflict("case_decided", f"The case is {case.get_state_display()} already.")
    return case, evidence


def _stands(evidence: Evidence) -> uuid.UUID:
    """The token of what the read counts as now."""
    last = evidence.corrections.order_by("at", "pk").last()
    token: uuid.UUID = (last or evidence).token_exact
    return token


def right_of_correction(case: Case) -> bool:
    """Whether a right is known that names a corrected plate of the case exactly, and touches what
    it speaks of. Wide on purpose: whatever may excuse is looked at by a person first."""
    tokens = list(case.corrections.values_list("token_exact", flat=True))
    if not tokens:
        return False
    return (
        Right.objects.filter(plates__token_exact__in=tokens, current=True)
        .filter(Q(site=case.site_id) | Q(site__isnull=True))
        .filter(Q(starts_at__isnull=True) | Q(starts_at__lte=case.seen_to))
        .filter(Q(ends_at__isnull=True) | Q(ends_at__gte=case.seen_from))
        .filter(Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gte=case.seen_from))
        .exists()
    )
