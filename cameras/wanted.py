"""The larger picture of a read, fetched from its device only when a person asks for it.

A device sends a few kilobytes of a vehicle and keeps the best frame for a while. An operator asks
on the read's page; the capture's id goes out with the camera's next heartbeat, and the device puts
the picture. Nothing else makes the server take one, and what was forgotten or decided meanwhile
stays as it is.
"""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from audit.freetext import reference
from audit.purposes import checked
from audit.services import Actor, record
from cameras import pictures
from cameras.models import Camera, Capture
from cameras.selectors import nothing_here
from core.errors import Conflict, NotNow
from core.stages import ring
from vault import files, sealing
from vault.keys import KeyDestroyed
from vault.models import SealedRow

WAIT = timedelta(days=7)
"""For so long a device is asked; then it no longer has the picture, or is gone."""
MOST_WANTED = 20
_TRIES = 3


def can_ask(capture: Capture, now: datetime) -> bool:
    """Whether a device may still have a larger picture of what it read, and isn't being asked."""
    return (
        capture.kind == Capture.Kind.READ
        and not capture.picture
        and capture.read is not None
        and (capture.wanted_at is None or capture.wanted_at <= now - WAIT)
    )


def picture_ask(
    *,
    capture: Capture,
    actor: Actor,
    purpose: str,
    case_ref: str,
    shows: Sequence[SealedRow],
    now: datetime,
) -> None:
    """Have the device asked for the larger picture of a read. Asking twice asks once.

    Why, and of which plates (of the reads `shows`), stands in the audit log: BadInput as for a
    look. Conflict `picture_not_wanted` where there is one, or nothing is left to add it to. Whether
    `actor` may look is for the caller to have checked.
    """
    checked(purpose, case_ref, person=actor.kind == "person")
    found = (getattr(one, "token_exact", None) for one in shows)
    tokens = [token for token in found if token is not None]
    waiting = Capture.objects.filter(
        pk=capture.pk, kind=Capture.Kind.READ, picture="", read__isnull=False
    )
    if not waiting.exists():
        raise _not_wanted()
    with transaction.atomic():
        unasked = Q(wanted_at__isnull=True) | Q(wanted_at__lte=now - WAIT)
        if waiting.filter(unasked).update(wanted_at=now):
            record(
                actor,
                "ask",
                purpose=purpose,
                case_ref=reference(case_ref, tokens),
                subject=capture._meta.label_lower,
                subject_id=capture.pk,
                tokens=tokens,
                detail={"field": "picture"},
            )


def pictures_wanted(camera: Camera, now: datetime) -> list[str]:
    """Ids of the captures whose larger pictures a device is to send, the newest wish first."""
    open_ = Capture.objects.filter(
        camera=camera, picture="", wanted_at__gt=now - WAIT, read__isnull=False
    )
    ids = open_.order_by("-wanted_at").values_list("pk", flat=True)[:MOST_WANTED]
    return [str(one) for one in ids]


def pictures_withdraw(capture_ids: Sequence[uuid.UUID]) -> int:
    """Stop asking for pictures that did not come: what they were for is over. How many.

    The caller's transaction may hold a case, and a stage that holds captures may wait for it: so a
    capture that somebody is writing to is not waited for, and may yet get its picture.
    """
    open_ = Capture.objects.filter(pk__in=capture_ids, picture="", wanted_at__isnull=False)
    free = open_.select_for_update(no_key=True, skip_locked=True, of=("self",)).order_by("pk")
    with transaction.atomic():
        ids = list(free.values_list("pk", flat=True))
        return Capture.objects.filter(pk__in=ids).update(wanted_at=None)


def picture_receive(
    *,
    camera: Camera,
    capture_id: uuid.UUID,
    data: bytes,
    max_bytes: int,
    max_pixels: int,
    now: datetime,
) -> bool:
    """Seal the larger picture that was asked for; whether it is new. A repeat changes nothing.

    The stage `act` is woken for a new one: it joins the evidence of open cases.

    NotFound for a capture of another camera; the refusals of `pictures.check`; Conflict
    `picture_present` where another picture is there, `picture_not_wanted` where nobody asked, or
    the plate was forgotten, or its case decided.
    """
    pictures.check(data, field="picture", max_bytes=max_bytes, max_pixels=max_pixels)
    digest = hashlib.sha256(data).digest()
    for _ in range(_TRIES):
        capture = Capture.objects.filter(pk=capture_id, camera=camera).first()
        if capture is None:
            raise nothing_here()
        if capture.picture:
            if bytes(capture.picture_sha256 or b"") == digest:
                return False
            raise Conflict("picture_present", "There is a picture of this capture already.")
        if capture.wanted_at is None or capture.read is None:
            raise _not_wanted()
        if _stored(capture, data, digest, now):
            return True
    raise NotNow("try_again", "Not just now; please try again.")


def _stored(capture: Capture, data: bytes, digest: bytes, now: datetime) -> bool:
    """Whether the row took the picture: not while it was forgotten, sealed anew, or was quicker
    with another."""
    try:
        sealing.seal_file(capture, "picture", data, now=now)
    except KeyDestroyed:
        raise _not_wanted() from None
    taken = Capture.objects.filter(
        pk=capture.pk,
        picture="",
        data_key=capture.data_key,
        wanted_at__isnull=False,
        read__isnull=False,
    ).update(
        picture=capture.picture, picture_sha256=digest, picture_bytes=len(data), picture_due=True
    )
    if taken:
        ring("act")
    else:
        files.doom([capture.picture], now=now)
    return bool(taken)


def _not_wanted() -> Conflict:
    return Conflict("picture_not_wanted", "No picture is wanted of this capture any more.")
