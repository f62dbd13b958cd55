"""What people decide about cases, and the one step that every change of state takes."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from audit import freetext
from audit.services import Actor, record
from cameras.access import person_actor
from cameras.models import Site
from core.errors import BadInput, Conflict, NotFound, ProductError
from core.models import User
from enforcement.cases import reasons
from enforcement.cases.corrections import right_of_correction
from enforcement.cases.history import event_add, let_go
from enforcement.cases.models import CLOSED_STATES, OPEN_STATES, Case, CaseEvent
from enforcement.cases.policies import policy_at
from enforcement.cases.subjects import asks, says_the_same
from enforcement.visits.models import VerdictVersion

_MOST_NOTE = 500


def case_held(case_id: uuid.UUID) -> Case:
    """The case, held until the caller's transaction commits; NotFound where there is none."""
    case = (
        Case.objects.select_for_update(of=("self",))
        .select_related("site")
        .filter(pk=case_id)
        .first()
    )
    if case is None:
        raise NotFound("not_found", "There is no such case here.")
    return case


def case_step(
    case: Case, to: str, *, actor: Actor, reason: str, now: datetime, note: str = ""
) -> CaseEvent:
    """Take a held case (`case_held`) one step, with its line of history; in the caller's
    transaction, which ends with `case_audit`.

    `reason` is of the list of that step (`reasons.FOR_STEP`). Conflict `case_state` where this step
    does not follow from where the case is; BadInput for a reason not of the list, or a note that
    names a plate of the case.
    """
    reasons.checked(reasons.FOR_STEP[to], reason)
    if to not in STEPS.get(case.state, ()):
        raise decided(case)
    note = note_clean(case, note)
    before, case.state = case.state, to
    if to in CLOSED_STATES and before not in CLOSED_STATES:
        case.closed_at = now
        let_go(case)
    case.taken_by = case.taken_until = None
    case.save()
    return event_add(case, before, actor.name, reason, note, now)


STEPS: dict[str, tuple[str, ...]] = {
    "candidate": ("confirmed", "dismissed"),
    "review": ("confirmed", "dismissed"),
    "confirmed": ("notice-issued", "dismissed"),
    "notice-issued": ("paid", "appealed", "cancelled", "written-off"),
    "appealed": ("upheld", "cancelled", "paid", "written-off"),
    "upheld": ("paid", "cancelled", "written-off"),
    "paid": ("cancelled",),
}
"""What may follow what by a person's hand (domain-rules §6); the database holds the same."""


def note_clean(case: Case, note: str, *, field: str = "note", most: int = _MOST_NOTE) -> str:
    """`note`, if it may be stored in the clear: BadInput where it names a plate of the case."""
    tokens = {case.token_exact, *case.evidence.values_list("token_exact", flat=True)}
    return freetext.clean(note, field=field, most=most, tokens=tokens)


def case_audit(case: Case, event: CaseEvent, actor: Actor, *, purpose: str = "case-review") -> None:
    """The audit row of a step; the last thing of its transaction."""
    record(
        actor,
        "change",
        purpose=purpose,
        case_ref=case.number,
        subject=Case._meta.label_lower,
        subject_id=case.pk,
        tokens=[case.token_exact],
        detail={"from": event.from_state, "to": event.to_state, "reason": event.reason},
    )


def case_confirm(
    *, case_id: uuid.UUID, user: User, reason: str, note: str = "", now: datetime
) -> Case:
    """A person confirms: a notice may go out. `reason` is of `reasons.CONFIRM`.

    Where the site asks for two people, the first one's word is kept (`vouched_by`) and the case
    stays open for the second. The caller has checked that `user` may act at the site. Conflict
    `case_decided` when somebody, or the judge, was quicker; `verdict_turned` when the verdict no
    longer asks for it; `second_person` when the same person confirms twice.
    """
    reasons.checked(reasons.CONFIRM, reason)
    actor = person_actor(user)
    with transaction.atomic():
        case = case_held(case_id)
        if case.state not in OPEN_STATES:
            raise decided(case)
        still_asked_for(case)
        policy = policy_at(case.site, now)
        if policy is not None and policy.four_eyes:
            if case.vouched_by_id == user.pk:
                raise Conflict(
                    "second_person", "You have confirmed it; a second person must do so too."
                )
            if case.vouched_by_id is None:
                return _vouch(case, user, actor, reason, note, now)
        return _decide(case, Case.State.CONFIRMED, user, actor, reason, note, now)


def case_dismiss(
    *, case_id: uuid.UUID, user: User, reason: str, note: str = "", now: datetime
) -> Case:
    """A person dismisses: it is never proposed again. `reason` is of `reasons.DISMISS`.

    The caller has checked that `user` may act at the site. Conflict `case_decided` when it is
    closed already or a notice went out.
    """
    with transaction.atomic():
        case = case_held(case_id)
        return _decide(case, Case.State.DISMISSED, user, person_actor(user), reason, note, now)


def _vouch(case: Case, user: User, actor: Actor, reason: str, note: str, now: datetime) -> Case:
    note = note_clean(case, note)
    case.vouched_at, case.vouched_by = now, user
    case.taken_by = case.taken_until = None
    case.save()
    event = event_add(case, case.state, actor.name, reason, note, now)
    case_audit(case, event, actor)
    return case


def _decide(
    case: Case, to: str, user: User, actor: Actor, reason: str, note: str, now: datetime
) -> Case:
    case.decided_at, case.decided_by = now, user
    case.decision_reason, case.decision_note = reason, note.strip()
    event = case_step(case, to, actor=actor, reason=reason, note=note, now=now)
    case_audit(case, event, actor)
    return case


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one case of many: `error` tells why it was not decided."""

    case_id: uuid.UUID
    number: str
    error: ProductError | None = None


MOST_TOGETHER = 50


def cases_decide(
    case_ids: Sequence[uuid.UUID],
    *,
    sites: "QuerySet[Site]",
    confirm: bool,
    user: User,
    reason: str,
    note: str = "",
    now: datetime,
) -> list[Decided]:
    """Decide many cases of `sites` for one reason, each for itself: one that somebody else, or the
    judge, has decided meanwhile is told and hinders no other.

    BadInput `too_many` over `MOST_TOGETHER`, and for a reason that is not of the list.
    """
    if len(case_ids) > MOST_TOGETHER:
        raise BadInput("too_many", f"At most {MOST_TOGETHER} cases are decided together.")
    reasons.checked(reasons.CONFIRM if confirm else reasons.DISMISS, reason)
    numbers = dict(Case.objects.filter(pk__in=case_ids, site__in=sites).values_list("pk", "number"))
    decide = case_confirm if confirm else case_dismiss
    results = []
    for case_id in dict.fromkeys(case_ids):
        error: ProductError | None = None
        try:
            if case_id not in numbers:
                raise NotFound("not_found", "There is no such case here.")
            decide(case_id=case_id, user=user, reason=reason, note=note, now=now)
        except ProductError as why:
            error = why
        results.append(Decided(case_id, numbers.get(case_id, ""), error))
    return results


def case_take(case: Case, user: User, *, until: datetime) -> None:
    """Tell the others that `user` looks at an open case just now; they still may."""
    Case.objects.filter(pk=case.pk, state__in=OPEN_STATES).update(taken_by=user, taken_until=until)


def still_asked_for(case: Case) -> None:
    """Conflict `verdict_turned` where no current verdict asks for the case as it stands;
    `right_found` where it was found for another text than a person says it was, and that one has a
    right."""
    verdicts = VerdictVersion.objects.filter(current=True).select_related("site")
    if case.visit_id is not None:
        verdicts = verdicts.filter(visit_id=case.visit_id)
    else:
        verdicts = verdicts.filter(passage_id__in=case.passage_ids)
    if not any(asks(verdict) and says_the_same(case, verdict) for verdict in verdicts):
        raise Conflict(
            "verdict_turned", "The verdict has changed since; look at the case once more."
        )
    if right_of_correction(case):
        raise Conflict(
            "right_found", "A right of the corrected plate is known: look whether it covers this."
        )


def decided(case: Case) -> Conflict:
    """What to tell whoever comes too late."""
    return Conflict("case_decided", f"The case is {case.get_state_display()} already.")
