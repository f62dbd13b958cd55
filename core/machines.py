"""A machine's key, made and checked: one way for devices and providers alike."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from core.errors import BadInput, NotAllowed
from core.keys import KeyKind, key_unknown, make_key, same_digest, split_key
from core.models import MachineKey

_NOTE_USE_EVERY = timedelta(minutes=1)
_NO_DIGEST = bytes(32)

K = TypeVar("K", bound=MachineKey)


def machine_key_create(
    keys: "QuerySet[K]", *, kind: KeyKind, now: datetime, expires_at: datetime | None, **fields: Any
) -> tuple[K, str]:
    """A new key among `keys`, and its text, which can't be shown again. `fields`: whose, its label.

    BadInput `expires_at_past` for a key that would be born expired.
    """
    if expires_at is not None and expires_at <= now:
        raise BadInput("expires_at_past", "The key would have expired already.", field="expires_at")
    shown, prefix, digest = make_key(kind)
    return keys.create(prefix=prefix, digest=digest, expires_at=expires_at, **fields), shown


def machine_key_find(keys: "QuerySet[K]", *, kind: KeyKind, text: str) -> K:
    """The key among `keys` that `text` is, dead or alive.

    NotAuthenticated `key_missing`, `key_unknown`.
    """
    said, prefix, digest = split_key(text)
    key = keys.filter(prefix=prefix).first() if said == kind else None
    # compared also where there is no such key, so that the time taken tells nothing
    right = same_digest(key.digest if key is not None else _NO_DIGEST, digest)
    if key is None or not right:
        raise key_unknown()
    return key


def machine_key_use(keys: "QuerySet[K]", *, kind: KeyKind, text: str, now: datetime) -> K:
    """The live key among `keys` that `text` is; notes its use at most once a minute.

    NotAuthenticated `key_missing`, `key_unknown`; NotAllowed `key_revoked`, `key_expired`.
    """
    key = machine_key_find(keys, kind=kind, text=text)
    if key.revoked_at is not None:
        raise NotAllowed("key_revoked", "This key was revoked.")
    if key.expires_at is not None and key.expires_at <= now:
        raise NotAllowed("key_expired", "This key has expired.")
    stale = now - _NOTE_USE_EVERY
    if key.last_used_at is None or key.last_used_at <= stale:
        unnoted = Q(last_used_at__isnull=True) | Q(last_used_at__lte=stale)
        type(key)._default_manager.filter(unnoted, pk=key.pk).update(last_used_at=now)
    return key
