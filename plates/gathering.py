"""Stage `gather`: the reads of one vehicle in view of one camera → one passage."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef, Value

from audit.access import stage_batch
from cameras.models import Capture
from core.stages import ring
from plates.models import Passage, PlateRead
from plates.placing import Placing

MOST_GATHERED = 200

_LOCK = """
SELECT id, pg_advisory_xact_lock(hashtextextended(id::text, 1)) FROM unnest(%s::uuid[]) AS id
"""
_TRY_LOCK = """
SELECT id FROM unnest(%s::uuid[]) AS id
WHERE pg_try_advisory_xact_lock(hashtextextended(id::text, 1))
"""


def reads_gather(*, now: datetime, limit: int = MOST_GATHERED) -> int:
    """Put waiting reads into passages; how many reads were gathered."""
    waiting = PlateRead.objects.filter(passage_id__isnull=True).order_by("id")
    cameras = set(waiting.values_list("camera_id", flat=True)[:limit])
    if not cameras:
        return 0
    # cameras nobody else is gathering come first; one that another worker holds is waited for only
    # when there is nothing else to do: what came after that worker looked must not be left behind
    done, busy = _gather_cameras(cameras, now, limit, wait=False)
    if done:
        if busy:
            ring("gather")
        return done
    return sum(_gather_cameras({one}, now, limit, wait=True)[0] for one in sorted(busy))


def _gather_cameras(
    cameras: set[uuid.UUID], now: datetime, limit: int, *, wait: bool
) -> tuple[int, set[uuid.UUID]]:
    """Gather waiting reads of cameras, oldest first, in one transaction; how many reads there were,
    and the cameras that another worker holds.

    Only one worker at a time gathers a camera's: two may hold reads of one vehicle. So the reads
    need no lock of their own, and one that the stage `watch` has locked is not passed over.
    """
    with stage_batch("gather") as access:
        with connection.cursor() as cursor:
            cursor.execute(_LOCK if wait else _TRY_LOCK, [sorted(cameras)])
            ours = {row[0] for row in cursor.fetchall()}
        reads = list(
            PlateRead.objects.filter(passage_id__isnull=True, camera_id__in=ours)
            .select_related("site")
            .order_by("id")[:limit]
        )
        if reads:
            Placing(reads, access, now).write()
            ring("judge")
    return len(reads), cameras - ours


def passages_bury(passage_ids: Iterable[uuid.UUID]) -> None:
    """Delete passages that others have taken over, once nothing speaks of them any more."""
    Passage.objects.filter(pk__in=list(passage_ids), reads=0).delete()


def passages_close(*, now: datetime, limit: int = 1000) -> int:
    """Close passages that nothing can join any more; how many.

    That is known only from the camera's watermark: it has delivered everything up to a moment more
    than the debounce after the passage's last read (a gap of exactly the debounce still joins), and
    nothing that it delivered from around that time is still on its way through our own stages.
    """
    view = ExpressionWrapper(
        F("camera__site__debounce_seconds") * Value(timedelta(seconds=1)),
        output_field=DurationField(),
    )
    around: dict[str, Any] = {
        "camera_id": OuterRef("camera_id"),
        "captured_at__gte": OuterRef("begin"),
        "captured_at__lte": OuterRef("end"),
    }
    over = (
        Passage.objects.filter(status=Passage.Status.OPEN)
        .annotate(begin=F("first_at") - view, end=F("last_at") + view)
        .filter(
            ~Exists(Capture.objects.filter(status=Capture.Status.RECEIVED, **around)),
            ~Exists(PlateRead.objects.filter(passage_id__isnull=True, **around)),
            camera__through__gt=F("end"),
        )
    )
    with transaction.atomic():
        # Locking looks at each row once more: one that a read has just joined is not closed by what
        # was true before.
        locked = over.select_for_update(skip_locked=True, no_key=True, of=("self",))
        ids = list(locked.order_by("id").values_list("pk", flat=True)[:limit])
        Passage.objects.filter(pk__in=ids).update(
            status=Passage.Status.CLOSED, revision=F("revision") + 1
        )
        if ids:
            ring("judge")
    return len(ids)
