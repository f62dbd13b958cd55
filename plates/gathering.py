"""Stage `gather`: the reads of one vehicle in view of one camera → one passage."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import DurationField, ExpressionWrapper, F, Value

from audit.access import Access, stage_batch
from core.ids import uuid7
from core.stages import ring
from plates.consensus import Consensus, Seen, consensus, same_vehicle
from plates.models import Passage, PlateRead
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

MOST_READS = 25
"""A parked vehicle is read for ever; this many best reads say what it is."""


def seen(row: PlateRead | Passage, access: Access) -> Seen:
    """What a sealed read or passage says, opened within a stage's batch."""
    return Seen(
        text=access.text(row, "text"),
        score=row.score if isinstance(row, PlateRead) else row.confidence,
        char_scores=tuple(row.char_scores),
        candidates=tuple((t, s) for t, s in json.loads(access.text(row, "candidates"))),
    )


def reads_gather(*, now: datetime, limit: int = 200) -> int:
    """Put waiting reads into passages; how many reads were gathered."""
    with stage_batch("gather") as access:
        reads = list(
            PlateRead.objects.filter(passage_id__isnull=True)
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("site")
            .order_by("id")[:limit]
        )
        for camera_id in sorted({read.camera_id for read in reads}):
            # two workers may hold reads of one vehicle: only one at a time gathers a camera's
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [str(camera_id)]
                )
            for read in reads:
                if read.camera_id == camera_id:
                    _gather(read, access, now)
        if reads:
            ring("judge")
    return len(reads)


def _gather(read: PlateRead, access: Access, now: datetime) -> None:
    view = timedelta(seconds=read.site.debounce_seconds)
    near = Passage.objects.filter(
        camera_id=read.camera_id,
        quarantined=read.quarantined,
        last_at__gte=read.captured_at - view,
        first_at__lte=read.captured_at + view,
    ).select_for_update()
    me = seen(read, access)
    passage = next(
        (
            other
            for other in sorted(near, key=lambda p: (p.token_class != read.token_class, p.id))
            if other.token_class == read.token_class or same_vehicle(me, seen(other, access))
        ),
        None,
    )
    if passage is None:
        passage = _open_passage(read, me, now)
        passage.save(force_insert=True)
    else:
        _join(passage, read, me, access)
        passage.save()
    read.passage_id = passage.pk
    PlateRead.objects.filter(pk=read.pk).update(passage_id=passage.pk)


def _open_passage(read: PlateRead, me: Seen, now: datetime) -> Passage:
    passage = Passage(
        id=uuid7(read.captured_at, seed=b"passage" + read.pk.bytes),
        site_id=read.site_id,
        camera_id=read.camera_id,
        first_at=read.captured_at,
        last_at=read.captured_at,
        received_at=read.received_at,
        quarantined=read.quarantined,
        first_read_id=read.pk,
        best_read_id=read.pk,
        country=read.country,
        category=read.category,
        class_since=now,
    )
    assign_key(passage, scope=str(read.site_id), data_class=DataClass.PENDING, now=now)
    _say(passage, consensus([me]))
    return passage


def _join(passage: Passage, read: PlateRead, me: Seen, access: Access) -> None:
    """Take a further read in: times, consensus, revision. A closed passage opens again."""
    others = PlateRead.objects.filter(passage_id=passage.pk).order_by("-score", "id")[:MOST_READS]
    by_read = [(other, seen(other, access)) for other in others] + [(read, me)]
    if read.captured_at < passage.first_at:
        passage.first_at, passage.first_read_id = read.captured_at, read.pk
    passage.last_at = max(passage.last_at, read.captured_at)
    passage.received_at = min(passage.received_at, read.received_at)
    passage.reads += 1
    agreed = consensus([what for _, what in by_read])
    _say(passage, agreed)
    best = max(by_read, key=lambda pair: (pair[1].text == agreed.text, pair[0].score, pair[0].pk))
    passage.best_read_id = best[0].pk
    passage.agreed = sum(what.text == agreed.text for _, what in by_read) > 1
    passage.country = _one([row.country for row, what in by_read if what.text == agreed.text])
    passage.category = _one([row.category for row, _ in by_read])
    passage.status = Passage.Status.OPEN
    passage.final_at = None
    passage.revision += 1


def _one(values: Iterable[str]) -> str:
    """The value all agree on, leaving out the silent; "" where they differ."""
    named = {value for value in values if value}
    return named.pop() if len(named) == 1 else ""


def _say(passage: Passage, agreed: Consensus) -> None:
    seal_text(passage, {"text": agreed.text, "candidates": json.dumps(agreed.candidates)})
    passage.token_exact = blind.exact(agreed.text)
    passage.token_class = blind.equivalent(agreed.text)
    passage.confidence = agreed.confidence
    passage.char_scores = list(agreed.char_scores)


def passages_close(*, now: datetime) -> int:
    """Close passages that nothing can join any more; how many.

    That is known only from the camera's watermark: it has delivered everything up to a moment more
    than the debounce after the passage's last read (a gap of exactly the debounce still joins).
    """
    view = ExpressionWrapper(
        F("camera__site__debounce_seconds") * Value(timedelta(seconds=1)),
        output_field=DurationField(),
    )
    over = Passage.objects.filter(
        status=Passage.Status.OPEN, camera__through__gt=F("last_at") + view
    ).values("pk")
    closed = Passage.objects.filter(pk__in=over, status=Passage.Status.OPEN).update(
        status=Passage.Status.CLOSED, revision=F("revision") + 1
    )
    if closed:
        ring("judge")
    return closed
