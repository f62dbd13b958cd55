"""Stage `gather`: the reads of one vehicle in view of one camera → one passage."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F

from audit.access import stage_batch
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

# What waits is summed up once for each camera: looked for at each passage, a day that a camera
# delivers late costs passages × captures.
_OVER = """
WITH captures AS MATERIALIZED (
    SELECT camera_id, min(captured_at) AS since FROM cameras_capture
    WHERE status = 'received' GROUP BY camera_id
), reads AS MATERIALIZED (
    SELECT camera_id, min(captured_at) AS since FROM plates_plateread
    WHERE passage_id IS NULL GROUP BY camera_id
)
SELECT passage.id FROM plates_passage passage
JOIN cameras_camera camera ON camera.id = passage.camera_id
JOIN cameras_site site ON site.id = camera.site_id
LEFT JOIN captures ON captures.camera_id = camera.id
LEFT JOIN reads ON reads.camera_id = camera.id
WHERE passage.status = 'open'
AND least(camera.through, captures.since, reads.since)
    > passage.last_at + site.debounce_seconds * interval '1 second'
AND camera.through IS NOT NULL
ORDER BY passage.id LIMIT %s FOR NO KEY UPDATE OF passage SKIP LOCKED
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
    nothing that it delivered from before then is still on its way through our own stages.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # Locking looks at each row once more: one that a read has just joined is not closed by what
        # was true before.
        cursor.execute(_OVER, [limit])
        ids = [row[0] for row in cursor.fetchall()]
        Passage.objects.filter(pk__in=ids).update(
            status=Passage.Status.CLOSED, revision=F("revision") + 1
        )
        if ids:
            ring("judge")
    return len(ids)


def passages_end(*, site_id: uuid.UUID) -> int:
    """Close every open passage of a site whose cameras deliver nothing more that belongs to it: the
    whole of what they saw is there (a replay). How many; a read that comes all the same opens its
    passage again."""
    open_ = Passage.objects.filter(site_id=site_id, status=Passage.Status.OPEN)
    return open_.update(status=Passage.Status.CLOSED, revision=F("revision") + 1)
