"""Stage `recognise`: captures → sealed reads. See `gathering` for reads → passages."""

import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from audit.access import Access, stage_batch
from cameras.counting import captures_count, day_of
from cameras.models import Capture
from cameras.outcomes import Finished, captures_finish
from core.ids import uuid7
from core.leases import claim, untried
from core.live import announce
from core.platetext import PlateTextError, canonical
from core.stages import ring, ring_now
from plates.models import PlateRead
from plates.recognition import Found, Outcome, from_device, recognise_picture
from vault import blind, files
from vault.keyring import KeyringError
from vault.keys import KeyDestroyed
from vault.models import DataClass
from vault.sealing import SealBroken, assign_key, seal_file, seal_text

MOST_ATTEMPTS = 4
MOST_AT_ONCE = 8
"""How many captures a worker takes at once: enough that statements and commits are shared, few
enough that it is done with them in a tenth of a second."""
_MOST_BYTES = 32 * 1024 * 1024  # of pictures open at a time
_FAIR = 4
_turns = itertools.count(1)

log = structlog.get_logger(__name__)


def captures_recognise(*, now: datetime) -> int:
    """Claim a batch of captures and finish each; how many were claimed.

    One that can't be finished for a reason that lies outside it (a store is away, a disk full)
    waits for its lease and is tried again, as often as it takes: what was accepted is never lost
    for that, and holds up no other.
    """
    captures = _claim(now)
    left = {capture.pk: capture for capture in captures}
    try:
        for part in _parts(captures):
            read = [(capture, _recognise(capture, what)) for capture, what in _opened(part)]
            for capture in _finish(read, now):
                del left[capture.pk]
    except SoftTimeLimitExceeded:
        left.clear()  # a picture may be what took so long: its attempt counts
        raise
    finally:
        if left:
            with suppress(DatabaseError, InterfaceError):
                untried(left.values())
    if any(capture.attempts > 1 for capture in captures):
        ring_now("recognise")  # it was taken alone, and others may wait
    return len(captures)


def _claim(now: datetime) -> list[Capture]:
    """Captures nobody tried before, or one that somebody did.

    That one is taken alone: if its picture is what kills workers, no other must die with it. Every
    fourth turn begins with it, and then with pictures, or a camera that sends finished reads
    without end would keep every frame waiting.
    """
    waiting = Capture.objects.filter(status=Capture.Status.RECEIVED).select_related("site")
    fresh, again = (waiting.filter(attempts=0), MOST_AT_ONCE), (waiting.filter(attempts__gt=0), 1)
    pictures = (fresh[0].exclude(kind=Capture.Kind.READ), MOST_AT_ONCE)
    for rows, limit in (fresh, again) if next(_turns) % _FAIR else (again, pictures, fresh):
        captures = claim(rows, limit=limit, lease=settings.RECOGNISE_LEASE, now=now)
        if captures:
            return captures
    return []


def _parts(captures: list[Capture]) -> Iterator[list[Capture]]:
    """The captures in lots whose pictures fit into memory together."""
    part: list[Capture] = []
    size = 0
    for capture in captures:
        if part and size + capture.picture_bytes > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(capture)
        size += capture.picture_bytes
    if part:
        yield part


def _opened(captures: list[Capture]) -> list[tuple[Capture, bytes | str | Outcome]]:
    """What is to be read of each: a finished read's JSON, a picture's bytes, or why there is
    nothing to read. One that can't be opened just now is left out."""
    opened: list[tuple[Capture, bytes | str | Outcome]] = []
    with stage_batch("recognise") as access:
        for capture in captures:
            try:
                opened.append((capture, _material(capture, access)))
            except (OSError, KeyringError) as error:
                log.error("capture_unopened", capture=str(capture.pk), error=type(error).__name__)
    return opened


def _material(capture: Capture, access: Access) -> bytes | str | Outcome:
    if capture.attempts > MOST_ATTEMPTS:
        # whoever claimed it before died on it: a picture that kills the decoder must not be
        # tried for ever
        return Outcome(failure="worker_lost", sentence="Every worker that tried it died.")
    try:
        if capture.kind != Capture.Kind.READ:
            return access.file(capture, "picture")
        if capture.read is None:
            raise FileNotFoundError  # forgotten after days in which nobody could read it
        return access.text(capture, "read")
    except FileNotFoundError:
        return Outcome(failure="picture_gone", sentence="What was stored is not there any more.")
    except (KeyDestroyed, SealBroken):
        return Outcome(failure="seal_broken", sentence="What was stored can't be opened any more.")


def _recognise(capture: Capture, material: bytes | str | Outcome) -> Outcome:
    try:
        if isinstance(material, Outcome):
            return material
        if isinstance(material, str):
            return from_device(json.loads(material))
        return recognise_picture(
            material,
            kind=capture.kind,
            regions=tuple(capture.site.regions),
            strict=capture.site.regions_strict,
        )
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # the capture is kept with its reason; the batch goes on
        log.exception("recognise_failed", capture=str(capture.pk))
        return _failed(error)


def _failed(error: Exception) -> Outcome:
    return Outcome(
        failure="recognition_error", sentence=f"Recognition failed: {type(error).__name__}."
    )


def _finish(read: Sequence[tuple[Capture, Outcome]], now: datetime) -> list[Capture]:
    """Write what was read off several captures, all at once; those that are finished now."""
    sealed: list[_Sealed] = []
    try:
        for capture, outcome in read:
            sealed.append(_seal(capture, outcome, now))
        _write(sealed, now)
    except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise
    except Exception:  # one of them is to blame, and the others must not suffer for it
        files.doom([read.crop for one in sealed for read in one.reads], now=now)
        return [capture for capture, outcome in read if _finished(capture, outcome, now)]
    return [capture for capture, _ in read]


def _finished(capture: Capture, outcome: Outcome, now: datetime) -> bool:
    """Write one by itself; False where that has to wait. What no column can hold is a failure."""
    try:
        capture_finish(capture=capture, outcome=outcome, now=now)
    except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise
    except OSError as error:
        log.error("capture_unwritten", capture=str(capture.pk), error=type(error).__name__)
        return False
    except Exception as error:
        log.exception("capture_unwritable", capture=str(capture.pk))
        capture_finish(capture=capture, outcome=_failed(error), now=now)
    return True


def capture_finish(*, capture: Capture, outcome: Outcome, now: datetime) -> bool:
    """Write a capture's reads and status, once; False if another worker was quicker."""
    return bool(_write([_seal(capture, outcome, now)], now))


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A capture's reads, sealed and not yet written, and what becomes of its row."""

    capture: Capture
    finished: Finished
    reads: list[PlateRead]


def _seal(capture: Capture, outcome: Outcome, now: datetime) -> _Sealed:
    reads = [
        read
        for index, found in enumerate(outcome.plates)
        if (read := _sealed_read(capture, index, found, outcome, now)) is not None
    ]
    if outcome.failure:
        status = Capture.Status.FAILED
    else:
        status = Capture.Status.RECOGNISED if reads else Capture.Status.UNREADABLE
    rejected = [{"reason": k, "count": n} for k, n in sorted(outcome.rejected.items())]
    facts = {"reads": len(reads), "rejected": rejected}
    finished = Finished(capture.pk, status.value, outcome.failure, outcome.sentence, facts)
    return _Sealed(capture, finished, reads)


def _write(sealed: Sequence[_Sealed], now: datetime) -> set[uuid.UUID]:
    """Write captures and their reads in one transaction; the captures nobody had finished before.

    The update is conditional on the status, the reads' ids are deterministic: whoever comes second
    changes nothing.
    """
    with transaction.atomic():
        mine = captures_finish([one.finished for one in sealed], now=now)
        ours = [one for one in sealed if one.capture.pk in mine]
        late = [one for one in sealed if one.capture.pk not in mine]
        files.doom([read.crop for one in late for read in one.reads], now=now)
        reads = [read for one in ours for read in one.reads]
        PlateRead.objects.bulk_create(reads)
        announce("read", *reads)
        if reads:
            ring("watch")
            ring("gather")
        captures_count(
            {one.capture.pk: day_of(one.capture.site, one.capture.received_at) for one in ours}
        )
    return mine


def _sealed_read(
    capture: Capture, index: int, found: Found, outcome: Outcome, now: datetime
) -> PlateRead | None:
    try:
        text = canonical(found.text)
    except PlateTextError:
        return None
    read = PlateRead(
        id=read_id(capture, index),
        capture_id=capture.pk,
        index=index,
        site_id=capture.site_id,
        camera_id=capture.camera_id,
        captured_at=capture.captured_at,
        received_at=capture.received_at,
        quarantined=capture.quarantined,
        token_exact=blind.exact(text),
        token_class=blind.equivalent(text),
        country=found.country,
        category=found.category,
        score=found.score,
        detector_score=found.detector_score,
        char_scores=list(found.char_scores),
        box=list(found.box) if found.box else None,
        quad=list(found.quad) if found.quad else None,
        models_used=outcome.models_used,
        source="device" if capture.kind == Capture.Kind.READ else "ours",
    )
    assign_key(read, scope=str(capture.site_id), data_class=DataClass.PENDING, now=now)
    seal_text(read, {"text": text, "candidates": json.dumps(found.candidates)})
    if found.crop is not None:
        seal_file(read, "crop", found.crop, now=now)
    return read


def read_id(capture: Capture, index: int) -> uuid.UUID:
    """The id of a capture's plate number `index`: the same however often it is recognised."""
    return uuid7(capture.captured_at, seed=capture.pk.bytes + index.to_bytes(2, "big"))
