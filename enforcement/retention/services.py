"""Stage `forget`: what has had its time goes, or changes its data class; and the report of it.

Everything works off rows inside transactions and can be run at any time, twice, or killed: what is
not done is due the next time.
"""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q

from audit.services import Actor, record
from cameras.models import Capture, Site
from core.errors import BadInput, NotFound
from core.models import User
from enforcement.cases.models import Case, Evidence
from enforcement.retention import selection
from enforcement.retention.clocks import DAY
from enforcement.retention.erasing import (
    captures_empty,
    erasure_record,
    passages_erase,
    reads_erase,
    report,
)
from enforcement.retention.models import Hold, Policy
from enforcement.rights.models import Right, RightPlate
from enforcement.watchlist.models import Entry
from plates.models import Passage, PlateRead
from vault import files, keys
from vault.keys import KeyDestroyed
from vault.models import DataClass, DataKey
from vault.sealing import SealBroken, reseal

__all__ = [
    "forget",
    "hold_lift",
    "hold_place",
    "keys_destroy_unused",
    "orphans_remove",
    "passages_erase",
    "passages_reclass",
    "policy_set",
    "strays_erase",
]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Line:
    """One line of a report: what went at a site in a data class (or would go)."""

    site: Site
    data_class: str
    counts: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return any(self.counts.values())


def forget(*, now: datetime, dry_run: bool = False) -> list[Line]:
    """Erase whatever is due everywhere; what went, per site and class, empty lines left out.

    A dry run selects by the same queries and changes nothing. A class change is not reported: it
    erases nothing. A site that can't be dealt with is logged and holds up no other.
    """
    lines: list[Line] = []
    for site in Site.objects.all():
        try:
            lines += _site(site, now, dry_run)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("forget_failed", site=str(site.pk))
    if not dry_run:
        _rights_and_entries(now)
        keys_destroy_unused(now=now)
    return [line for line in lines if line]


def _site(site: Site, now: datetime, dry_run: bool) -> list[Line]:
    if selection.site_is_held(site):
        return []
    keep = selection.keep_of(site)
    lines = [] if dry_run else [passages_reclass(keep, now=now)]
    for data_class in (
        DataClass.COMPLIANT,
        DataClass.UNMATCHED,
        DataClass.WATCHLIST,
        DataClass.PENDING,
    ):
        lines.append(_passages(keep, data_class, now, dry_run))
    lines.append(_images(keep, now, dry_run))
    lines.append(_cases(keep, now, dry_run))
    return lines


def passages_reclass(keep: selection.Keep, *, now: datetime) -> Line:
    """Seal passages anew under the class they belong to now.

    A class that is not kept at all is not worth sealing for: its passages go at once. What went so
    is the line returned.
    """
    line = Line(keep.site, DataClass.COMPLIANT)
    for chunk in selection.chunks(selection.to_reclass(keep)):
        facts = selection.facts_of(chunk)
        gone: dict[uuid.UUID, int] = {}
        for passage in chunk:
            data_class = selection.class_of(passage, facts)
            if data_class == passage.data_class:
                continue
            if data_class == DataClass.COMPLIANT and keep.minutes[data_class] == 0:
                gone[passage.pk] = passage.revision
            else:
                _reclass(passage, data_class, facts, now)
        if gone:
            line.counts += passages_erase(
                gone, site=keep.site, now=now, data_class=DataClass.COMPLIANT, revisions=gone
            )
    return line


def _reclass(passage: Passage, data_class: str, facts: selection.Facts, now: datetime) -> None:
    """Seal a passage and all that belongs to it anew. One that can't be opened stays what it is,
    and goes when that class's time has come."""
    try:
        with transaction.atomic():
            _reseal(passage, data_class, selection.since(passage, data_class, facts, now), now)
    except (KeyDestroyed, SealBroken, OSError) as error:
        log.error("reclass_failed", passage=str(passage.pk), error=type(error).__name__)


def _reseal(passage: Passage, data_class: str, since: datetime, now: datetime) -> None:
    scope = str(passage.site_id)
    row = Passage.objects.select_for_update().filter(pk=passage.pk).first()
    if row is None or row.revision != passage.revision:
        return  # it moved on meanwhile: the next run looks again
    names = reseal(row, file_fields=(), scope=scope, data_class=data_class, now=now)
    row.class_since = since
    row.save(update_fields=[*names, "class_since"])
    captures = []
    for read in PlateRead.objects.select_for_update().filter(passage_id=row.pk):
        names = reseal(read, file_fields=("crop",), scope=scope, data_class=data_class, now=now)
        PlateRead.objects.filter(pk=read.pk).update(**{n: getattr(read, n) for n in names})
        captures.append(read.capture_id)
    # in the order of their ids: other stages lock captures too
    for capture in Capture.objects.select_for_update().filter(pk__in=captures).order_by("pk"):
        names = reseal(
            capture, file_fields=("picture", "crop"), scope=scope, data_class=data_class, now=now
        )
        capture.save(update_fields=names)


def _passages(keep: selection.Keep, data_class: str, now: datetime, dry_run: bool) -> Line:
    line = Line(keep.site, data_class)
    # what is not kept at all goes when its class changes (`passages_reclass`)
    at_once = dry_run and data_class == DataClass.COMPLIANT and keep.minutes[data_class] == 0
    due = selection.to_reclass(keep) if at_once else selection.to_erase(keep, data_class, now)
    held = Q(token_exact__in=selection.held_tokens(keep.site).values("token_exact"))
    line.counts["held"] += due.filter(held).count()
    for chunk in selection.chunks(due.exclude(held)):
        facts = selection.facts_of(chunk)
        if at_once:
            chunk = [p for p in chunk if selection.class_of(p, facts) == data_class]
        elif data_class == DataClass.PENDING:
            # a hit on a list has a clock of its own, whatever came of the verdict
            for passage in chunk:
                if passage.pk in facts.alerted and not dry_run:
                    _reclass(passage, DataClass.WATCHLIST, facts, now)
            chunk = [p for p in chunk if p.pk not in facts.alerted]
        revisions = {p.pk: p.revision for p in chunk if p.pk not in facts.in_case}
        if dry_run:
            line.counts["passages"] += len(revisions)
            reads = PlateRead.objects.filter(passage_id__in=list(revisions))
            line.counts["reads"] += reads.count()
        else:
            line.counts += passages_erase(
                revisions,
                site=keep.site,
                now=now,
                data_class=data_class,
                revisions=revisions,
                held=line.counts["held"],
            )
    return line


def _images(keep: selection.Keep, now: datetime, dry_run: bool) -> Line:
    line = Line(keep.site, DataClass.DEVICE_IMAGE)
    due = selection.images_due(keep, now)
    if dry_run:
        line.counts["pictures"] = due.count()
        return line
    with transaction.atomic():
        names = captures_empty(list(due.values_list("pk", flat=True)[: selection.CHUNK]))
        files.doom(names, now=now)
        line.counts["pictures"] = len(names)
        report(keep.site, line.data_class, line.counts, now=now)
    return line


def _cases(keep: selection.Keep, now: datetime, dry_run: bool) -> Line:
    line = Line(keep.site, DataClass.CASE)
    due = selection.cases_due(keep, now)
    if dry_run:
        line.counts["other"] = due.count()
        return line
    with transaction.atomic():
        cases = list(due.select_for_update(of=("self",))[: selection.CHUNK])
        evidence = Evidence.objects.filter(case__in=cases)
        names = [name for pair in evidence.values_list("picture", "crop") for name in pair if name]
        files.doom(names, now=now)
        line.counts["pictures"] = len(names)
        line.counts["other"] = len(cases)
        Case.objects.filter(pk__in=[case.pk for case in cases]).delete()
        report(keep.site, line.data_class, line.counts, now=now)
    return line


def _rights_and_entries(now: datetime) -> None:
    for model, due in (
        (Right, selection.rights_due(now)),
        (Entry, selection.entries_due(now)),
    ):
        ids = list(due.values_list("pk", flat=True)[:5000])
        if ids:
            with transaction.atomic():
                model._default_manager.filter(pk__in=ids).delete()
                erasure_record(model._meta.label_lower, count=len(ids))


SEALED_MODELS = (Right, RightPlate, Entry, Passage, PlateRead, Case, Evidence, Capture)
_STILL_SEALED = "picture <> '' OR crop <> '' OR read IS NOT NULL"
"""A capture's row outlives what was sealed in it."""


def keys_destroy_unused(*, now: datetime) -> int:
    """Destroy data keys of past days that no row is sealed with any more; how many.

    Today's and yesterday's keys are left: a process may hold one in its cache and still seal. After
    this, backups of the main database hold nothing but noise for these rows.
    """
    old = DataKey.objects.using(keys.STORE).filter(
        destroyed_at__isnull=True, day__lt=(now - timedelta(days=1)).date()
    )
    unused = list(old.values_list("pk", flat=True))
    for model in SEALED_MODELS:
        if not unused:
            return 0
        still = _STILL_SEALED if model is Capture else "true"
        # one look into the index per key, however many rows are sealed with it
        sql = (
            f"SELECT key FROM unnest(%s::uuid[]) AS key WHERE NOT EXISTS (SELECT 1 "  # noqa: S608
            f"FROM {model._meta.db_table} WHERE data_key = key AND ({still}))"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [unused])
            unused = [key_id for (key_id,) in cursor.fetchall()]
    return keys.destroy(unused, now=now) if unused else 0


def strays_erase(*, now: datetime) -> int:
    """Erase reads that belong to no passage and are past the clock of pending ones; how many.

    There are none unless a read could not be opened when it was to be gathered.
    """
    gone = 0
    for site in Site.objects.all():
        if selection.site_is_held(site):
            continue
        with transaction.atomic():
            strays = selection.strays_due(selection.keep_of(site), now)
            ids = list(strays.values_list("pk", flat=True)[: selection.CHUNK])
            if ids:
                counts = reads_erase(PlateRead.objects.filter(pk__in=ids), now=now)
                report(site, DataClass.PENDING, counts, now=now)
                gone += counts["reads"]
    return gone


def orphans_remove(*, now: datetime) -> int:
    """Remove stored files of past days that no row names: left by a crash between file and row.

    Files of today and yesterday are left: their row may be about to commit.
    """
    gone = 0
    names = files.names_before(now - timedelta(days=1))
    for start in range(0, len(names), 1000):
        page = names[start : start + 1000]
        named: set[str] = set()
        for model, fields in NAMING:
            for field_name in fields:
                rows = model.objects.filter(**{f"{field_name}__in": page})
                named.update(rows.values_list(field_name, flat=True))
        with transaction.atomic():
            files.doom([name for name in page if name not in named], now=now)
        gone += len(page) - len(named)
    return gone


NAMING: tuple[tuple[type[Capture | PlateRead | Evidence], tuple[str, ...]], ...] = (
    (Capture, ("picture", "crop")),
    (PlateRead, ("crop",)),
    (Evidence, ("picture", "crop")),
)
"""Where rows name files of the sealed store."""


def policy_set(*, site: Site, data_class: str, keep_minutes: int, why: str, actor: Actor) -> Policy:
    """Set how long a class is kept at a site. BadInput without a legal basis, for a class that no
    site governs (rights and watchlist entries have the default clock), or beyond ten years."""
    if data_class not in SITE_CLASSES:
        raise BadInput(
            "class_unknown", "There is no such data class with a site.", field="data_class"
        )
    if not 0 <= keep_minutes <= _LONGEST_MINUTES:
        raise BadInput("keep_too_long", "Ten years are the most.", field="keep_minutes")
    if not why.strip():
        raise BadInput("why_required", "Say on which legal basis.", field="why")
    with transaction.atomic():
        policy, _ = Policy.objects.update_or_create(
            site=site,
            data_class=data_class,
            defaults={"keep_minutes": keep_minutes, "why": why.strip()},
        )
        record(
            actor,
            "change",
            purpose="retention",
            subject="retention.policy",
            subject_id=policy.pk,
            detail={"site": site.slug, "class": data_class, "keep_minutes": keep_minutes},
        )
    return policy


SITE_CLASSES = frozenset(DataClass.values) - {DataClass.RIGHT, DataClass.ENTRY}
_LONGEST_MINUTES = 10 * 366 * DAY


def hold_place(
    *,
    reference: str,
    reason: str,
    user: User,
    actor: Actor,
    now: datetime,
    site: Site | None = None,
    token_exact: uuid.UUID | None = None,
    case_id: uuid.UUID | None = None,
) -> Hold:
    """Exempt a plate, a case or a whole site from erasure until the hold is lifted."""
    if site is None and token_exact is None and case_id is None:
        raise BadInput("hold_empty", "A hold names a plate, a case or a site.")
    with transaction.atomic():
        hold = Hold.objects.create(
            site=site,
            token_exact=token_exact,
            case_id=case_id,
            reference=reference,
            reason=reason,
            placed_at=now,
            placed_by=user,
        )
        record(
            actor,
            "change",
            purpose="retention",
            case_ref=reference,
            subject="retention.hold",
            subject_id=hold.pk,
            tokens=[token_exact] if token_exact else [],
            detail={"hold": "placed"},
        )
    return hold


def hold_lift(*, hold_id: uuid.UUID, user: User, actor: Actor, now: datetime) -> Hold:
    """End a hold; what it kept goes with the next run if its time has come."""
    with transaction.atomic():
        hold = Hold.objects.select_for_update().filter(pk=hold_id, lifted_at__isnull=True).first()
        if hold is None:
            raise NotFound("not_found", "There is no such hold in force.")
        hold.lifted_at, hold.lifted_by = now, user
        hold.save(update_fields=["lifted_at", "lifted_by"])
        record(
            actor,
            "change",
            purpose="retention",
            case_ref=hold.reference,
            subject="retention.hold",
            subject_id=hold.pk,
            detail={"hold": "lifted"},
        )
    return hold
