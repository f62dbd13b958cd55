"""Stage `act`: verdicts that ask for a case get one, and cases whose verdict turned are closed.
What people decide about cases: `enforcement.cases.decisions`.

The judge leaves a mark (`VerdictVersion.act_due`) wherever a case may have to be opened or closed;
the mark is cleared in the transaction that did it, so a lost doorbell or a killed worker loses
nothing and nothing happens twice.
"""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, connection

from audit.access import Access, stage_batch
from core.live import announce
from enforcement.cases.chain import chain_extend
from enforcement.cases.charges import unpaid_charge
from enforcement.cases.evidence import evidence_copy, evidence_set_aside
from enforcement.cases.history import JUDGE, event_add, let_go, vouch_lapse
from enforcement.cases.models import CLOSED_STATES, OPEN_STATES, Case
from enforcement.cases.policies import policy_at
from enforcement.cases.reasons import ASKED_AGAIN, VERDICT_CHANGED, VISIT_CHANGED
from enforcement.cases.records import verdict_entry
from enforcement.cases.subjects import CaseSubject, asks, says_the_same, subject_of
from enforcement.rights.explain import of_rule
from enforcement.rights.lookups import (
    Standing,
    lookups_before,
    lookups_end,
    lookups_held,
    lookups_standing,
)
from enforcement.rights.outcomes import Verdict
from enforcement.visits.models import VerdictVersion
from enforcement.visits.services import verdict_renew
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

MOST_ACTED = 50

log = structlog.get_logger(__name__)


def cases_act(*, now: datetime, limit: int = MOST_ACTED) -> int:
    """Open, change and close cases as the judge's verdicts ask; how many verdicts were seen to.

    One that fails is logged, keeps its mark and holds up no other.
    """
    due = VerdictVersion.objects.filter(act_due=True).order_by("decided_at", "pk")
    held = lookups_held(now)
    if held:
        due = due.exclude(pk__in=held)
    done = 0
    for verdict_id in list(due.values_list("pk", flat=True)[:1000]):
        try:
            done += _act_on(verdict_id, now)
        except (DatabaseError, SoftTimeLimitExceeded):
            raise
        except Exception:
            log.exception("case_act_failed", verdict=str(verdict_id))
        if done >= limit:
            break
    return done


def _act_on(verdict_id: uuid.UUID, now: datetime) -> int:
    with stage_batch("act") as access:
        # the last look: from here on no judge can change the subject before this commits
        current = verdict_renew(verdict_id=verdict_id, access=access, now=now)
        verdict = VerdictVersion.objects.select_related("site").get(pk=verdict_id)
        if current is None and verdict.current:
            # what it speaks of was forgotten: there is nothing a case could show
            VerdictVersion.objects.filter(pk=verdict_id).update(act_due=False)
            return 1
        if not verdict.act_due and (current is None or not current.act_due):
            return 0  # another worker saw to it while we waited for the subject
        subject = subject_of(current or verdict)
        _lock(subject.key)
        live = (
            Case.objects.select_for_update()
            .exclude(state__in=CLOSED_STATES)
            .filter(subject_key=subject.key)
            .first()
        )
        if current is not None and asks(current):
            if live is not None:
                _update(live, current, subject, access, now)
            elif not _decided_before(subject):
                standing = lookups_before(
                    site=current.site,
                    subject_key=subject.key,
                    verdict_id=current.pk,
                    passages=subject.passages,
                    seen_at=current.seen_at,
                    now=now,
                )
                if standing.waiting:
                    return 1  # the mark stays until they have answered, or the wait is over
                _open(current, subject, access, now, standing)
        else:
            lookups_end(subject.key)
            case = live or _paid(subject)
            if case is not None and (current is None or not current.provisional):
                _turned(case, current, now)
        seen_to = [verdict_id] if current is None else [verdict_id, current.pk]
        VerdictVersion.objects.filter(pk__in=seen_to).update(act_due=False)
    return 1


def _lock(key: str) -> None:
    """Hold a subject until commit: the passages of a zone's day meet only here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 3))", [key])


def _decided_before(subject: CaseSubject) -> bool:
    """A person has dismissed it, or it went its way to the end: it is not raised again."""
    return (
        Case.objects.filter(subject_key=subject.key, state__in=CLOSED_STATES)
        .exclude(state=Case.State.CLOSED)
        .exists()
    )


def _paid(subject: CaseSubject) -> Case | None:
    """The case of a notice that was paid: if it should never have gone out, the money goes back."""
    paid = Case.objects.select_for_update().filter(subject_key=subject.key, state=Case.State.PAID)
    return paid.order_by("-closed_at").first()


def _state_for(verdict: VerdictVersion, standing: Standing) -> str:
    """Nobody is a candidate of whom a provider might know that he paid."""
    review = verdict.verdict == Verdict.REVIEW or standing.unheard > 0
    return Case.State.REVIEW if review else Case.State.CANDIDATE


def _explained(verdict: VerdictVersion, standing: Standing) -> list[dict[str, Any]]:
    """The verdict's explanation, and what came of asking the providers."""
    lines = list(verdict.explanation)
    if standing.answered:
        lines.append(asdict(of_rule("history", "providers-asked", count=standing.answered)))
    if standing.unheard:
        lines.append(asdict(of_rule("doubt", "providers-unheard", count=standing.unheard)))
    return lines


def _number(now: datetime) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('cases_number_seq')")
        return f"{now.year}-{cursor.fetchone()[0]:06d}"


def _open(
    verdict: VerdictVersion,
    subject: CaseSubject,
    access: Access,
    now: datetime,
    standing: Standing,
) -> None:
    case = Case(
        number=_number(now),
        site=verdict.site,
        subject_key=subject.key,
        passage_ids=[str(passage.pk) for passage in subject.passages],
        visit_id=verdict.visit_id,
        state=_state_for(verdict, standing),
        verdict=verdict.verdict,
        reason=verdict.reason or "",
        verdict_id=verdict.pk,
        overstay_minutes=verdict.overstay_minutes,
        explanation=_explained(verdict, standing),
        seen_from=min(passage.first_at for passage in subject.passages),
        seen_to=max(passage.first_at for passage in subject.passages),
        opened_at=now,
    )
    policy = policy_at(verdict.site, case.seen_to)
    case.last_issue_day = policy.last_issue_day(case.seen_to) if policy is not None else None
    case.tariff_amount = unpaid_charge(verdict, subject, policy)
    assign_key(case, scope=str(verdict.site_id), data_class=DataClass.CASE, now=now)
    _name(case, subject, access)
    case.save(force_insert=True)
    entries = evidence_copy(case, subject.passages, access=access, now=now)
    entries.append(verdict_entry(case, verdict))
    event_add(case, "", JUDGE, case.reason, "", now, entries=entries)


def _name(case: Case, subject: CaseSubject, access: Access) -> None:
    """Say of whom the case is: the first passage's vehicle, as surely as its least sure passage."""
    first = subject.passages[0]
    case.token_exact, case.country = first.token_exact, first.country
    case.confidence = min(passage.confidence for passage in subject.passages)
    seal_text(case, {"text": access.text(first)})


def _update(
    case: Case, verdict: VerdictVersion, subject: CaseSubject, access: Access, now: datetime
) -> None:
    """While nobody has decided, a case says what its verdict says now. A further read of a zone's
    day joins the day's case, and speaks for it only where it is the surer one."""
    if case.state not in OPEN_STATES:
        if not says_the_same(case, verdict) and not _another_says(case):
            if case.withdrawal_reason != VERDICT_CHANGED:
                _ask_withdrawal(case, VERDICT_CHANGED, now)
        elif case.withdrawal_asked_at is not None:
            case.withdrawal_asked_at, case.withdrawal_reason = None, ""
            case.save(update_fields=["withdrawal_asked_at", "withdrawal_reason"])
            event_add(case, case.state, JUDGE, ASKED_AGAIN, "", now)
        return
    new = [one for one in subject.passages if str(one.pk) not in case.passage_ids]
    own = [str(one.pk) for one in subject.passages]
    # a late read may have given a visit another exit; the passages of a zone's day only add up
    is_visit = verdict.visit_id is not None
    passage_ids = own if is_visit else [*case.passage_ids, *(str(one.pk) for one in new)]
    if case.verdict_id == verdict.pk and passage_ids == case.passage_ids:
        return
    before = case.state
    standing = lookups_standing(subject.key)
    state = _state_for(verdict, standing)
    corrected = case.corrections.exists()
    if corrected:  # a person says that the judge read another plate
        state = Case.State.REVIEW
    graver = before == Case.State.REVIEW and state == Case.State.CANDIDATE
    replaced = not VerdictVersion.objects.filter(pk=case.verdict_id, current=True).exists()
    speaks = graver or replaced
    if speaks:
        case.state = state
        case.verdict, case.reason = verdict.verdict, verdict.reason or ""
        case.overstay_minutes = verdict.overstay_minutes
        case.explanation = _explained(verdict, standing)
        case.verdict_id = verdict.pk
        case.tariff_amount = unpaid_charge(verdict, subject, policy_at(case.site, case.seen_to))
        vouch_lapse(case, now)
    case.passage_ids = passage_ids
    seen = [one.first_at for one in subject.passages]
    known = [] if is_visit else [case.seen_from, case.seen_to]
    case.seen_from, case.seen_to = min([*known, *seen]), max([*known, *seen])
    if is_visit and not corrected:
        _name(case, subject, access)
    case.save()
    entries = evidence_copy(case, new, access=access, now=now)
    if is_visit:
        evidence_set_aside(case, subject.passages, now=now)
    if speaks:
        entries.append(verdict_entry(case, verdict))
    if case.state != before:
        event_add(case, before, JUDGE, case.reason, "", now, entries=entries)
    else:
        chain_extend(case.site_id, entries, now=now)
        announce("case", case)


def _another_says(case: Case) -> bool:
    """Whether the verdict on another read of a zone's day still says what the case says."""
    others = VerdictVersion.objects.filter(
        passage_id__in=case.passage_ids, current=True
    ).select_related("site")
    return any(asks(other) and says_the_same(case, other) for other in others)


def _ask_withdrawal(case: Case, reason: str, now: datetime) -> None:
    """A person has spoken: another takes the case back, or a notice that is out."""
    case.withdrawal_asked_at, case.withdrawal_reason = now, reason
    case.save(update_fields=["withdrawal_asked_at", "withdrawal_reason"])
    event_add(case, case.state, JUDGE, reason, "", now)


def _turned(case: Case, current: VerdictVersion | None, now: datetime) -> None:
    """The verdict asks for no case any more: close it, or ask for its withdrawal."""
    others = VerdictVersion.objects.filter(
        passage_id__in=case.passage_ids, current=True
    ).select_related("site")
    if any(asks(other) for other in others):
        return
    reason = (current.reason or current.verdict) if current is not None else VISIT_CHANGED
    before = case.state
    if before in OPEN_STATES:
        case.state = Case.State.CLOSED
        case.closed_at = now
        case.decision_reason = reason
        case.save(update_fields=["state", "closed_at", "decision_reason"])
        let_go(case)
        event_add(case, before, JUDGE, reason, "", now)
    elif case.withdrawal_reason != reason:
        _ask_withdrawal(case, reason, now)
