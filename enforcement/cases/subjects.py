"""What a case is about: one visit, one passage, or one vehicle's day in a charging zone."""

import uuid
from dataclasses import dataclass

from cameras.models import Site
from enforcement.cases.models import Case
from enforcement.rights.facts import RuleError
from enforcement.rights.outcomes import Judgement, Reason, Verdict, case_state
from enforcement.rights.selectors import rules_at, window_of
from enforcement.visits.models import VerdictVersion, Visit
from plates.models import Passage


@dataclass(frozen=True, slots=True)
class CaseSubject:
    """`key` is equal for verdicts that share at most one case; `passages` are what it was seen by,
    the entry first; empty when they are forgotten."""

    key: str
    passages: tuple[Passage, ...]


def asks(verdict: VerdictVersion) -> bool:
    """Whether a verdict asks for a case: it is not provisional, and says unpaid or overstay (at a
    site that isn't suspended) or review."""
    if verdict.provisional:
        return False
    reason = Reason(verdict.reason) if verdict.reason else None
    return case_state(Judgement(Verdict(verdict.verdict), reason)) is not None


def says_the_same(case: Case, verdict: VerdictVersion) -> bool:
    """Whether a case still says what a verdict that asks for it says now: as grave, as long, of the
    same entry and exit. An unpaid hour of which half was paid after all is another accusation."""
    if (verdict.verdict, verdict.overstay_minutes) != (case.verdict, case.overstay_minutes):
        return False
    visit = Visit.objects.filter(pk=verdict.visit_id).first() if verdict.visit_id else None
    ends = (visit.entry_passage_id, visit.exit_passage_id) if visit is not None else ()
    return all(str(end) in case.passage_ids for end in ends if end is not None)


def subject_of(verdict: VerdictVersion) -> CaseSubject:
    """The subject of a verdict. `verdict.site` must be loaded."""
    if verdict.visit_id is not None:
        visit = Visit.objects.filter(pk=verdict.visit_id).first()
        ends = (visit.entry_passage_id, visit.exit_passage_id) if visit is not None else ()
        return CaseSubject(f"visit:{verdict.visit_id}", _passages(*ends))
    passages = _passages(verdict.passage_id)
    if verdict.site.kind == Site.Kind.ZONE and passages:
        return CaseSubject(_day_key(verdict, passages[0]), passages)
    return CaseSubject(f"passage:{verdict.passage_id}", passages)


def _passages(*ids: uuid.UUID | None) -> tuple[Passage, ...]:
    found = Passage.objects.in_bulk([one for one in ids if one is not None])
    return tuple(found[one] for one in ids if one is not None and one in found)


def _day_key(verdict: VerdictVersion, passage: Passage) -> str:
    """One case a charged local day and vehicle. Vehicle means its OCR class: one plate read two
    ways must not be charged twice."""
    try:
        day = window_of(rules_at(verdict.site, verdict.seen_at)).charged_day(verdict.seen_at)
    except RuleError:
        day = None
    if day is None:
        return f"passage:{passage.pk}"
    return f"zone:{verdict.site_id.hex}:{day:%Y%m%d}:{passage.token_class.hex}"
