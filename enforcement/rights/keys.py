"""Provider keys: made, shown once, looked up, revoked."""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from audit.services import Actor, record
from core.errors import BadInput, NotAllowed, NotFound
from core.keys import key_unknown, make_key, same_digest, split_key
from enforcement.rights.models import Provider, ProviderKey

_USED_EVERY = timedelta(minutes=1)


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
    if expires_at is not None and expires_at <= now:
        raise BadInput("expires_at_past", "The key would have expired already.", field="expires_at")
    shown, prefix, digest = make_key("pwp")
    with transaction.atomic():
        key = ProviderKey.objects.create(
            provider=provider, label=label, prefix=prefix, digest=digest, expires_at=expires_at
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
    kind, prefix, digest = split_key(text)
    key = (
        ProviderKey.objects.select_related("provider__organisation").filter(prefix=prefix).first()
        if kind == "pwp"
        else None
    )
    if key is None or not same_digest(key.digest, digest):
        raise key_unknown()
    if key.revoked_at is not None:
        raise NotAllowed("key_revoked", "This key was revoked.")
    if key.expires_at is not None and key.expires_at <= now:
        raise NotAllowed("key_expired", "This key has expired.")
    if not key.provider.active:
        raise NotAllowed("provider_inactive", "This provider is switched off.")
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _USED_EVERY)
    ProviderKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return key
