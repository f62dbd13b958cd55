"""Taking things out: rows, pictures, and the report of it, all in one transaction.

What is erased leaves its report and its audit row with it, so a crash can't keep one without the
other. Files go through `vault.files.doom`, so a crash leaves no picture either.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from audit.services import record, stage_actor
from cameras.models import Capture, Site
from core.ids import uuid7
from enforcement.retention import selection
from enforcement.retention.models import ErasureReport
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.watchlist.models import Alert
from plates.models import Passage, PlateRead
from vault import files
from vault.models import DataClass

_REPORTED = ("reads", "passages", "pictures", "other")


def passages_erase(
    passage_ids: Iterable[uuid.UUID],
    *,
    site: Site,
    now: datetime,
    data_class: str = DataClass.PENDING,
    revisions: Mapping[uuid.UUID, int] | None = None,
    held: int = 0,
) -> Counter[str]:
    """Erase passages with their reads, alerts, pictures and visits; counts of what went.

    The captures stay without anything of the vehicle, their plate-free outcome kept; verdicts stay
    as figures, without the right that would name the vehicle. Held plates stay, and so does a
    passage that moved on from the revision it was found due at: a late read has reopened it.
    `data_class` is what it is reported under, `held` how many a hold exempted.
    """
    counts: Counter[str] = Counter()
    with transaction.atomic():
        held_tokens = selection.held_tokens(site).values("token_exact")
        ids = [
            pk
            for pk, revision in Passage.objects.select_for_update(skip_locked=True)
            .filter(pk__in=list(passage_ids))
            .exclude(token_exact__in=held_tokens)
            .order_by("pk")
            .values_list("pk", "revision")
            if revisions is None or revisions.get(pk) == revision
        ]
        if not ids:
            return counts
        counts = reads_erase(PlateRead.objects.filter(passage_id__in=ids), now=now)
        visits = Visit.objects.filter(Q(entry_passage_id__in=ids) | Q(exit_passage_id__in=ids))
        VerdictVersion.objects.filter(
            Q(passage_id__in=ids) | Q(visit_id__in=visits.values("pk"))
        ).update(right_id=None, explanation=[])
        visits.delete()
        counts["passages"] = Passage.objects.filter(pk__in=ids).delete()[0]
        report(site, data_class, counts, held=held, now=now)
    return counts


def reads_erase(reads: "QuerySet[PlateRead]", *, now: datetime) -> Counter[str]:
    """Erase reads with their crops, the alerts they raised, and captures that show nothing else.
    In the caller's transaction."""
    counts: Counter[str] = Counter()
    found = list(reads.values_list("pk", "capture_id", "crop"))
    ids, captures = [pk for pk, _, _ in found], {capture for _, capture, _ in found}
    names = [crop for _, _, crop in found if crop]
    counts["reads"] = PlateRead.objects.filter(pk__in=ids).delete()[0]
    # that a plate of a list was here is kept as long as the hit, not as long as the list's entry
    counts["other"] = Alert.objects.filter(read_id__in=ids).delete()[0]
    left = PlateRead.objects.filter(capture_id__in=captures).values_list("capture_id", flat=True)
    names += captures_empty(captures - set(left))
    files.doom(names, now=now)
    counts["pictures"] = len(names)
    return counts


def captures_empty(ids: Iterable[uuid.UUID]) -> list[str]:
    """Take everything of a vehicle out of captures; the names of the files to remove."""
    names: list[str] = []
    # in the order of their ids: other stages lock captures too
    for capture in Capture.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"):
        names += [name for name in (capture.picture, capture.crop) if name]
        capture.picture = capture.crop = ""
        capture.read = capture.wanted_at = None
        capture.latitude = capture.longitude = capture.heading = None
        capture.outcome = {**capture.outcome, "forgotten": True}
        capture.save(
            update_fields=[
                "picture",
                "crop",
                "read",
                "wanted_at",
                "latitude",
                "longitude",
                "heading",
                "outcome",
            ]
        )
    return names


def report(
    site: Site, data_class: str, counts: Counter[str], *, held: int = 0, now: datetime
) -> None:
    """Store what went, in the transaction it went in; call it last. Nothing when nothing did."""
    if not any(counts[name] for name in _REPORTED):
        return
    ErasureReport.objects.create(
        id=uuid7(now),
        at=now,
        site=site,
        data_class=data_class,
        held=held,
        **{name: counts[name] for name in _REPORTED},
    )
    erasure_record(
        data_class,
        count=max(1, counts["reads"] + counts["other"]),
        detail={name: counts[name] for name in _REPORTED if counts[name]},
    )


def erasure_record(subject: str, *, count: int, detail: Mapping[str, int] | None = None) -> None:
    """The audit row of something erased on time."""
    record(
        stage_actor("forget"),
        "erase",
        purpose="retention",
        subject=subject,
        count=count,
        detail=detail,
    )
