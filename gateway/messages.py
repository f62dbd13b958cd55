"""What a broker brought, into the intake of `cameras`: the same checks, the same rows as by REST.

A capture is stored once per event id, however often its message comes: a message may be taken
again at any time, so it is acknowledged only after this returned.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from cameras.bodies import Submission, submission
from cameras.intake import Sent, sent
from cameras.keys import device_key_recall
from cameras.models import Camera, DeviceKey
from cameras.services import captures_arrived, captures_store, intake_limits
from core.errors import BadInput, NotAllowed, NotFound, ProductError
from gateway import envelope, frigate

READS = "platewarden/+/reads"
"""Our own topic as a subscription; the level in the middle is the camera's slug."""


@dataclass(slots=True)
class Taken:
    """What became of a message's captures: how many are stored now (also if they were before), and
    how many were refused, by the code of the reason. Nothing of their content."""

    stored: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def topics() -> list[str]:
    """What the bridge subscribes to: Frigate's topic only where cameras are mapped to ours, since
    its messages prove nothing about who sent them."""
    return [READS, *([frigate.TOPIC] if settings.FRIGATE_CAMERAS else [])]


def message_take(*, topic: str, payload: bytes, now: datetime) -> Taken:
    """Store what a message holds. Never raises for what is wrong with the message itself.

    OperationalError, InterfaceError and OSError where something we stand on is away: nothing is
    lost if the message is taken again.
    """
    taken = Taken()
    try:
        camera, items = (
            _from_frigate(payload) if topic == frigate.TOPIC else _from_ours(topic, payload, now)
        )
    except ProductError as error:
        taken.refused[error.code] += 1
        return taken
    checked: list[Sent] = []
    limits = intake_limits()
    for item in items.items:
        try:
            checked.append(sent(item, camera=camera.slug, now=now, limits=limits))
        except ProductError as error:
            taken.refused[error.code] += 1
    rows = captures_store(camera=camera, sent=checked, now=now)
    stored = []
    unstored: OSError | None = None
    for one, row in zip(checked, rows, strict=True):
        if isinstance(row, OSError):
            unstored = row
        elif isinstance(row, ProductError):
            taken.refused[row.code] += 1
        else:
            stored.append(one)
    if stored:
        captures_arrived(camera=camera, sent=stored, now=now)
    if unstored is not None:
        raise unstored
    taken.stored = len(stored)
    return taken


def _from_ours(topic: str, payload: bytes, now: datetime) -> tuple[Camera, Submission]:
    """The camera whose key the message holds, and what it sends."""
    levels = topic.split("/")
    if len(levels) != READS.count("/") + 1:
        raise NotFound("unknown_topic", "A message of a topic nobody asked for.")
    text, body = envelope.opened(payload, digest_of=_digest, most=settings.UPLOAD_MAX_BYTES)
    camera = device_key_recall(text=text, now=now).camera
    if levels[1] != camera.slug:
        raise BadInput("unknown_camera", "This key belongs to no camera of that name.")
    return _in_use(camera), submission(body)


def _digest(prefix: str) -> bytes | None:
    found = DeviceKey.objects.filter(prefix=prefix).values_list("digest", flat=True).first()
    return None if found is None else bytes(found)


def _from_frigate(payload: bytes) -> tuple[Camera, Submission]:
    found = frigate.read_of(payload)
    if found is None:
        raise NotFound("no_plate", "A message about something else than a plate.")
    name, item = found
    cameras: Mapping[str, tuple[str, str]] = settings.FRIGATE_CAMERAS
    site, slug = cameras.get(name, ("", ""))
    camera = Camera.objects.select_related("site").filter(site__slug=site, slug=slug).first()
    if camera is None:
        raise BadInput("unknown_camera", "No camera of ours stands for this one of Frigate's.")
    items: list[Any] = [item]
    return _in_use(camera), Submission(items, batch=False)


def _in_use(camera: Camera) -> Camera:
    if not camera.active:
        raise NotAllowed("camera_inactive", "This camera is switched off here.")
    return camera
