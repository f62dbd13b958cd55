"""A case's history, and what its end lets go of: shared by the stage and by people's decisions."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from cameras.wanted import pictures_withdraw
from core.live import announce
from enforcement.cases.chain import Entry, chain_extend
from enforcement.cases.models import CLOSED_STATES, Case, CaseEvent, Evidence
from enforcement.cases.reasons import VOUCH_LAPSED
from enforcement.cases.records import event_entry
from enforcement.rights.lookups import lookups_end

JUDGE = "judge"


def event_add(
    case: Case,
    before: str,
    actor: str,
    reason: str,
    note: str,
    now: datetime,
    *,
    entries: Sequence[Entry] = (),
) -> CaseEvent:
    """Write what happened to a case into its history and its site's chain, and tell who watches.

    `entries` are what else of this step the chain attests. The database lets no change of state
    commit without its line here (migration 0004).
    """
    event = CaseEvent.objects.create(
        case=case,
        at=now,
        from_state=before,
        to_state=case.state,
        actor=actor,
        reason=reason,
        note=note,
    )
    chain_extend(case.site_id, [*entries, event_entry(case, event)], now=now)
    announce("case", case)
    return event


def vouch_lapse(case: Case, now: datetime) -> None:
    """What the first of two people confirmed is no longer what the case says. The caller saves."""
    if case.vouched_at is not None:
        case.vouched_at = case.vouched_by = None
        event_add(case, case.state, JUDGE, VOUCH_LAPSED, "", now)


def let_go(case: Case) -> None:
    """What was decided needs no provider's answer any more, and no further picture, unless another
    case does."""
    lookups_end(case.subject_key)
    mine = case.evidence.values_list("capture_id", "token_exact")
    wanted = {capture_id for capture_id, _ in mine}
    others = Evidence.objects.filter(token_exact__in={token for _, token in mine}).exclude(
        Q(case=case) | Q(case__state__in=CLOSED_STATES)
    )
    pictures_withdraw(list(wanted - set(others.values_list("capture_id", flat=True))))
