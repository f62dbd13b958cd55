"""Stage `gather`: the reads of one vehicle in view of one camera → one passage."""

import json
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef, Value

from audit.access import Access, stage_batch
from cameras.models import Capture
from core.ids import uuid7
from core.stages import ring
from inference.voting import Consensus, Seen, consensus
from plates.likeness import same_vehicle
from plates.models import Passage, PlateRead
from vault import blind
from vault.keys import KeyDestroyed
from vault.models import DataClass
from vault.sealing import SealBroken, assign_key, seal_text

log = structlog.get_logger(__name__)

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
    """Put waiting reads into passages, camera by camera; how many reads were gathered."""
    waiting = PlateRead.objects.filter(passage_id__isnull=True).order_by("id")
    cameras = dict.fromkeys(waiting.values_list("camera_id", flat=True)[:limit])
    done = 0
    # cameras nobody else is gathering come first; one that another worker holds is waited for only
    # when there is nothing else to do: what came after that worker looked must not be left behind
    for wait in (False, True):
        for camera_id in cameras:
            done += _gather_camera(camera_id, now, limit, wait=wait)
        if done:
            break
    return done


def _gather_camera(camera_id: uuid.UUID, now: datetime, limit: int, *, wait: bool) -> int:
    """Gather a camera's waiting reads, oldest first, in a transaction of their own.

    Only one worker at a time gathers a camera's: two may hold reads of one vehicle. So the reads
    need no lock of their own, and one that the stage `watch` has locked is not passed over.
    """
    call = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    with stage_batch("gather") as access:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {call}(hashtextextended(%s, 1))", [str(camera_id)])
            if not wait and not cursor.fetchone()[0]:
                return 0
        reads = list(
            PlateRead.objects.filter(passage_id__isnull=True, camera_id=camera_id)
            .select_related("site")
            .order_by("id")[:limit]
        )
        for read in reads:
            _gather(read, access, now)
        if reads:
            ring("judge")
    return len(reads)


def _gather(read: PlateRead, access: Access, now: datetime) -> None:
    passage_id = _passage_id(read)
    me = _openable(read, access)
    # what can't be opened shows no vehicle and must not be asked again for ever: it is put into a
    # passage that isn't, and goes when its time has come (`enforcement.retention`)
    if me is not None:
        passages = _seen_before(read, me, access)
        if not passages:
            passage = _open_passage(read, me, now)
            passage.save(force_insert=True)
        else:
            passage = passages[0]
            for other in passages[1:]:
                _merge(passage, other)
            _join(passage, read, me, access)
            passage.save()
        passage_id = passage.pk
    PlateRead.objects.filter(pk=read.pk).update(passage_id=passage_id)


def _openable(row: PlateRead | Passage, access: Access) -> Seen | None:
    try:
        return seen(row, access)
    except (KeyDestroyed, SealBroken) as error:
        log.error("gather_unopened", row=str(row.pk), error=type(error).__name__)
        return None


def _seen_before(read: PlateRead, me: Seen, access: Access) -> list[Passage]:
    """The passages of the vehicle that the read shows, locked, the oldest first: none where it is a
    new one, several where this late read shows that they were one.

    Only they are locked: gathering needn't wait until others' verdicts are written.
    """
    view = timedelta(seconds=read.site.debounce_seconds)
    near = Passage.objects.filter(
        camera_id=read.camera_id,
        quarantined=read.quarantined,
        reads__gt=0,
        last_at__gte=read.captured_at - view,
        first_at__lte=read.captured_at + view,
    )
    found: list[tuple[Passage, Seen | None]] = []
    for other in sorted(near, key=lambda p: (p.token_class != read.token_class, p.id)):
        what = None if other.token_class == read.token_class else _openable(other, access)
        if other.token_class != read.token_class and (what is None or not same_vehicle(me, what)):
            continue
        # two neighbours of a fleet are not one because a third text could be either
        if found and other.token_class != found[0][0].token_class:
            first = found[0][1] or _openable(found[0][0], access)
            if first is None or what is None or not same_vehicle(first, what):
                continue
        found.append((other, what))
    # one may have been forgotten since
    wanted = [other.pk for other, _ in found]
    locked = Passage.objects.select_for_update(no_key=True).filter(pk__in=wanted)
    return list(locked.order_by("id"))


def _merge(passage: Passage, other: Passage) -> None:
    """Take the reads of another passage of the same vehicle over. What is left of it has none, and
    is buried by the judge once it has taken back what it said of it (`passages_bury`)."""
    PlateRead.objects.filter(passage_id=other.pk).update(passage_id=passage.pk)
    if other.first_at < passage.first_at:
        passage.first_at, passage.first_read_id = other.first_at, other.first_read_id
    passage.last_at = max(passage.last_at, other.last_at)
    passage.received_at = min(passage.received_at, other.received_at)
    passage.reads += other.reads
    other.reads = 0
    other.status, other.final_at = Passage.Status.CLOSED, None
    other.revision += 1
    other.save(update_fields=["reads", "status", "final_at", "revision"])


def passages_bury(passage_ids: Iterable[uuid.UUID]) -> None:
    """Delete passages that others have taken over, once nothing speaks of them any more."""
    Passage.objects.filter(pk__in=list(passage_ids), reads=0).delete()


def _passage_id(first: PlateRead) -> uuid.UUID:
    return uuid7(first.captured_at, seed=b"passage" + first.pk.bytes)


def _open_passage(read: PlateRead, me: Seen, now: datetime) -> Passage:
    passage = Passage(
        id=_passage_id(read),
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
    opened = ((other, _openable(other, access)) for other in others)
    by_read = [(other, what) for other, what in opened if what is not None] + [(read, me)]
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
