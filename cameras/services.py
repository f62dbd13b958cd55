"""Writing what devices send: captures, heartbeats, and what became of them."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Greatest

from cameras.intake import Limits, Sent
from cameras.models import Camera, Capture, Heartbeat
from core.errors import Conflict
from core.ids import uuid7
from core.live import announce
from core.stages import ring
from vault import blind, files, sealing
from vault.models import DataClass

log = structlog.get_logger(__name__)

_KEEP_HEARTBEATS = timedelta(days=7)
_HEARTBEAT_SECONDS = 5.0
"""How long a heartbeat may be on its way: a clock that lags by no more can't be told from that."""
_NOTE_SEEN_EVERY = timedelta(seconds=1)
_KNOWN = "SELECT id FROM cameras_capture WHERE camera_id = %s AND event_token = ANY(%s::uuid[])"


def intake_limits() -> Limits:
    """The limits of intake as configured."""
    return Limits(
        max_age=settings.CAPTURE_MAX_AGE,
        max_ahead=settings.CAPTURE_MAX_AHEAD,
        max_bytes=settings.PICTURE_MAX_BYTES,
        max_pixels=settings.PICTURE_MAX_PIXELS,
    )


# --- captures ------------------------------------------------------------------------------------
def capture_receive(*, camera: Camera, sent: Sent, now: datetime) -> Capture:
    """Store one capture durably, wake recognition, and note that the camera lives.

    A repeat returns the row of the first time. Conflict `event_conflict` when the same event comes
    with other content. `camera` needs its site loaded.
    """
    capture = capture_store(camera=camera, sent=sent, now=now)
    captures_arrived(camera=camera, sent=[sent], now=now)
    return capture


def capture_store(*, camera: Camera, sent: Sent, now: datetime) -> Capture:
    """Store one capture durably, once; see `capture_receive`."""
    event, content = _names(camera, sent)
    known = _known(camera, event)
    if known is not None:
        return _repeated(known, content)
    capture = _row(camera, sent, event, content, now)
    try:
        _seal(capture, sent, now)
        capture.save(force_insert=True)  # one statement, which commits itself
    except (OperationalError, InterfaceError):
        # the row may have been committed and only the answer lost: its files must stay. If it was
        # not, they are orphans, and found as such
        raise
    except IntegrityError:
        files.doom([capture.picture, capture.crop], now=now)
        known = _known(camera, event)
        if known is None:
            raise
        return _repeated(known, content)  # two identical posts raced, and the other one won
    except Exception:
        files.doom([capture.picture, capture.crop], now=now)
        raise
    return capture


def captures_store(
    *, camera: Camera, sent: Sequence[Sent], now: datetime
) -> list[Capture | Conflict | OSError]:
    """Store many captures of one camera durably, each once; for each its row, or why not.

    What `capture_store` does, in one look-up, one insert and one look at what came of it, since
    each statement and each wait for the disk costs more than a small capture. An OSError is of one
    whose pictures can't be stored just now: its neighbours are, and it must come again. Nothing is
    stored when it raises, but for an OperationalError or InterfaceError: then nobody knows.
    """
    names = [_names(camera, one) for one in sent]
    known = _all_known(camera, [event for event, _ in names])
    fresh: dict[str, tuple[Capture, Sent]] = {}
    for one, (event, content) in zip(sent, names, strict=True):
        if event not in known:
            row = _row(camera, one, event, content, now)
            known[event], fresh[event] = row, (row, one)
    rows = [row for row, _ in fresh.values()]
    try:
        unstored = _seal_all(list(fresh.values()), now)
        whole = [row for row in rows if row.pk not in unstored]
        Capture.objects.bulk_create(whole, ignore_conflicts=True)
    except (OperationalError, InterfaceError):
        raise  # as in `capture_store`
    except Exception:
        files.doom(_files_of(rows), now=now)
        raise
    files.doom(_files_of([row for row in rows if row.pk in unstored]), now=now)
    stored = {event: one for event, one in fresh.items() if one[0].pk not in unstored}
    if stored:
        known |= _raced(camera, stored, now)
    return [
        unstored.get(known[event].pk) or _settled(known[event], content) for event, content in names
    ]


def _files_of(rows: Sequence[Capture]) -> list[str]:
    return [name for row in rows for name in (row.picture, row.crop)]


def _raced(
    camera: Camera, fresh: Mapping[str, tuple[Capture, Sent]], now: datetime
) -> dict[str, Capture]:
    """What another post stored of the same events meanwhile; the files that were sealed here for
    them go."""
    there = _all_known(camera, list(fresh))
    lost: list[str] = []
    for event, (row, _) in fresh.items():
        ours = {name for name in (row.picture, row.crop) if name}
        lost += ours - {there[event].picture, there[event].crop}
    files.doom(lost, now=now)
    return there


def _settled(known: Capture, content: str) -> Capture | Conflict:
    try:
        return _repeated(known, content)
    except Conflict as error:
        return error


def captures_arrived(*, camera: Camera, sent: list[Sent], now: datetime) -> None:
    """After captures are stored: wake recognition once, note when the camera was last heard of."""
    ring("recognise")
    stated = [
        one.through
        for one in sent
        if one.through is not None and not _quarantined(camera, one, now)
    ]
    _heard(camera, now=now, through=max(stated, default=None))


def _quarantined(camera: Camera, sent: Sent, now: datetime) -> bool:
    """Whether the device did not know the time, or its clock was off: ahead, by what it says now
    or, saying nothing, said last; behind, by its last heartbeat alone, which is short and sent at
    once, while a picture may be long on its way."""
    if not sent.clock_known:
        return True
    if _ahead(camera, sent.captured_at, sent.sent_at, sent.through, now=now):
        return True
    measured, limit = camera.clock_skew_seconds, camera.site.skew_limit_seconds
    if measured is None:
        return False
    return measured < -(limit + _HEARTBEAT_SECONDS) or (sent.sent_at is None and measured > limit)


def _ahead(camera: Camera, *times: datetime | None, now: datetime) -> bool:
    """Whether one of a device's times proves its clock to be ahead by more than the site allows.

    Only being ahead can be proven: a time behind the server's may have been on its way that long.
    Exactly the limit is not beyond it (scenario.md, Boundaries).
    """
    limit = timedelta(seconds=camera.site.skew_limit_seconds)
    return any(at is not None and at - now > limit for at in times)


def _digest(sent: Sent) -> str:
    """SHA-256 (hex) of everything that makes the capture what it is; a resend has the same.

    Never stored as it is: over little more than a plate it would be a guessable hash, so it is
    keyed like every other token (domain-rules §7).
    """
    form = {
        "kind": sent.kind,
        "captured_at": sent.captured_at.isoformat(),
        "picture": hashlib.sha256(sent.picture).hexdigest() if sent.picture else None,
        "crop": hashlib.sha256(sent.crop).hexdigest() if sent.crop else None,
        "where": [sent.latitude, sent.longitude, sent.heading],
        "exposure": sent.exposure,
        "read": sent.read,
    }
    if not sent.clock_known:
        form["clock"] = "unknown"
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()


def _names(camera: Camera, sent: Sent) -> tuple[str, str]:
    """What tells a capture's event from others, and its content; the latter stands in where the
    device gave no event."""
    content = f"content:{_digest(sent)}"
    return f"{camera.pk}:{sent.event or content}", content


def _all_known(camera: Camera, events: Sequence[str]) -> dict[str, Capture]:
    """The captures of those events that are there, under any index key still in the ring."""
    of_token = {token: event for event in events for token in blind.tokens(blind.Kind.EVENT, event)}
    found = Capture.objects.filter(camera=camera, event_token__in=list(of_token))
    return {of_token[capture.event_token]: capture for capture in found}


def _known(camera: Camera, event: str) -> Capture | None:
    """The capture of this event, under any index key still in the ring."""
    tokens = blind.tokens(blind.Kind.EVENT, event)
    with connection.cursor() as cursor:
        # by hand, since nearly every capture asks and nearly none is known
        cursor.execute(_KNOWN, [camera.pk, tokens])
        found = cursor.fetchone()
    return Capture.objects.filter(pk=found[0]).first() if found else None


def _repeated(known: Capture, content: str) -> Capture:
    stored = bytes(known.content_digest)
    if all(token.bytes != stored for token in blind.tokens(blind.Kind.EVENT, content)):
        raise Conflict(
            "event_conflict",
            "This event was received before with other content.",
            field="event_id",
        )
    return known


def _row(camera: Camera, sent: Sent, event: str, content: str, now: datetime) -> Capture:
    token = blind.token(blind.Kind.EVENT, event)
    return Capture(
        # the seed is the keyed token: an id made of the client's own event id would be a hash
        # that tells whoever guesses a plate inside it
        id=uuid7(sent.captured_at, seed=token.bytes),
        camera=camera,
        site=camera.site,
        kind=sent.kind,
        event_token=token,
        content_digest=blind.token(blind.Kind.EVENT, content).bytes,
        captured_at=sent.captured_at,
        received_at=now,
        quarantined=_quarantined(camera, sent, now),
        latitude=sent.latitude,
        longitude=sent.longitude,
        heading=sent.heading,
        exposure=sent.exposure,
        picture_sha256=hashlib.sha256(sent.picture).digest() if sent.picture else None,
        picture_bytes=len(sent.picture or b""),
    )


def _seal(capture: Capture, sent: Sent, now: datetime) -> None:
    sealing.assign_key(capture, scope=str(capture.site_id), data_class=DataClass.PENDING, now=now)
    if sent.picture:
        sealing.seal_file(capture, "picture", sent.picture, now=now)
    if sent.crop:
        sealing.seal_file(capture, "crop", sent.crop, now=now)
    if sent.read is not None:
        sealing.seal_text(capture, {"read": json.dumps(sent.read)})


def _seal_all(fresh: Sequence[tuple[Capture, Sent]], now: datetime) -> dict[uuid.UUID, OSError]:
    """Seal what was sent into its rows; the ids of those whose files can't be stored, and why."""
    pictures = []
    for capture, sent in fresh:
        scope = str(capture.site_id)
        sealing.assign_key(capture, scope=scope, data_class=DataClass.PENDING, now=now)
        if sent.read is not None:
            sealing.seal_text(capture, {"read": json.dumps(sent.read)})
        both = (("picture", sent.picture), ("crop", sent.crop))
        pictures += [(capture, name, data) for name, data in both if data]
    return {row.pk: error for row, error in sealing.seal_files(pictures, now=now)}


# --- how cameras are ------------------------------------------------------------------------------
def heartbeat_receive(
    *,
    camera: Camera,
    queue_depth: int | None,
    through: datetime | None,
    sent_at: datetime | None,
    detail: Mapping[str, bool | float | str],
    now: datetime,
) -> Heartbeat:
    """Store what a device says of itself, and bring its camera up to date.

    `through` is the spool's watermark: everything seen until then has been delivered. A device
    that states none but an empty queue has delivered everything until it spoke. A device whose
    clock is ahead can't say either, so its watermark stays.
    """
    skew = None if sent_at is None else (sent_at - now).total_seconds()
    heartbeat = Heartbeat(
        id=uuid7(now),
        camera=camera,
        received_at=now,
        sent_at=sent_at,
        through=through,
        queue_depth=queue_depth,
        clock_skew_seconds=skew,
        detail=dict(detail),
    )
    heartbeat.save(force_insert=True)
    if through is None and queue_depth == 0:
        through = sent_at
    ahead = _ahead(camera, sent_at, through, now=now)
    said: dict[str, Any] = {
        "queue_depth": queue_depth,
        "clock_skew_seconds": skew,
        "detail": dict(detail) or None,
    }
    said = {name: value for name, value in said.items() if value is not None}
    if said:
        Camera.objects.filter(pk=camera.pk).update(**said)
        camera.clock_skew_seconds = said.get("clock_skew_seconds", camera.clock_skew_seconds)
    _heard(camera, now=now, through=None if ahead else through)
    return heartbeat


def _heard(camera: Camera, *, now: datetime, through: datetime | None) -> None:
    """Note that the camera lives, at most once a second unless its watermark moves."""
    if through is not None:
        through = min(through, now)  # nobody has delivered the future
    recent = camera.last_seen_at is not None and now - camera.last_seen_at < _NOTE_SEEN_EVERY
    moved = through is not None and (camera.through is None or through > camera.through)
    if recent and not moved and camera.state == Camera.State.ONLINE:
        return
    changes: dict[str, Any] = {"last_seen_at": Greatest("last_seen_at", Value(now))}
    if through is not None:
        changes["through"] = Greatest("through", Value(through))
    with transaction.atomic():
        row = Camera.objects.filter(pk=camera.pk)
        came_back = row.exclude(state=Camera.State.ONLINE).update(
            state=Camera.State.ONLINE, **changes
        )
        if came_back:
            announce("camera", camera)
        else:
            row.update(**changes)
    # other requests of the next second have this very camera (`cameras.keys`)
    camera.last_seen_at, camera.state = max(now, camera.last_seen_at or now), Camera.State.ONLINE
    if moved:
        camera.through = through


def cameras_check(*, now: datetime) -> int:
    """Mark cameras offline that have been silent for longer than their site allows; how many."""
    allowed = ExpressionWrapper(
        Value(timedelta(seconds=1)) * F("site__offline_after_seconds"),
        output_field=DurationField(),
    )
    with transaction.atomic():
        silent = list(
            Camera.objects.filter(state=Camera.State.ONLINE)
            .filter(Q(last_seen_at__isnull=True) | Q(last_seen_at__lt=Value(now) - allowed))
            .select_for_update(of=("self",), skip_locked=True)
            .order_by("pk")
        )
        Camera.objects.filter(pk__in=[camera.pk for camera in silent]).update(
            state=Camera.State.OFFLINE
        )
        for camera in silent:
            log.info("camera_offline", camera=str(camera.pk))
            announce("camera", camera)
    return len(silent)


def heartbeats_prune(*, now: datetime, limit: int = 5000) -> int:
    """Delete up to `limit` heartbeats older than seven days; how many."""
    old = Heartbeat.objects.filter(received_at__lt=now - _KEEP_HEARTBEATS).order_by("received_at")
    deleted, _ = Heartbeat.objects.filter(pk__in=old.values("pk")[:limit]).delete()
    return deleted
