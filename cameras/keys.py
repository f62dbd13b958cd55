"""Device keys: made, rotated, revoked and found again. The key itself is shown once, by `make`."""

import hashlib
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import transaction

from audit.services import Actor, record
from cameras.models import Camera, DeviceKey
from core.errors import BadInput
from core.machines import machine_key_create, machine_key_use

PURPOSE = "administration"
OVERLAP = timedelta(hours=24)

_REMEMBERED_SECONDS = 1.0
_REMEMBERED_MOST = 4096
_remembered: dict[bytes, tuple[DeviceKey, float]] = {}


def device_key_create(
    *,
    camera: Camera,
    actor: Actor,
    now: datetime,
    label: str = "",
    expires_at: datetime | None = None,
) -> tuple[DeviceKey, str]:
    """A new key of `camera` and its text, which can't be shown again.

    BadInput `expires_at_past` for a key that would be born expired.
    """
    with transaction.atomic():
        key, shown = machine_key_create(
            DeviceKey.objects.all(),
            kind="pwd",
            now=now,
            expires_at=expires_at,
            camera=camera,
            label=label,
        )
        _audit(key, actor, "created")
    return key, shown


def device_key_rotate(
    *, key: DeviceKey, actor: Actor, now: datetime, overlap: timedelta = OVERLAP
) -> tuple[DeviceKey, str]:
    """A successor to `key`, which itself expires after `overlap`: a device changes without a gap.

    BadInput `key_revoked` for a key that is already dead.
    """
    with transaction.atomic():
        old = DeviceKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
        if old.revoked_at is not None:
            raise BadInput("key_revoked", "A revoked key has no successor; make a new one.")
        fresh, shown = device_key_create(camera=old.camera, actor=actor, now=now, label=old.label)
        last = now + overlap
        if old.expires_at is None or old.expires_at > last:
            DeviceKey.objects.filter(pk=old.pk).update(expires_at=last)
        transaction.on_commit(device_keys_forget)
        _audit(old, actor, "rotated", successor=fresh.prefix)
    key.refresh_from_db()
    return fresh, shown


def device_key_revoke(*, key: DeviceKey, actor: Actor, now: datetime) -> DeviceKey:
    """From now on `key` is refused. Revoking twice changes nothing."""
    with transaction.atomic():
        alive = DeviceKey.objects.filter(pk=key.pk, revoked_at__isnull=True)
        if alive.update(revoked_at=now):
            _audit(key, actor, "revoked")
        transaction.on_commit(device_keys_forget)
    key.refresh_from_db()
    return key


def device_key_use(*, text: str, now: datetime) -> DeviceKey:
    """The live key of `text`, with camera and site; notes its use at most once a minute.

    NotAuthenticated `key_missing`, `key_unknown`; NotAllowed `key_revoked`, `key_expired`.
    """
    return machine_key_use(
        DeviceKey.objects.select_related("camera__site"), kind="pwd", text=text, now=now
    )


def device_key_recall(*, text: str, now: datetime) -> DeviceKey:
    """`device_key_use`, remembered for a second: a camera that streams asks thirty times.

    What this process changes through services counts from the next request on, what another one
    changes a second later at most; a key's own end counts to the moment. Requests share the key and
    its camera, so whoever changes the camera's row brings this one up to date (`_heard`).
    """
    remembered, asked = _remembered, monotonic()
    name = hashlib.sha256(text.encode()).digest()
    key, until = remembered.get(name, (None, 0.0))
    if key is not None and until > asked and (key.expires_at is None or key.expires_at > now):
        return key
    key = device_key_use(text=text, now=now)
    if len(remembered) >= _REMEMBERED_MOST:
        remembered.clear()
    remembered[name] = key, asked + _REMEMBERED_SECONDS
    return key


def device_keys_forget() -> None:
    """Forget remembered keys: after a key, a camera or a site was changed, and in tests."""
    global _remembered
    _remembered = {}  # a new one: what another thread is just reading goes into the old one


def _audit(key: DeviceKey, actor: Actor, what: str, **more: Any) -> None:
    record(
        actor,
        "change",
        purpose=PURPOSE,
        subject="cameras.devicekey",
        subject_id=key.pk,
        detail={"what": what, "key": key.prefix, "camera": str(key.camera_id), **more},
    )
