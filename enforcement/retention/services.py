"""Stage `forget`: what has had its time goes, or changes its data class; and the report of it.

Everything works off rows inside transactions and can be run at any time, twice, or killed: what is
not done is due the next time.
"""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q

from audit.services import Actor, record
from cameras.models import Capture, Site
from cameras.thumbnails import thumbnails_erase, thumbnails_of
from core.errors import BadInput, NotFound
from core.models import User
from enforcement.cases.models import Case, Evidence
from enforcement.notices.models import Notice
from enforcement.retention import selection
from enforcement.retention.clocks import DAY
from enforcement.retention.erasing import captures_empty, erasure_record, passages_erase, report
from enforcement.retention.leftovers import keys_destroy_unused, orphans_remove, strays_erase
from enforcement.retention.models import Hold, Policy
from enforcement.rights.models import Right
from enforcement.watchlist.models import Entry
from plates.models import Passage, PlateRead
from vault import files
from vault.keys import KeyDestroyed
from vault.models import DataClass
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
    thumbnails = thumbnails_of(keep.site.pk, until=keep.cutoff(DataClass.DEVICE_IMAGE, now))
    if dry_run:
        line.counts["pictures"] = due.count() + thumbnails.count()
        return line
    with transaction.atomic():
        names = captures_empty(list(due.values_list("pk", flat=True)[: selection.CHUNK]))
        files.doom(names, now=now)
        line.counts["pictures"] = len(names) + thumbnails_erase(thumbnails, now=now)
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
        names += Notice.objects.filter(case__in=cases).values_list("pdf", flat=True)
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
