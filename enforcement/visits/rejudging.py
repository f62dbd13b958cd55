"""What makes an old verdict worth another look, and nothing else does.

A right came, changed or went; a deadline passed or a stay outlasted the maximum; every camera has
now reported past what was waited for. Each cause marks the passages once (`revision` moves on) and
the judge clears it (`due_at`, `awaits_through`), so nothing is judged for ever.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F, Q

from audit.access import Access, stage_batch
from cameras.models import Site
from core.stages import ring
from enforcement.rights.facts import BEGINNING, END
from enforcement.rights.matching import matches
from enforcement.rights.models import Provider, Right, RightPlate, RightTouch
from enforcement.rights.outcomes import Verdict, VisitStatus
from enforcement.rights.selectors import SESSIONS, provider_sites, rule_rights
from enforcement.visits.circumstances import HEARD
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.neighbours import stored_pairs, visit_ends
from enforcement.visits.readings import Readings
from plates.models import Passage

_MOST_TOUCHES = 200

_SITE_KIND = {
    Right.Kind.VIGNETTE: (Site.Kind.VIGNETTE,),
    Right.Kind.ZONE_PAYMENT: (Site.Kind.ZONE,),
    **dict.fromkeys(SESSIONS, (Site.Kind.PARKING,)),
}

# A passage already waiting is left alone: it will be judged by what is known then anyway.
_MARK_DUE = f"""
WITH heard AS (
    SELECT site_id, min(coalesce(through, '-infinity')) AS through
    FROM ({HEARD}) cameras GROUP BY site_id
), due AS (
    SELECT passage_id, visit_id FROM visits_verdictversion
    WHERE current AND due_at IS NOT NULL AND due_at <= %s
    UNION ALL
    SELECT v.passage_id, v.visit_id
    FROM visits_verdictversion v LEFT JOIN heard ON heard.site_id = v.site_id
    WHERE v.current AND v.awaits_through IS NOT NULL
        AND v.awaits_through < coalesce(heard.through, 'infinity')
), ids AS (
    SELECT passage_id AS id FROM due WHERE passage_id IS NOT NULL
    UNION
    SELECT coalesce(s.entry_passage_id, s.exit_passage_id)
    FROM due JOIN visits_visit s ON s.id = due.visit_id
)
UPDATE plates_passage p SET revision = revision + 1
FROM ids WHERE p.id = ids.id AND p.judged_revision = p.revision
"""  # noqa: S608  (made of constants)


def passages_rejudge_due(*, now: datetime) -> int:
    """Have the judge look again where something it waited for has come; how many passages."""
    marked = 0
    with stage_batch("rejudge") as access:
        with connection.cursor() as cursor:
            cursor.execute(_MARK_DUE, [now])
            marked += int(cursor.rowcount)
        touches = list(
            RightTouch.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("right", "right__site", "right__provider")
            .order_by("id")[:_MOST_TOUCHES]
        )
        if touches:
            rights = {touch.right_id: touch.right for touch in touches}
            marked += _touched(list(rights.values()), access)
            RightTouch.objects.filter(pk__in=[touch.pk for touch in touches]).delete()
        if marked:
            ring("judge")
        if len(touches) == _MOST_TOUCHES:
            ring("rejudge")
    return marked


def _touched(rights: Sequence[Right], access: Access) -> int:
    """Mark the passages whose verdict these rights may change; how many."""
    tokens: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    for right_id, token in RightPlate.objects.filter(right__in=rights).values_list(
        "right_id", "token_class"
    ):
        tokens[right_id].add(token)
    # an import brings thousands of one kind for the same sites: one condition for all of them
    alike: dict[tuple[uuid.UUID | None, uuid.UUID | None, str], set[uuid.UUID]]
    alike = defaultdict(set)
    for right in rights:
        alike[right.site_id, right.provider_id, right.kind] |= tokens[right.pk]
    bearing = Q()
    for (site_id, provider_id, kind), theirs in alike.items():
        bearing |= Q(token_class__in=theirs) & _where(site_id, provider_id, kind)
    ids = set(
        Passage.objects.filter(bearing, final_at__isnull=True, judged_revision__gt=0).values_list(
            "pk", flat=True
        )
    )
    ids |= _near(rights, access)
    settled = Passage.objects.filter(pk__in=ids, judged_revision=F("revision"))
    return settled.update(revision=F("revision") + 1)


def _where(site_id: uuid.UUID | None, provider_id: uuid.UUID | None, kind: str) -> Q:
    """Passages at the sites where such rights count, of the kind they speak of."""
    where = Q()
    if site_id is not None:
        where &= Q(site_id=site_id)
    elif provider_id is not None:
        where &= Q(site__in=provider_sites(Provider.objects.get(pk=provider_id)))
    kinds = _SITE_KIND.get(Right.Kind(kind))
    return where & Q(site__kind__in=kinds) if kinds else where


def _near(rights: Iterable[Right], access: Access) -> set[uuid.UUID]:
    """Ended stays during a right bound to their site, whose text is near the right's: a keying
    error it may excuse, or a candidate more that makes a former one doubtful."""
    by_site: dict[uuid.UUID, list[Right]] = defaultdict(list)
    for right in rights:
        if right.site is not None and right.site.kind == Site.Kind.PARKING:
            by_site[right.site.pk].append(right)
    found: set[uuid.UUID] = set()
    for site_id, here in by_site.items():
        during = Q()
        for right in here:
            start, end = right.starts_at or BEGINNING, right.ends_at or END
            during |= Q(entered_at__lte=end, exited_at__gte=start)
        # what rights of its own decide, a right of another text can't change
        decided = VerdictVersion.objects.filter(
            site_id=site_id,
            current=True,
            visit_id__isnull=False,
            verdict__in=[Verdict.PAID, Verdict.PERMITTED, Verdict.EXEMPT],
        ).values("visit_id")
        visits = list(
            Visit.objects.filter(
                during, site_id=site_id, status=VisitStatus.COMPLETE, final_at__isnull=True
            ).exclude(pk__in=decided)
        )
        if not visits:
            continue
        pairs, _ = stored_pairs(visits, Readings(access))
        values = rule_rights(_with_plates(here), access)
        for visit in visits:
            one = pairs.get(visit.pk)
            if one is None:
                continue
            says = [passage.reading for passage in one.passages]
            if any(matches(says, value, ()) for value in values):
                found |= visit_ends(visit)
    return found


def _with_plates(rights: Iterable[Right]) -> list[Right]:
    return list(
        Right.objects.filter(pk__in=[right.pk for right in rights]).prefetch_related("plates")
    )
