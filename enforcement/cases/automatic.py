"""Stage `act`, where a site says so explicitly: candidates are confirmed without anybody looking.

Off unless a site's policy turns it on; a case that needs a human look is never touched, and the
database refuses it at any other site (migration 0004).
"""

import uuid
from datetime import datetime

from django.db import transaction

from audit.services import stage_actor
from cameras.models import Site
from core.errors import Conflict
from enforcement.cases.decisions import case_audit, case_held, case_step, still_asked_for
from enforcement.cases.models import AUTO_CONFIRM, Case
from enforcement.cases.policies import CasePolicy, policy_at


def cases_confirm_alone(*, now: datetime, limit: int) -> int:
    """Confirm candidates of sites whose policy in force asks for no person; how many."""
    asking = CasePolicy.objects.filter(auto_confirm=True, effective_from__lte=now)
    sites = Site.objects.filter(pk__in=asking.values("site_id"))
    done = 0
    for site in sites:
        policy = policy_at(site, now)
        if policy is None or not policy.auto_confirm:
            continue
        waiting = Case.objects.filter(site=site, state=Case.State.CANDIDATE).order_by("opened_at")
        for case_id in list(waiting.values_list("pk", flat=True)[: limit - done]):
            done += _confirm(case_id, now)
    return done


def _confirm(case_id: uuid.UUID, now: datetime) -> int:
    actor = stage_actor("act")
    with transaction.atomic():
        case = case_held(case_id)
        if case.state != Case.State.CANDIDATE:
            return 0  # somebody was quicker
        try:
            still_asked_for(case)
        except Conflict:
            return 0  # the judge is about to close it
        case.decided_at, case.decided_by = now, None
        case.decision_reason, case.decision_note = AUTO_CONFIRM, ""
        event = case_step(case, "confirmed", actor=actor, reason=AUTO_CONFIRM, now=now)
        case_audit(case, event, actor, purpose="pipeline")
    return 1
