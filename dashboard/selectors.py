"""What a page shows of several rooms at once, each with a fixed number of queries."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour

from audit.models import AuditRow
from cameras.models import Capture, Site
from enforcement.visits.models import VerdictVersion, Visit
from plates.models import PlateRead

HOURS = 24


@dataclass(frozen=True)
class Row:
    """One line of a feed: a read, what the judge says of it, whether this person may open it."""

    read: PlateRead
    verdict: VerdictVersion | None
    may_open: bool

    @property
    def settled(self) -> bool:
        """No further version of the verdict is to be expected soon."""
        return self.verdict is not None and not self.verdict.provisional


def verdicts_of(reads: Sequence[PlateRead]) -> dict[uuid.UUID, VerdictVersion]:
    """The current verdict of each read that has one, its passage's or its visit's. Two queries."""
    passages = {read.passage_id for read in reads if read.passage_id is not None}
    if not passages:
        return {}
    visit_of: dict[uuid.UUID, uuid.UUID] = {}
    ends = Visit.objects.filter(
        Q(entry_passage_id__in=passages) | Q(exit_passage_id__in=passages)
    ).values_list("pk", "entry_passage_id", "exit_passage_id")
    for visit_id, entry, exit_ in ends:
        for passage in (entry, exit_):
            if passage is not None:
                visit_of[passage] = visit_id
    by_thing: dict[uuid.UUID, VerdictVersion] = {}
    current = VerdictVersion.objects.filter(current=True).filter(
        Q(passage_id__in=passages) | Q(visit_id__in=set(visit_of.values()))
    )
    for version in current:
        thing = version.passage_id or version.visit_id
        if thing is not None:
            by_thing[thing] = version
    found = {}
    for read in reads:
        if read.passage_id is None:
            continue
        verdict = by_thing.get(read.passage_id)
        if verdict is None and read.passage_id in visit_of:
            verdict = by_thing.get(visit_of[read.passage_id])
        if verdict is not None:
            found[read.pk] = verdict
    return found


def rows_of(reads: Sequence[PlateRead], operated: "QuerySet[Site]") -> list[Row]:
    """Feed lines of reads; `operated` are the sites where the person may open plates."""
    verdicts = verdicts_of(reads)
    may_open = set(operated.values_list("pk", flat=True))
    return [Row(read, verdicts.get(read.pk), read.site_id in may_open) for read in reads]


def reads_by_ids(ids: Iterable[uuid.UUID], sites: "QuerySet[Site]") -> list[PlateRead]:
    """Those of the reads that are of `sites`, newest first."""
    wanted = list(ids)
    if not wanted:
        return []
    rows = PlateRead.objects.filter(pk__in=wanted, site__in=sites)
    return list(rows.select_related("site", "camera", "camera__site").order_by("-id"))


def captures_per_hour(
    sites: "QuerySet[Site]", now: datetime, hours: int = HOURS
) -> dict[uuid.UUID, list[int]]:
    """Captures of each camera in each of the last `hours` hours, oldest first. One query."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=hours - 1)
    counts = (
        Capture.objects.filter(site__in=sites, received_at__gte=first)
        .annotate(hour=TruncHour("received_at"))
        .values_list("camera_id", "hour")
        .annotate(number=Count("pk"))
        .order_by()
    )
    found: dict[uuid.UUID, list[int]] = {}
    for camera_id, hour, number in counts:
        place = int((hour - first).total_seconds() // 3600)
        if 0 <= place < hours:
            found.setdefault(camera_id, [0] * hours)[place] = number
    return found


def audit_rows(
    *,
    organisations: Sequence[str] | None,
    actor: str = "",
    purpose: str = "",
    day: tuple[datetime, datetime] | None = None,
) -> "QuerySet[AuditRow]":
    """Rows of the audit log, newest first; of `organisations`, or all of them for None.

    A row names all organisations its actor works for, joined by commas (`person_actor`).
    """
    rows = AuditRow.objects.order_by("-id")
    if organisations is not None:
        theirs = Q(pk__in=[])
        for name in organisations:
            theirs |= (
                Q(organisation=name)
                | Q(organisation__startswith=f"{name}, ")
                | Q(organisation__endswith=f", {name}")
                | Q(organisation__contains=f", {name}, ")
            )
        rows = rows.filter(theirs)
    if actor:
        rows = rows.filter(actor=actor)
    if purpose:
        rows = rows.filter(purpose=purpose)
    if day is not None:
        rows = rows.filter(at__gte=day[0], at__lt=day[1])
    return rows
