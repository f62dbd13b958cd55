"""Stage `forget`: what has had its time goes, or changes its data class; and the report of it.

Everything works off rows inside transactions and can be run at any time, twice, or killed: what is
not done is due the next time. Files go through `vault.files.doom`, so a crash leaves no picture.
"""

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from audit.services import Actor, record, stage_actor
from cameras.models import Capture, Site
from core.errors import BadInput, NotFound
from core.ids import uuid7
from core.models import User
from enforcement.cases.models import Case, Evidence
from enforcement.retention import selection
from enforcement.retention.models import ErasureReport, Hold, Policy
from enforcement.rights.models import Right, RightPlate
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.watchlist.models import Entry
from plates.models import Passage, PlateRead
from vault import files, keys
from vault.models import DataClass, DataKey
from vault.sealing import reseal


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
    erases nothing.
    """
    lines: list[Line] = []
    for site in Site.objects.all():
        if selection.site_is_held(site):
            continue
        keep = selection.keep_of(site)
        if not dry_run:
            lines.append(passages_reclass(keep, now=now))
        for data_class in (
            DataClass.COMPLIANT,
            DataClass.UNMATCHED,
            DataClass.WATCHLIST,
            DataClass.PENDING,
        ):
            lines.append(_passages(keep, data_class, now, dry_run))
        lines.append(_images(keep, now, dry_run))
        lines.append(_cases(keep, now, dry_run))
    _rights_and_entries(now, dry_run)
    lines = [line for line in lines if line]
    if not dry_run:
        _report(lines, now)
        keys_destroy_unused(now=now)
    return lines


def passages_reclass(keep: selection.Keep, *, now: datetime) -> Line:
    """Seal passages anew under the class they belong to now.

    A class that is not kept at all is not worth sealing for: its passages go at once. What went so
    is the line returned.
    """
    line = Line(keep.site, DataClass.COMPLIANT)
    for chunk in selection.chunks(selection.to_reclass(keep)):
        facts = selection.facts_of(chunk)
        gone: list[uuid.UUID] = []
        for passage in chunk:
            data_class = selection.class_of(passage, facts)
            if data_class == passage.data_class:
                continue
            if data_class == DataClass.COMPLIANT and keep.minutes[data_class] == 0:
                gone.append(passage.pk)
            else:
                _reclass(passage, data_class, now)
        if gone:
            line.counts += passages_erase(gone, site=keep.site, now=now)
    return line


def _reclass(passage: Passage, data_class: str, now: datetime) -> None:
    scope = str(passage.site_id)
    with transaction.atomic():
        row = Passage.objects.select_for_update().filter(pk=passage.pk).first()
        if row is None or row.revision != passage.revision:
            return  # it moved on meanwhile: the next run looks again
        names = reseal(row, file_fields=(), scope=scope, data_class=data_class, now=now)
        row.class_since = now
        row.save(update_fields=[*names, "class_since"])
        captures = []
        for read in PlateRead.objects.select_for_update().filter(passage_id=row.pk):
            names = reseal(read, file_fields=("crop",), scope=scope, data_class=data_class, now=now)
            PlateRead.objects.filter(pk=read.pk).update(**{n: getattr(read, n) for n in names})
            captures.append(read.capture_id)
        for capture in Capture.objects.select_for_update().filter(pk__in=captures):
            names = reseal(
                capture,
                file_fields=("picture", "crop"),
                scope=scope,
                data_class=data_class,
                now=now,
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
            ids = [p.pk for p in chunk if selection.class_of(p, facts) == data_class]
        else:
            ids = [p.pk for p in chunk if p.pk not in facts.in_case]
        if dry_run:
            line.counts["passages"] += len(ids)
            line.counts["reads"] += PlateRead.objects.filter(passage_id__in=ids).count()
        else:
            line.counts += passages_erase(ids, site=keep.site, now=now)
    return line


def passages_erase(passage_ids: Iterable[uuid.UUID], *, site: Site, now: datetime) -> Counter[str]:
    """Erase passages with their reads, pictures and visits; counts of what went.

    The captures stay without anything of the vehicle, their plate-free outcome kept; verdicts stay
    as figures, without the right that would name the vehicle. Held plates stay.
    """
    counts: Counter[str] = Counter()
    with transaction.atomic():
        held = selection.held_tokens(site).values("token_exact")
        ids = list(
            Passage.objects.select_for_update(skip_locked=True)
            .filter(pk__in=list(passage_ids))
            .exclude(token_exact__in=held)
            .values_list("pk", flat=True)
        )
        if not ids:
            return counts
        reads = PlateRead.objects.filter(passage_id__in=ids)
        captures = set(reads.values_list("capture_id", flat=True))
        names = [name for name in reads.values_list("crop", flat=True) if name]
        counts["reads"] = reads.delete()[0]
        left = set(
            PlateRead.objects.filter(capture_id__in=captures).values_list("capture_id", flat=True)
        )
        names += _empty_captures(captures - left)
        files.doom(names, now=now)
        counts["pictures"] = len(names)
        visits = Visit.objects.filter(Q(entry_passage_id__in=ids) | Q(exit_passage_id__in=ids))
        VerdictVersion.objects.filter(
            Q(passage_id__in=ids) | Q(visit_id__in=visits.values("pk"))
        ).update(right_id=None, explanation=[])
        visits.delete()
        counts["passages"] = Passage.objects.filter(pk__in=ids).delete()[0]
    return counts


def _empty_captures(ids: Iterable[uuid.UUID]) -> list[str]:
    """Take everything of a vehicle out of captures; the names of the files to remove."""
    names: list[str] = []
    for capture in Capture.objects.select_for_update().filter(pk__in=list(ids)):
        names += [name for name in (capture.picture, capture.crop) if name]
        capture.picture = capture.crop = ""
        capture.read = None
        capture.latitude = capture.longitude = capture.heading = None
        capture.outcome = {**capture.outcome, "forgotten": True}
        capture.save(
            update_fields=["picture", "crop", "read", "latitude", "longitude", "heading", "outcome"]
        )
    return names


def _images(keep: selection.Keep, now: datetime, dry_run: bool) -> Line:
    line = Line(keep.site, DataClass.DEVICE_IMAGE)
    due = selection.images_due(keep, now)
    if dry_run:
        line.counts["pictures"] = due.count()
        return line
    with transaction.atomic():
        ids = list(due.values_list("pk", flat=True)[: selection.CHUNK])
        names = _empty_captures(ids)
        files.doom(names, now=now)
        line.counts["pictures"] = len(names)
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
    return line


def _rights_and_entries(now: datetime, dry_run: bool) -> None:
    if dry_run:
        return
    rights = selection.rights_due(now)
    entries = selection.entries_due(now)
    Right.objects.filter(pk__in=list(rights.values_list("pk", flat=True)[:5000])).delete()
    Entry.objects.filter(pk__in=list(entries.values_list("pk", flat=True)[:5000])).delete()


def _report(lines: list[Line], now: datetime) -> None:
    for line in lines:
        counts = line.counts
        if not any(counts[name] for name in ("reads", "passages", "pictures", "other")):
            continue  # what is only held is shown by the dry run, not stored every few seconds
        ErasureReport.objects.create(
            id=uuid7(now),
            at=now,
            site=line.site,
            data_class=line.data_class,
            **{name: counts[name] for name in ("reads", "passages", "pictures", "other", "held")},
        )
        record(
            stage_actor("forget"),
            "erase",
            purpose="retention",
            subject=line.data_class,
            count=max(1, counts["reads"] + counts["other"]),
            detail={name: number for name, number in counts.items() if number},
        )


SEALED_MODELS = (PlateRead, Passage, Case, Evidence, Right, RightPlate, Entry)


def keys_destroy_unused(*, now: datetime) -> int:
    """Destroy data keys of past days that no row is sealed with any more; how many.

    Today's and yesterday's keys are left: a process may hold one in its cache and still seal. After
    this, backups of the main database hold nothing but noise for these rows.
    """
    old = DataKey.objects.using(keys.STORE).filter(
        destroyed_at__isnull=True, day__lt=(now - timedelta(days=1)).date()
    )
    unused = [
        key_id
        for key_id in old.values_list("pk", flat=True)
        if not any(model.objects.filter(data_key=key_id).exists() for model in SEALED_MODELS)
        and not selection.sealed_captures().filter(data_key=key_id).exists()
    ]
    return keys.destroy(unused, now=now) if unused else 0


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
    """Set how long a class is kept at a site. BadInput without a legal basis."""
    if data_class not in DEFAULT_CLASSES:
        raise BadInput("class_unknown", "There is no such data class.", field="data_class")
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


DEFAULT_CLASSES = frozenset(DataClass.values)


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
