"""What is due to change its data class or to go: read-only, so that a dry run can't differ."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from cameras.models import Capture, Site
from enforcement.cases.models import CLOSED_STATES, Case
from enforcement.retention.clocks import DEFAULT_MINUTES
from enforcement.retention.models import Hold, Policy
from enforcement.rights.calendars import day_start
from enforcement.rights.facts import RuleError
from enforcement.rights.models import Right, SiteRules
from enforcement.rights.outcomes import COMPLIANT
from enforcement.rights.selectors import window_of
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.watchlist.models import Alert, Entry
from plates.models import Passage, PlateRead
from vault.models import DataClass

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Keep:
    """A site and its minutes per data class: its policies over the defaults."""

    site: Site
    minutes: dict[str, int]

    def cutoff(self, data_class: str, now: datetime) -> datetime:
        """Whatever began its clock at or before this instant is due."""
        return now - timedelta(minutes=self.minutes[data_class])


def keep_of(site: Site) -> Keep:
    """What counts at a site."""
    own = Policy.objects.filter(site=site).values_list("data_class", "keep_minutes")
    return Keep(site, {**DEFAULT_MINUTES, **dict(own)})


@dataclass(slots=True)
class Facts:
    """What decides the data class of a chunk of passages, by passage id."""

    verdicts: dict[uuid.UUID, str] = field(default_factory=dict)
    in_case: set[uuid.UUID] = field(default_factory=set)
    alerted: dict[uuid.UUID, datetime] = field(default_factory=dict)  # since when
    unwatched: set[uuid.UUID] = field(default_factory=set)
    in_open_visit: set[uuid.UUID] = field(default_factory=set)


def facts_of(passages: list[Passage]) -> Facts:
    """Verdicts (own or of the visit), live cases, alerts and open visits of `passages`."""
    ids = [passage.pk for passage in passages]
    facts = Facts()
    current = VerdictVersion.objects.filter(current=True)
    facts.verdicts.update(
        current.filter(passage_id__in=ids).values_list("passage_id", "verdict")  # type: ignore[arg-type]
    )
    visits = Visit.objects.filter(Q(entry_passage_id__in=ids) | Q(exit_passage_id__in=ids))
    of_visit = dict(
        current.filter(visit_id__in=[visit.pk for visit in visits]).values_list(
            "visit_id", "verdict"
        )
    )
    for visit in visits:
        for passage_id in (visit.entry_passage_id, visit.exit_passage_id):
            if passage_id is None:
                continue
            if visit.pk in of_visit:
                facts.verdicts[passage_id] = of_visit[visit.pk]
            if visit.final_at is None:
                facts.in_open_visit.add(passage_id)
    wanted = {str(passage_id): passage_id for passage_id in ids}
    live = Case.objects.exclude(state__in=CLOSED_STATES).filter(
        passage_ids__has_any_keys=list(wanted)
    )
    for named in live.values_list("passage_ids", flat=True):
        facts.in_case.update(wanted[name] for name in named if name in wanted)
    passage_of: dict[uuid.UUID, uuid.UUID] = {}
    for read_id, passage_id, watched_at in PlateRead.objects.filter(passage_id__in=ids).values_list(
        "pk", "passage_id", "watched_at"
    ):
        if passage_id is not None:
            passage_of[read_id] = passage_id
            if watched_at is None:
                facts.unwatched.add(passage_id)
    alerts = Alert.objects.filter(read_id__in=list(passage_of)).order_by("created_at")
    for read_id, created_at in alerts.values_list("read_id", "created_at"):
        facts.alerted[passage_of[read_id]] = created_at
    return facts


def class_of(passage: Passage, facts: Facts) -> str:
    """The data class a passage belongs to now (domain-rules §7)."""
    if passage.pk in facts.in_case:
        return DataClass.CASE
    if passage.pk in facts.alerted:
        return DataClass.WATCHLIST
    if passage.pk in facts.unwatched:
        return (
            DataClass.PENDING
        )  # it may yet be a hit, which must not be forgotten before it is one
    verdict = facts.verdicts.get(passage.pk)
    if passage.final_at is not None and passage.pk not in facts.in_open_visit:
        return DataClass.COMPLIANT if verdict in COMPLIANT else DataClass.UNMATCHED
    return DataClass.PENDING


def since(passage: Passage, data_class: str, facts: Facts, now: datetime) -> datetime:
    """When the clock of a class began for a passage (`clocks`), not when somebody noticed."""
    if data_class == DataClass.WATCHLIST:
        return facts.alerted.get(passage.pk, now)
    if data_class == DataClass.UNMATCHED:
        return passage.received_at
    if data_class == DataClass.COMPLIANT:
        return passage.final_at or now
    return now


def held_tokens(site: Site) -> "QuerySet[Hold]":
    """Tokens a legal hold names at a site or everywhere."""
    return Hold.objects.filter(
        Q(site=site) | Q(site__isnull=True), lifted_at__isnull=True, token_exact__isnull=False
    )


def site_is_held(site: Site) -> bool:
    """Whether a legal hold names the whole site."""
    return Hold.objects.filter(
        site=site, lifted_at__isnull=True, token_exact__isnull=True, case_id__isnull=True
    ).exists()


def pending_cutoff(keep: Keep, now: datetime) -> datetime:
    """Pending passages received at or before this are over: the longest stay, or the deadline of
    paying for the day, then the clock."""
    cutoff = keep.cutoff(DataClass.PENDING, now)
    rules = list(SiteRules.objects.filter(site=keep.site).select_related("site"))
    if keep.site.kind == Site.Kind.ZONE:
        # a day can be paid until the midnight that ends the n-th day after it
        settled = cutoff.astimezone(keep.site.zone_info).date() - timedelta(
            days=max((_pay_days(one) for one in rules), default=0)
        )
        return day_start(settled, keep.site.zone_info) - timedelta(microseconds=1)
    return cutoff - timedelta(minutes=max((one.max_stay_minutes for one in rules), default=1440))


def _pay_days(rules: SiteRules) -> int:
    try:
        return window_of(rules).pay_days
    except RuleError:
        return 0


def to_reclass(keep: Keep) -> "QuerySet[Passage]":
    """Passages whose class may have changed: final ones still sealed as pending, those that are no
    longer final, those a live case names, and those sealed for a case that is over."""
    site = keep.site
    in_case = Case.objects.filter(site=site).exclude(state__in=CLOSED_STATES)
    names = [
        uuid.UUID(name) for ids in in_case.values_list("passage_ids", flat=True) for name in ids
    ]
    return Passage.objects.filter(site=site).filter(
        Q(data_class=DataClass.PENDING, final_at__isnull=False)
        | Q(data_class__in=(DataClass.COMPLIANT, DataClass.UNMATCHED), final_at__isnull=True)
        | Q(pk__in=names) & ~Q(data_class=DataClass.CASE)
        | Q(data_class=DataClass.CASE) & ~Q(pk__in=names)
    )


def to_erase(keep: Keep, data_class: str, now: datetime) -> "QuerySet[Passage]":
    """Passages of a class whose time has come, holds not yet looked at."""
    mine = Passage.objects.filter(site=keep.site, data_class=data_class)
    if data_class == DataClass.PENDING:
        return mine.filter(received_at__lte=pending_cutoff(keep, now))
    if data_class == DataClass.CASE:
        return mine.none()  # the case's end makes it another class first
    # a late read may have reopened it: then it is not over before a pending one would be
    over = Q(final_at__isnull=False) | Q(received_at__lte=pending_cutoff(keep, now))
    return mine.filter(over, class_since__lte=keep.cutoff(data_class, now))


def strays_due(keep: Keep, now: datetime) -> "QuerySet[PlateRead]":
    """Reads that belong to no passage, past the clock of pending ones."""
    cutoff = pending_cutoff(keep, now)
    return PlateRead.objects.filter(
        ~Exists(Passage.objects.filter(pk=OuterRef("passage_id"))),
        site=keep.site,
        received_at__lte=cutoff,
    ).exclude(token_exact__in=held_tokens(keep.site).values("token_exact"))


def sealed_captures() -> "QuerySet[Capture]":
    """Captures that still hold something sealed (the row itself stays, plate-free)."""
    return Capture.objects.filter(~Q(picture="") | ~Q(crop="") | Q(read__isnull=False))


def images_due(keep: Keep, now: datetime) -> "QuerySet[Capture]":
    """Captures that still have a picture but no read left (failed, unreadable, forgotten); and what
    could not be read for so long that a read of it would be forgotten by now."""
    with_reads = PlateRead.objects.filter(site=keep.site).values("capture_id")
    return (
        sealed_captures()
        .filter(
            ~Q(status=Capture.Status.RECEIVED) | Q(received_at__lte=pending_cutoff(keep, now)),
            site=keep.site,
            received_at__lte=keep.cutoff(DataClass.DEVICE_IMAGE, now),
        )
        .exclude(pk__in=with_reads)
    )


def cases_due(keep: Keep, now: datetime) -> "QuerySet[Case]":
    """Closed cases past their clock that no hold names."""
    held = Hold.objects.filter(lifted_at__isnull=True, case_id__isnull=False).values("case_id")
    return (
        Case.objects.filter(
            site=keep.site,
            state__in=CLOSED_STATES,
            closed_at__lte=keep.cutoff(DataClass.CASE, now),
        )
        .exclude(pk__in=held)
        .exclude(token_exact__in=held_tokens(keep.site).values("token_exact"))
    )


def rights_due(now: datetime) -> "QuerySet[Right]":
    """Rights that ended, or were superseded, longer ago than rights are kept."""
    cutoff = now - timedelta(minutes=DEFAULT_MINUTES[DataClass.RIGHT])
    return Right.objects.filter(
        Q(ends_at__lte=cutoff)
        | Q(current=False, known_at__lte=cutoff)
        | Q(withdrawn_at__lte=cutoff)
    )


def entries_due(now: datetime) -> "QuerySet[Entry]":
    """Watchlist entries expired or removed longer ago than entries are kept."""
    cutoff = now - timedelta(minutes=DEFAULT_MINUTES[DataClass.ENTRY])
    return Entry.objects.filter(Q(expires_at__lte=cutoff) | Q(removed_at__lte=cutoff))


def chunks(passages: "QuerySet[Passage]") -> Iterator[list[Passage]]:
    """Passages in chunks, each read when its turn comes."""
    last: uuid.UUID | None = None
    while True:
        page = passages.order_by("pk")
        if last is not None:
            page = page.filter(pk__gt=last)
        rows = list(page[:CHUNK])
        if not rows:
            return
        yield rows
        last = rows[-1].pk
