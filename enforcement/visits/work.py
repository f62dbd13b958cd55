"""Which visits of a car park must be judged: what changed, and what that touches."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from audit.access import Access
from cameras.models import Site
from enforcement.rights.matching import matches
from enforcement.rights.outcomes import Verdict, VisitStatus
from enforcement.rights.selectors import rule_rights
from enforcement.visits.excuses import rights_used_by
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.neighbours import Replay, stored_pairs, visit_ends
from enforcement.visits.pairing import Visit as Pair
from enforcement.visits.readings import Readings
from plates.models import Passage

_UNSURE = (Verdict.UNPAID, Verdict.OVERSTAY, Verdict.REVIEW, Verdict.EXCUSED, Verdict.PENDING)


@dataclass(slots=True)
class Work:
    """The visits to judge, by id, with what they are made of."""

    pairs: dict[uuid.UUID, Pair]
    rows: dict[uuid.UUID, Visit]
    passages: dict[uuid.UUID, Passage]


def work_of(
    site: Site, replay: Replay, claimed: set[uuid.UUID], readings: Readings, access: Access
) -> Work:
    """What must be judged: visits that changed or hold something claimed, and others that these
    leave a payment or a place to, or take it from."""
    ids = [
        pk for pk, row in replay.rows.items() if pk in replay.changed or visit_ends(row) & claimed
    ]
    work = Work(
        {pk: replay.pairs[pk] for pk in ids},
        {pk: replay.rows[pk] for pk in ids},
        dict(replay.passages),
    )
    changed = [*replay.before, *(replay.rows[pk] for pk in replay.changed)]
    tokens = {
        replay.passages[end].token_exact
        for visit in changed
        for end in visit_ends(visit)
        if end in replay.passages
    }
    used = rights_used_by(site, changed, tokens)
    if not used:
        return work
    unsure = VerdictVersion.objects.filter(
        site=site, current=True, visit_id__isnull=False, verdict__in=[v.value for v in _UNSURE]
    ).values("visit_id")
    touched = _during([span for _, span in used]) & Q(pk__in=unsure)
    if shared := [span for right, span in used if right.max_present is not None]:
        touched |= _during(shared)
    visits = Visit.objects.filter(
        touched, site=site, status=VisitStatus.COMPLETE, final_at__isnull=True
    ).exclude(pk__in=work.rows)
    rows = {visit.pk: visit for visit in visits}
    if not rows:
        return work
    pairs, passages = stored_pairs(rows.values(), readings)
    spans = {right.pk: span for right, span in used}
    rights = rule_rights([right for right, _ in used], access)
    for pk, one in pairs.items():
        says = [passage.reading for passage in one.passages]
        if any(
            _overlaps(rows[pk], spans[uuid.UUID(right.id)]) and matches(says, right, ())
            for right in rights
        ):
            work.pairs[pk], work.rows[pk] = one, rows[pk]
            work.passages.update({end: passages[end] for end in visit_ends(rows[pk])})
    return work


def _during(spans: Sequence[tuple[datetime, datetime]]) -> Q:
    """Visits between the first and the last moment of these spans: more than overlap one of them,
    and asked for with two comparisons."""
    start, end = min(start for start, _ in spans), max(end for _, end in spans)
    return Q(entered_at__lte=end, exited_at__gte=start)


def _overlaps(visit: Visit, span: tuple[datetime, datetime]) -> bool:
    start, end = span
    entered, left = visit.entered_at, visit.exited_at
    return entered is not None and left is not None and entered <= end and left >= start
