"""Judging a car park: passages are paired into visits, and visits are judged.

Everything here runs under the site's lock. One visit's verdict depends on the others (payments used
up, places of a permit), so two workers must never judge one site at the same time.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F, OuterRef, Q, Subquery

from audit.access import Access
from cameras.models import Site
from enforcement.rights.explain import of_rule
from enforcement.rights.facts import RuleError, SiteState
from enforcement.rights.outcomes import (
    ACCUSING,
    ENGINE,
    Judgement,
    Looked,
    Reason,
    Verdict,
    VisitStatus,
)
from enforcement.rights.sections import judge_section
from enforcement.rights.selectors import SESSIONS
from enforcement.rights.services import right_mark_used
from enforcement.rights.stays import judge_stay
from enforcement.visits.circumstances import MICROSECOND, Circumstances, not_configured
from enforcement.visits.excuses import Excuses, payments_used_by
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.neighbours import FIXED, Neighbourhood, Replay, visit_ends
from enforcement.visits.pairing import Visit as Pair
from enforcement.visits.pairing import enforceable
from enforcement.visits.readings import Readings
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
from enforcement.visits.work import Work, work_of
from plates.gathering import passages_bury
from plates.models import Passage, PlateRead

PAIRED = (Site.Kind.PARKING, Site.Kind.SECTION)
"""Sites where what passes an entry and an exit belongs together."""

_EXACTLY = frozenset({Verdict.PAID, Verdict.PERMITTED, Verdict.EXEMPT})
"""What only the vehicle's own rights give: no right a slip away can change it."""


def sites_waiting() -> list[uuid.UUID]:
    """Car parks with passages that wait for the judge."""
    # their first one each, by the index of what waits: that so few wait is more than PostgreSQL
    # knows, and asked for all of them it reads through every passage there ever was
    waiting = Passage.objects.filter(site_id=OuterRef("pk")).exclude(judged_revision=F("revision"))
    first = Subquery(waiting.order_by("id").values("pk")[:1])
    return list(
        Site.objects.filter(kind__in=PAIRED)
        .annotate(first=first)
        .filter(first__isnull=False)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def site_lock(site_id: uuid.UUID, *, wait: bool) -> bool:
    """Hold the site until commit; False if another worker holds it and we shan't wait."""
    call = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {call}(hashtextextended(%s, 2))", [str(site_id)])
        return wait or bool(cursor.fetchone()[0])


def passages_waiting(
    site_id: uuid.UUID, *, limit: int, only: Sequence[uuid.UUID] | None = None
) -> list[Passage]:
    """The waiting passages of one car park (of `only` these). Not locked: one that changes
    meanwhile keeps waiting (`passages_mark`), so that gathering never waits for the judge."""
    waiting = Passage.objects.filter(site_id=site_id).exclude(judged_revision=F("revision"))
    if only is not None:
        waiting = waiting.filter(pk__in=only)
    return list(
        waiting.select_related("site", "site__organisation", "camera").order_by("id")[:limit]
    )


def passages_decide(
    site: Site, claimed: Sequence[Passage], *, access: Access, now: datetime
) -> list[VerdictVersion]:
    """Pair what `claimed` touches again, judge it, and write what is new; the versions written."""
    circumstances = Circumstances(now=now)
    readings = Readings(access)
    gone = [one for one in claimed if not one.reads]
    stale = _visits_of(gone)
    claimed = _with_heirs(claimed, gone, stale)
    fixed = [one for one in claimed if not one.quarantined and one.camera.role in FIXED]
    replay = Replay({})
    if fixed:
        rules = circumstances.rules(site, max(passage.first_at for passage in fixed))
        neighbourhood = Neighbourhood(site, fixed, rules=rules, readings=readings, now=now)
        neighbourhood.stored.update(stale)
        replay = neighbourhood.replay()
    claimed_ids = {passage.pk for passage in claimed}
    work = work_of(site, replay, claimed_ids, readings, access)
    loose = _loose(replay, claimed)
    history = History.of(
        [
            *(Subject(visit_id=pk) for pk in work.rows),
            *(Subject(passage_id=one.pk) for one in loose if one.judged_revision),
        ]
    )
    judgements, payments_end = _judgements(site, work, circumstances, history, access)
    state = circumstances.state(site)
    decisions = [
        _of_visit(site, row, work, judgements[pk], payments_end.get(pk), circumstances)
        for pk, row in work.rows.items()
    ]
    for decision in decisions:
        decision.changed = decision.subject.visit_id in replay.changed
    decisions += [_of_passage(passage, state) for passage in loose]
    verdicts_retire(
        [
            *(Subject(visit_id=pk) for pk in replay.vanished),
            *(
                Subject(passage_id=end)
                for pk in replay.changed
                for end in visit_ends(replay.rows[pk])
                if replay.passages[end].judged_revision
            ),
        ]
    )
    if gone:
        Visit.objects.filter(pk__in=stale.keys() - replay.rows.keys()).delete()
        verdicts_retire(
            [
                *(Subject(visit_id=pk) for pk in stale.keys() - replay.rows.keys()),
                *(Subject(passage_id=one.pk) for one in gone),
            ]
        )
        passages_bury(one.pk for one in gone)
    written = verdicts_write(decisions, history=history, now=now)
    _settle(site, decisions, work, replay, judgements, suspended=state.suspended, now=now)
    _mark(claimed, decisions, work, loose, now)
    return written


def _visits_of(gone: Sequence[Passage]) -> dict[uuid.UUID, Visit]:
    """The visits of passages that a late read showed to be part of others."""
    ids = [one.pk for one in gone]
    visits = Visit.objects.filter(Q(entry_passage_id__in=ids) | Q(exit_passage_id__in=ids))
    return {visit.pk: visit for visit in visits} if ids else {}


def _with_heirs(
    claimed: Sequence[Passage], gone: Sequence[Passage], stale: Mapping[uuid.UUID, Visit]
) -> list[Passage]:
    """The claimed passages that are still there, with what took the others over and what they were
    paired with: these must be paired again."""
    if not gone:
        return list(claimed)
    there = {one.pk: one for one in claimed if one.reads}
    heirs = PlateRead.objects.filter(pk__in=[one.first_read_id for one in gone])
    wanted = {pk for pk in heirs.values_list("passage_id", flat=True) if pk is not None}
    wanted |= {end for visit in stale.values() for end in visit_ends(visit)}
    more = Passage.objects.filter(pk__in=wanted - there.keys(), reads__gt=0)
    return [*there.values(), *more.select_related("site", "site__organisation", "camera")]


def _loose(replay: Replay, claimed: Sequence[Passage]) -> list[Passage]:
    """Passages in no visit, of those claimed and those that just lost theirs."""
    left = {end for visit in replay.before for end in visit_ends(visit)} & replay.loose
    alone = {
        one.pk: one for one in claimed if one.pk in replay.loose or one.pk not in replay.passages
    }
    alone.update({end: replay.passages[end] for end in left})
    return list(alone.values())


def _judgements(
    site: Site, work: Work, circumstances: Circumstances, history: History, access: Access
) -> tuple[dict[uuid.UUID, Judgement], dict[uuid.UUID, datetime]]:
    """The judgement of each visit; and where a payment was used in spite of a slip, its end: until
    then its own vehicle may still turn up."""
    state = circumstances.state(site)
    newest = circumstances.rules(site, circumstances.now)
    excuses = Excuses(site, newest, access)

    def judged(visit: Pair) -> Judgement:
        camera = uuid.UUID(visit.entry.camera) if visit.entry is not None else None
        try:
            if site.kind == Site.Kind.SECTION:
                return judge_section(
                    visit.stay(),
                    section=circumstances.section(site, visit.start),
                    rights=excuses.near[visit.id],
                    rules=circumstances.rules(site, visit.start),
                    state=state,
                    now=circumstances.now,
                )
            tariff = circumstances.tariff(site, camera, visit.start)
        except RuleError as error:
            return not_configured(error, Verdict.PENDING)
        return judge_stay(
            visit.stay(),
            rights=excuses.near[visit.id],
            presences=excuses.presences,
            rules=circumstances.rules(site, visit.start),
            state=state,
            now=circumstances.now,
            accused_before=history.accused(Subject(visit_id=uuid.UUID(visit.id))),
            tariff=tariff,
        )

    whole = {pk: one for pk, one in work.pairs.items() if one.status is VisitStatus.COMPLETE}
    if whole:
        excuses.own(whole)
    judgements = {pk: judged(one) for pk, one in work.pairs.items()}
    open_to_doubt = {pk: one for pk, one in whole.items() if judgements[pk].verdict not in _EXACTLY}
    if site.kind == Site.Kind.SECTION:
        open_to_doubt = {}  # no right a slip away excuses anybody's speed
    if open_to_doubt:
        excuses.few(open_to_doubt)
        judgements.update({pk: judged(one) for pk, one in open_to_doubt.items()})
    payments_end: dict[uuid.UUID, datetime] = {}
    for pk, judgement in judgements.items():
        ends = {right.id: right.end for right in excuses.near[str(pk)]}
        slips = [
            ends[line.right_id]
            for line in judgement.explanation
            if line.right_id in ends
            and line.applied
            and line.kind in SESSIONS
            and line.code in ("ocr-equivalent", "one-edit")
        ]
        if slips:
            payments_end[pk] = max(slips)
    return judgements, payments_end


def _of_visit(
    site: Site,
    row: Visit,
    work: Work,
    judgement: Judgement,
    payment_end: datetime | None,
    circumstances: Circumstances,
) -> Decision:
    ends = [work.passages[end] for end in visit_ends(row)]
    one = work.pairs[row.pk]
    decision = Decision(
        subject=Subject(visit_id=row.pk),
        site_id=row.site_id,
        judgement=judgement,
        seen_at=row.exited_at or one.start,
        provisional=True,
        passages=tuple(passage.pk for passage in ends),
        camera_id=uuid.UUID(one.entry.camera) if one.entry is not None else None,
        exit_camera_id=uuid.UUID(one.exit.camera) if one.exit is not None else None,
        visit_status=row.status,
    )
    if one.status is VisitStatus.OPEN:
        longest = circumstances.rules(site, one.start).max_stay
        decision.due_at = one.start + longest + MICROSECOND
        return decision
    closed = all(passage.status == Passage.Status.CLOSED for passage in ends)
    end = max(one.end or one.start, *(passage.last_at for passage in ends))
    heard = circumstances.state(site).all_heard_through
    # whether an accusation or a doubt has to wait for a camera, the judge has said already
    waits = heard <= end and judgement.verdict not in ACCUSING
    decision.provisional = not closed or waits or judgement.verdict is Verdict.PENDING
    certain = max(end, payment_end or end)
    # closing itself wakes the judge: only then is another camera worth waiting for
    decision.awaits_through = certain if closed and heard <= certain else None
    return decision


def _of_passage(passage: Passage, state: SiteState) -> Decision:
    """A passage in no visit: outside the site, a repeated exit, or from a camera that can't be
    believed."""
    if passage.quarantined:
        line = of_rule("doubt", "clock-skew")
        judgement = Judgement(Verdict.NONE, Reason.CLOCK_SKEW, explanation=(line,))
    else:
        line = Looked(None, "doubt", True, None, "no-stay", "Not part of a stay: nothing to judge.")
        judgement = Judgement(Verdict.NONE, None, explanation=(line,), rules=(ENGINE,))
    closed = passage.status == Passage.Status.CLOSED
    heard = state.all_heard_through > passage.last_at
    return Decision(
        subject=Subject(passage_id=passage.pk),
        site_id=passage.site_id,
        judgement=judgement,
        seen_at=passage.first_at,
        provisional=not (closed and heard),
        passages=(passage.pk,),
        camera_id=passage.camera_id,
        awaits_through=passage.last_at if closed and not heard else None,
    )


def _settle(
    site: Site,
    decisions: Iterable[Decision],
    work: Work,
    replay: Replay,
    judgements: Mapping[uuid.UUID, Judgement],
    *,
    suspended: bool,
    now: datetime,
) -> None:
    """Note on each judged visit whether it may be enforced and since when it is final."""
    moved = []
    over: list[tuple[Visit, list[Passage]]] = []
    for decision in decisions:
        pk = decision.subject.visit_id
        if pk is None:
            continue
        row = work.rows[pk]
        may = enforceable(work.pairs[pk], judgements[pk], suspended=suspended)
        final_at = final_since(decision, None if pk in replay.changed else row.final_at, now)
        if final_at is not None and final_at != row.final_at:
            over.append((row, [work.passages[end] for end in visit_ends(row)]))
        if (row.enforceable, row.final_at) != (may, final_at):
            row.enforceable, row.final_at = may, final_at
            moved.append(row)
    if moved:
        _visits_settle(moved)
    if used := payments_used_by(site, over):
        right_mark_used(right_ids=used, now=now)


_SETTLED = """
UPDATE visits_visit t SET enforceable = v.enforceable, final_at = v.final_at
FROM unnest(%s::uuid[], %s::bool[], %s::timestamptz[]) AS v(id, enforceable, final_at)
WHERE t.id = v.id
"""


def _visits_settle(visits: Iterable[Visit]) -> None:
    rows = sorted(visits, key=lambda one: one.pk)
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLED,
            [
                [row.pk for row in rows],
                [row.enforceable for row in rows],
                [row.final_at for row in rows],
            ],
        )


def _mark(
    claimed: Sequence[Passage],
    decisions: Iterable[Decision],
    work: Work,
    loose: Iterable[Passage],
    now: datetime,
) -> None:
    """Note on the passages what was judged; a visit's share its finality."""
    known = {one.pk: one for one in (*work.passages.values(), *loose, *claimed)}
    waiting = {passage.pk for passage in claimed}
    finals: dict[uuid.UUID, datetime | None] = {}
    for decision in decisions:
        visit = decision.subject.visit_id
        for end in decision.passages:
            before = work.rows[visit].final_at if visit is not None else known[end].final_at
            finals[end] = final_since(decision, before, now)
    passages_mark(
        Judged(pk, known[pk].revision, claimed=pk in waiting, final_at=finals.get(pk))
        for pk in {*finals, *waiting}
    )
