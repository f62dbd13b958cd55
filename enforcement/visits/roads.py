"""Judging passages by themselves: vignette roads and charging zones."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.models import F, QuerySet

from audit.access import Access
from cameras.models import Site
from enforcement.rights.facts import Reading, Right, RuleError
from enforcement.rights.outcomes import Reason, Verdict
from enforcement.rights.verdicts import judge_vignette, judge_zone
from enforcement.visits.circumstances import Circumstances, not_configured
from enforcement.visits.models import VerdictVersion
from enforcement.visits.readings import Readings
from enforcement.visits.registry import Registry
from enforcement.visits.verdicts import (
    Decision,
    History,
    Judged,
    Subject,
    final_since,
    passages_mark,
    verdicts_retire,
    verdicts_write,
)
from plates.gathering import passages_bury
from plates.models import Passage

KINDS = (Site.Kind.VIGNETTE, Site.Kind.ZONE)


def _waiting() -> "QuerySet[Passage]":
    return (
        Passage.objects.filter(site__kind__in=KINDS)
        .exclude(judged_revision=F("revision"))
        .order_by("id")
    )


def passages_waiting(*, limit: int) -> list[uuid.UUID]:
    """Waiting passages of roads."""
    return list(_waiting().values_list("pk", flat=True)[:limit])


def passages_claim(*, limit: int, only: Sequence[uuid.UUID] | None = None) -> list[Passage]:
    """Waiting passages of roads (of `only` these), locked until the caller's transaction ends."""
    waiting = _waiting() if only is None else _waiting().filter(pk__in=only)
    return list(
        waiting.select_for_update(skip_locked=True, no_key=True, of=("self",)).select_related(
            "site", "site__organisation", "camera"
        )[:limit]
    )


def passages_decide(
    passages: Sequence[Passage], *, access: Access, now: datetime
) -> list[VerdictVersion]:
    """Judge locked passages of roads and write what is new; the versions written."""
    gone = [one for one in passages if not one.reads]
    if gone:
        # a late read showed that they were part of another passage, which is judged by itself
        verdicts_retire(Subject(passage_id=one.pk) for one in gone)
        passages_bury(one.pk for one in gone)
        passages = [one for one in passages if one.reads]
    circumstances = Circumstances(now=now)
    history = History.of(Subject(passage_id=one.pk) for one in passages if one.judged_revision)
    readings = Readings(access)
    readings.open(passages)
    by_site: dict[uuid.UUID, list[Passage]] = defaultdict(list)
    for passage in passages:
        by_site[passage.site_id].append(passage)
    decisions = []
    for here in by_site.values():
        newest = circumstances.rules(here[0].site, now)
        registry = Registry(here[0].site, access, newest.classes)
        registry.look_up(readings.of(one) for one in here)

        def decide(passage: Passage, registry: Registry = registry) -> Decision:
            reading = readings.of(passage)
            accused = history.accused(Subject(passage_id=passage.pk))
            return _decide(passage, reading, registry.near(reading), circumstances, accused)

        decided = [decide(passage) for passage in here]
        # what is one slip away excuses nobody here, but whoever decides the case shall know of it
        in_doubt = [
            place
            for place, one in enumerate(decided)
            if one.judgement.verdict is Verdict.UNPAID and not one.provisional
        ]
        registry.look_around(readings.of(here[place]) for place in in_doubt)
        for place in in_doubt:
            decided[place] = decide(here[place])
        decisions += decided
    written = verdicts_write(decisions, history=history, now=now)
    passages_mark(
        Judged(
            passage.pk,
            passage.revision,
            claimed=True,
            final_at=final_since(decision, passage.final_at, now),
        )
        for passage, decision in zip(
            (one for here in by_site.values() for one in here), decisions, strict=True
        )
    )
    return written


def _decide(
    passage: Passage,
    reading: Reading,
    rights: Sequence[Right],
    circumstances: Circumstances,
    accused: bool,
) -> Decision:
    site, at, now = passage.site, passage.first_at, circumstances.now
    suspended = circumstances.suspended(site)
    rules = circumstances.rules(site, at)
    due_at = None
    configured = True
    try:
        if site.kind == Site.Kind.VIGNETTE:
            scheme, scope = circumstances.scheme(site, at)
            judgement = judge_vignette(
                reading,
                at,
                scheme=scheme,
                rights=rights,
                rules=rules,
                now=now,
                scope=scope,
                quarantined=passage.quarantined,
                suspended=suspended,
                accused_before=accused,
            )
        else:
            window = circumstances.window(site, at)
            judgement = judge_zone(
                reading,
                at,
                window=window,
                rights=rights,
                rules=rules,
                now=now,
                quarantined=passage.quarantined,
                suspended=suspended,
                accused_before=accused,
            )
            day = window.charged_day(at)
            if day is not None and judgement.reason is Reason.AWAITING_DEADLINE:
                due_at = window.deadline(day)
    except RuleError as error:
        judgement, configured = not_configured(error), False
    closed = passage.status == Passage.Status.CLOSED
    # asked only where it matters: how far all cameras have reported is the dearest question here
    heard = closed and circumstances.state(site).all_heard_through > passage.last_at
    return Decision(
        subject=Subject(passage_id=passage.pk),
        site_id=site.pk,
        judgement=judgement,
        seen_at=at,
        provisional=not (closed and heard and configured) or judgement.verdict is Verdict.PENDING,
        passages=(passage.pk,),
        camera_id=passage.camera_id,
        due_at=due_at,
        # closing itself wakes the judge: only then is another camera worth waiting for
        awaits_through=passage.last_at if closed and not heard else None,
    )
