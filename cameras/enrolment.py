"""Setting a device up: a person makes a one-time token, the device turns it into its own key.

So no key is ever typed, mailed or written on a label. A token is good for an hour and for one
device; the key it becomes is an ordinary device key (`cameras.keys`).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import segno
from django.conf import settings
from django.db import transaction
from django.utils.safestring import SafeString, mark_safe

from audit.services import Actor, record
from cameras.keys import PURPOSE, device_key_create
from cameras.models import Camera, DeviceKey, SetupToken
from core.errors import NotAllowed, NotAuthenticated
from core.machines import machine_key_create, machine_key_find

LIFE = timedelta(hours=1)
_SCHEME = "PLATEWARDEN"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A token that was just made. `text` is shown once: it is what the device is given, as text
    or as QR code: `PLATEWARDEN:<this server's address>#<token>`."""

    token: SetupToken
    text: str = field(repr=False)

    def drawn(self) -> SafeString:
        """The text as a QR code: an SVG without size or style, with its quiet zone."""
        code = segno.make(self.text, error="m", micro=False)
        svg = code.svg_inline(omitsize=True, border=4, dark="#000", light="#fff", svgclass="code")
        return mark_safe(svg)  # noqa: S308 - squares drawn by segno, no text of anybody's


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device that was just given its key; `shown` is the key's text."""

    camera: Camera
    key: DeviceKey
    shown: str = field(repr=False)


def setup_token_create(*, camera: Camera, actor: Actor, now: datetime) -> Invitation:
    """A token by which one device becomes `camera`, until `LIFE` is over. It replaces one that was
    made before and is still open.

    NotAllowed `camera_inactive` for a camera that is switched off. Whether `actor` may set up
    devices there is for the caller to have checked.
    """
    if not camera.active:
        raise NotAllowed("camera_inactive", "This camera is switched off here.")
    with transaction.atomic():
        # whoever makes one at the same time waits here, and ends this one
        Camera.objects.select_for_update(of=("self",), no_key=True).get(pk=camera.pk)
        earlier = SetupToken.objects.filter(
            camera=camera, used_at__isnull=True, revoked_at__isnull=True
        )
        earlier.update(revoked_at=now)
        token, shown = machine_key_create(
            SetupToken.objects.all(), kind="pws", now=now, expires_at=now + LIFE, camera=camera
        )
        _audit(token, actor, "created")
    return Invitation(token, f"{_SCHEME}:{settings.PLATEWARDEN_URL.rstrip('/')}#{shown}")


def device_enrol(*, text: str, place: str, now: datetime) -> Enrolled:
    """The key that the token `text` stands for, once. `place` is where the device asks from.

    NotAuthenticated `token_unknown`; NotAllowed `token_used`, `token_expired`, `token_revoked`,
    `camera_inactive`.
    """
    try:
        found = machine_key_find(
            SetupToken.objects.select_related("camera__site"), kind="pws", text=text
        )
    except NotAuthenticated:
        raise NotAuthenticated(
            "token_unknown", "This set-up token is not known here.", field="token"
        ) from None
    if found.used_at is not None:
        raise _used()
    if found.revoked_at is not None:
        raise _replaced()
    if found.expires_at is None or found.expires_at <= now:
        raise NotAllowed("token_expired", "This set-up token has expired.", field="token")
    camera = found.camera
    if not camera.active:
        raise NotAllowed("camera_inactive", "This camera is switched off here.")
    with transaction.atomic():
        # two devices may show the same code at once, or it may just be replaced: one is first
        token = SetupToken.objects.filter(pk=found.pk)
        if not token.filter(used_at__isnull=True, revoked_at__isnull=True).update(
            used_at=now, last_used_at=now
        ):
            raise _replaced() if token.filter(used_at__isnull=True).exists() else _used()
        device = Actor("device", str(camera), place=place)
        key, shown = device_key_create(
            camera=camera, actor=device, now=now, label=f"set up {now:%Y-%m-%d %H:%M} UTC"
        )
        _audit(found, device, "used", key=key.prefix)
    return Enrolled(camera, key, shown)


def setup_tokens_prune(*, now: datetime) -> int:
    """Delete tokens that have been dead for a day; how many."""
    return SetupToken.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0]


def _used() -> NotAllowed:
    return NotAllowed("token_used", "This set-up token was used before.", field="token")


def _replaced() -> NotAllowed:
    return NotAllowed("token_revoked", "A newer set-up token replaced this one.", field="token")


def _audit(token: SetupToken, actor: Actor, what: str, **more: Any) -> None:
    record(
        actor,
        "change",
        purpose=PURPOSE,
        subject=token._meta.label_lower,
        subject_id=token.pk,
        detail={"what": what, "token": token.prefix, "camera": str(token.camera_id), **more},
    )
