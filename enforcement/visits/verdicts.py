"""Writing what was judged: versions of verdicts, and what captures and passages remember."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q

from cameras.models import Capture
from cameras.outcomes import captures_tell
from core.ids import uuid7, uuid7_floor, uuid7_time
from core.live import announce
from core.stages import ring
from enforcement.rights.outcomes import ACCUSING, COMPLIANT, Judgement, Verdict
from enforcement.visits.models import VerdictVersion
from plates.models import PlateRead

SETTLED = COMPLIANT | {Verdict.NONE}
"""Verdicts that can become final. The others lie with a case, or with time."""

_SETTLING = ContextVar("settling", default=True)


@contextmanager
def nothing_final() -> Iterator[None]:
    """While it lasts no verdict becomes final: for a replay in which rights and reads may come
    however late. What is final is retention's to forget, and is never judged again."""
    before = _SETTLING.set(False)
    try:
        yield
    finally:
        _SETTLING.reset(before)


def is_replay() -> bool:
    """Whether we are within `nothing_final`."""
    return not _SETTLING.get()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a verdict is on: a passage by itself or a visit."""

    passage_id: uuid.UUID | None = None
    visit_id: uuid.UUID | None = None


@dataclass(slots=True)
class Decision:
    """A judgement about to be written.

    `awaits_through`: an instant some camera of the site has yet to report past before the verdict
    is final; `due_at`: when time alone may change it. `passages` are those whose captures hear of
    it. `changed`: what it speaks of is not what it was (another exit, another text), so that an
    accusation in the same words is a new one.
    """

    subject: Subject
    site_id: uuid.UUID
    judgement: Judgement
    seen_at: datetime
    provisional: bool
    passages: tuple[uuid.UUID, ...]
    camera_id: uuid.UUID | None = None
    exit_camera_id: uuid.UUID | None = None
    visit_status: str = ""
    due_at: datetime | None = None
    awaits_through: datetime | None = None
    changed: bool = False

    @property
    def final(self) -> bool:
        """True where nothing can change the verdict any more."""
        return (
            not self.provisional
            and self.awaits_through is None
            and self.judgement.verdict in SETTLED
        )


@dataclass(slots=True)
class _Past:
    current: VerdictVersion | None = None
    version: int = 0
    accused: bool = False


@dataclass(slots=True)
class History:
    """Every earlier version of the verdicts on some subjects."""

    _past: dict[Subject, _Past] = field(default_factory=lambda: defaultdict(_Past))

    @classmethod
    def of(cls, subjects: Iterable[Subject]) -> "History":
        """The history of these subjects, in one query."""
        history = cls()
        passages = [one.passage_id for one in subjects if one.passage_id is not None]
        visits = [one.visit_id for one in subjects if one.visit_id is not None]
        if not passages and not visits:
            return history
        versions = VerdictVersion.objects.filter(
            Q(passage_id__in=passages) | Q(visit_id__in=visits)
        ).defer("explanation")
        for row in versions:
            past = history._past[Subject(row.passage_id, row.visit_id)]
            past.version = max(past.version, row.version)
            past.accused = past.accused or row.verdict in ACCUSING
            if row.current:
                past.current = row
        return history

    def current(self, subject: Subject) -> VerdictVersion | None:
        """The version that counts now."""
        return self._past[subject].current

    def accused(self, subject: Subject) -> bool:
        """True where any earlier version accused: a `paid` is then `paid-late`."""
        return self._past[subject].accused

    def next_version(self, subject: Subject) -> int:
        return self._past[subject].version + 1


def _said(row: VerdictVersion) -> tuple[Any, ...]:
    return (row.verdict, row.reason, row.right_id, row.overstay_minutes, row.provisional)


def _row(decision: Decision, history: History, now: datetime) -> VerdictVersion:
    judgement, subject = decision.judgement, decision.subject
    accusing = judgement.verdict in ACCUSING
    return VerdictVersion(
        id=uuid7(now),
        site_id=decision.site_id,
        passage_id=subject.passage_id,
        visit_id=subject.visit_id,
        version=history.next_version(subject),
        seen_at=decision.seen_at,
        decided_at=now,
        provisional=decision.provisional,
        verdict=judgement.verdict.value,
        reason=judgement.reason.value if judgement.reason is not None else None,
        right_id=uuid.UUID(judgement.right_id) if judgement.right_id is not None else None,
        overstay_minutes=judgement.overstay_min,
        explanation=[asdict(line) for line in judgement.explanation],
        rules=list(judgement.rules),
        camera_id=decision.camera_id,
        exit_camera_id=decision.exit_camera_id,
        visit_status=decision.visit_status,
        due_at=decision.due_at,
        awaits_through=decision.awaits_through,
        act_due=not decision.provisional and (accusing or history.accused(subject)),
    )


_CLOCKS = ["due_at", "awaits_through", "visit_status", "camera_id", "exit_camera_id", "seen_at"]


def verdicts_write(
    decisions: Sequence[Decision], *, history: History, now: datetime
) -> list[VerdictVersion]:
    """Write a new version of each verdict that says something new; the versions written.

    One that says what the current version says only gets its clocks set anew. Captures hear of the
    new ones, screens are told, and where a case may be asked for or may fall, `act` is rung.
    """
    fresh: list[tuple[Decision, VerdictVersion]] = []
    same: list[tuple[Decision, VerdictVersion]] = []
    ticked: list[VerdictVersion] = []
    for decision in decisions:
        row = _row(decision, history, now)
        current = history.current(decision.subject)
        anew = decision.changed and decision.judgement.verdict in ACCUSING
        if current is None or anew or _said(current) != _said(row):
            fresh.append((decision, row))
            continue
        same.append((decision, current))
        if any(getattr(current, name) != getattr(row, name) for name in _CLOCKS):
            for name in _CLOCKS:
                setattr(current, name, getattr(row, name))
            ticked.append(current)
    if ticked:
        VerdictVersion.objects.bulk_update(ticked, _CLOCKS)
    past = [history.current(decision.subject) for decision, _ in fresh]
    replaced = [row.pk for row in past if row is not None]
    if replaced:
        VerdictVersion.objects.filter(pk__in=replaced).update(current=False, act_due=False)
    rows = [row for _, row in fresh]
    VerdictVersion.objects.bulk_create(rows)
    _captures_hear(fresh, same, now)
    announce("verdict", *rows)
    if any(row.act_due for row in rows):
        ring("act")
    return rows


def verdicts_retire(subjects: Iterable[Subject]) -> None:
    """End the current verdicts of subjects that are no more: a visit that pairing dissolved, a
    passage that now belongs to a visit. A case that hangs on one will find no verdict and close."""
    subjects = list(subjects)
    passages = [one.passage_id for one in subjects if one.passage_id is not None]
    visits = [one.visit_id for one in subjects if one.visit_id is not None]
    if not passages and not visits:
        return
    about = Q(passage_id__in=passages) | Q(visit_id__in=visits)
    gone = list(VerdictVersion.objects.filter(about, current=True).only("passage_id", "visit_id"))
    if not gone:
        return
    accused = set(
        VerdictVersion.objects.filter(about, verdict__in=ACCUSING).values_list(
            "passage_id", "visit_id"
        )
    )
    for row in gone:
        row.current = False
        row.act_due = (row.passage_id, row.visit_id) in accused
    VerdictVersion.objects.bulk_update(gone, ["current", "act_due"])
    if any(row.act_due for row in gone):
        ring("act")


def _captures_hear(
    fresh: Sequence[tuple[Decision, VerdictVersion]],
    same: Sequence[tuple[Decision, VerdictVersion]],
    now: datetime,
) -> None:
    """Write verdicts onto the captures of their passages: the fresh ones onto all, those that say
    the same as before onto captures that don't say so yet (of a further read or the exit, and of a
    passage that came from another visit)."""
    by_passage = {
        passage: row for decision, row in [*fresh, *same] for passage in decision.passages
    }
    if not by_passage:
        return
    told_before = {passage for decision, _ in same for passage in decision.passages}
    facts: dict[uuid.UUID, dict[str, Any]] = defaultdict(dict)
    # a passage's id carries the time of its first read to arrive: no need to ask older partitions
    # nor later ones than a device's clock may be ahead
    since = uuid7_floor(min(map(uuid7_time, by_passage)) - timedelta(hours=1))
    until = uuid7_floor(now + settings.CAPTURE_MAX_AHEAD + timedelta(hours=1))
    reads = list(
        PlateRead.objects.filter(
            passage_id__in=list(by_passage), id__gte=since, id__lt=until
        ).values_list("capture_id", "index", "passage_id")
    )
    heard: dict[uuid.UUID, dict[str, Any] | None] = {}
    maybe = {capture_id for capture_id, _, passage_id in reads if passage_id in told_before}
    if maybe:
        captures = Capture.objects.filter(pk__in=maybe)
        heard = dict(captures.values_list("pk", "outcome__verdicts"))
    for capture_id, index, passage_id in reads:
        if passage_id is None:
            continue
        row = by_passage[passage_id]
        says = {"verdict": row.verdict, "reason": row.reason, "provisional": row.provisional}
        told = (heard.get(capture_id) or {}).get(str(index), {})
        new = passage_id not in told_before
        if new or any(told.get(name) != value for name, value in says.items()):
            facts[capture_id][str(index)] = {**says, "at": now.isoformat()}
    captures_tell({pk: {"verdicts": theirs} for pk, theirs in facts.items()}, judged_at=now)


_JUDGED = """
UPDATE plates_passage p
SET judged_revision = coalesce(v.revision, p.judged_revision),
    final_at = CASE WHEN p.revision = v.seen THEN v.final_at ELSE p.final_at END
FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::timestamptz[])
    AS v(id, revision, seen, final_at)
WHERE p.id = v.id
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """A passage to be marked: `revision` as it was read, `claimed` if it waited for the judge."""

    passage_id: uuid.UUID
    revision: int
    claimed: bool
    final_at: datetime | None


def passages_mark(judged: Iterable[Judged]) -> None:
    """Note what was judged. A passage that changed meanwhile keeps waiting: its revision moved on
    and `judged_revision` says only what was read."""
    rows = sorted(judged, key=lambda one: one.passage_id)
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _JUDGED,
            [
                [row.passage_id for row in rows],
                [row.revision if row.claimed else None for row in rows],
                [row.revision for row in rows],
                [row.final_at for row in rows],
            ],
        )


def final_since(decision: Decision, before: datetime | None, now: datetime) -> datetime | None:
    """When the subject became final: kept from `before`, now, or None where it isn't."""
    return (before or now) if decision.final and _SETTLING.get() else None
