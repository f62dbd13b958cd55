"""What people decide about cases, and the one step that every change of state takes."""

import uuid
from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from audit import freetext
from audit.services import Actor, record
from cameras.access import person_actor
from core.errors import Conflict, NotFound
from core.models import User
from enforcement.cases import reasons
from enforcement.cases.history import event_add, pictures_let_go
from enforcement.cases.models import CLOSED_STATES, OPEN_STATES, Case, CaseEvent
from enforcement.cases.subjects import asks
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
        pictures_let_go(case)
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


def case_audit(case: Case, event: CaseEvent, actor: Actor) -> None:
    """The audit row of a step; the last thing of its transaction."""
    record(
        actor,
        "change",
        purpose="case-review",
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

    The caller has checked that `user` may act at the site. Conflict `case_decided` when somebody,
    or the judge, was quicker; Conflict `verdict_turned` when the verdict no longer asks for it.
    """
    return _decide(case_id, user, Case.State.CONFIRMED, reason, note, now, _confirmable)


def case_dismiss(
    *, case_id: uuid.UUID, user: User, reason: str, note: str = "", now: datetime
) -> Case:
    """A person dismisses: it is never proposed again. `reason` is of `reasons.DISMISS`.

    The caller has checked that `user` may act at the site. Conflict `case_decided` when it is
    closed already or a notice went out.
    """
    return _decide(case_id, user, Case.State.DISMISSED, reason, note, now, lambda case: None)


def _confirmable(case: Case) -> None:
    if case.state not in OPEN_STATES:
        raise decided(case)
    still_asked_for(case)


def still_asked_for(case: Case) -> None:
    """Conflict `verdict_turned` where no current verdict asks for the case any more."""
    verdicts = VerdictVersion.objects.filter(current=True).select_related("site")
    if case.visit_id is not None:
        verdicts = verdicts.filter(visit_id=case.visit_id)
    else:
        verdicts = verdicts.filter(passage_id__in=case.passage_ids)
    if not any(asks(verdict) for verdict in verdicts):
        raise Conflict(
            "verdict_turned", "The verdict has changed since; look at the case once more."
        )


def decided(case: Case) -> Conflict:
    """What to tell whoever comes too late."""
    return Conflict("case_decided", f"The case is {case.get_state_display()} already.")


def _decide(
    case_id: uuid.UUID,
    user: User,
    state: str,
    reason: str,
    note: str,
    now: datetime,
    check: Callable[[Case], None],
) -> Case:
    actor = person_actor(user)
    with transaction.atomic():
        case = case_held(case_id)
        check(case)
        case.decided_at, case.decided_by = now, user
        case.decision_reason, case.decision_note = reason, note_clean(case, note)
        event = case_step(case, state, actor=actor, reason=reason, note=note, now=now)
        case_audit(case, event, actor)
    return case
