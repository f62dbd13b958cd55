"""Provider keys: made, shown once, looked up, revoked."""

import uuid
from datetime import datetime

from django.db import transaction

from audit.services import Actor, record
from core.errors import NotAllowed, NotFound
from core.machines import machine_key_create, machine_key_use
from enforcement.rights.models import Provider, ProviderKey


def provider_key_create(
    *,
    provider: Provider,
    actor: Actor,
    now: datetime,
    label: str = "",
    expires_at: datetime | None = None,
) -> tuple[ProviderKey, str]:
    """A new key of `provider` and the text to show once. Older keys stay valid: that is how a
    provider rotates without a gap. BadInput `expires_at_past`."""
    with transaction.atomic():
        key, shown = machine_key_create(
            ProviderKey.objects.all(),
            kind="pwp",
            now=now,
            expires_at=expires_at,
            provider=provider,
            label=label,
        )
        _record(actor, "key-create", key)
    return key, shown


def provider_key_revoke(*, key_id: uuid.UUID, actor: Actor, now: datetime) -> ProviderKey:
    """Refuse a key from now on; a repeat changes nothing. NotFound where there is none."""
    with transaction.atomic():
        revoked = ProviderKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(
            revoked_at=now
        )
        key = ProviderKey.objects.select_related("provider").filter(pk=key_id).first()
        if key is None:
            raise NotFound("not_found", "There is no such key.")
        if revoked:
            _record(actor, "key-revoke", key)
    return key


def _record(actor: Actor, action: str, key: ProviderKey) -> None:
    record(
        actor,
        action,
        purpose="administration",
        subject=ProviderKey._meta.label_lower,
        subject_id=key.pk,
        detail={"provider": str(key.provider_id), "prefix": key.prefix},
    )


def provider_key_check(*, text: str, now: datetime) -> ProviderKey:
    """The live key that `text` is, with its provider.

    Raises NotAuthenticated (`key_missing`, `key_unknown`) and NotAllowed (`key_revoked`,
    `key_expired`, `provider_inactive`).
    """
    key = machine_key_use(
        ProviderKey.objects.select_related("provider__organisation"),
        kind="pwp",
        text=text,
        now=now,
    )
    if not key.provider.active:
        raise NotAllowed("provider_inactive", "This provider is switched off.")
    return key
