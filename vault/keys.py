"""Data keys: made on demand, kept wrapped in the key store, cached unwrapped for minutes."""

import os
import threading
import time
import uuid
from datetime import date, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import IntegrityError, transaction

from vault import keyring
from vault.models import DataKey

STORE = "keys"
_CACHE_SECONDS = 300.0
_CACHE_MOST = 4096


class KeyDestroyed(Exception):
    """The data key is gone: what it sealed has been forgotten."""


_lock = threading.Lock()
_by_id: dict[uuid.UUID, tuple[bytes, float]] = {}
_current: dict[tuple[str, date, str], tuple[uuid.UUID, float]] = {}


def _aad(key: DataKey) -> bytes:
    return f"datakey:{key.pk}:{key.scope}:{key.day}:{key.data_class}".encode()


def wrap(key: DataKey, raw: bytes) -> None:
    """Put `raw` (32 bytes) into `key.wrapped` under the active master key."""
    ring = keyring.master()
    nonce = os.urandom(12)
    key.master_key = ring.active
    key.wrapped = nonce + AESGCM(ring.keys[ring.active]).encrypt(nonce, raw, _aad(key))


def unwrap(key: DataKey) -> bytes:
    """The raw key. KeyDestroyed if it is gone; KeyringError if its master key is missing."""
    if key.wrapped is None:
        raise KeyDestroyed(str(key.pk))
    ring = keyring.master()
    if key.master_key not in ring.keys:
        raise keyring.KeyringError(f"master key k{key.master_key} is missing")
    wrapped = bytes(key.wrapped)
    try:
        return AESGCM(ring.keys[key.master_key]).decrypt(wrapped[:12], wrapped[12:], _aad(key))
    except InvalidTag as error:
        raise keyring.KeyringError(f"master key k{key.master_key} is not the right one") from error


def _remember(key_id: uuid.UUID, raw: bytes) -> None:
    with _lock:
        if len(_by_id) >= _CACHE_MOST:
            _by_id.clear()
            _current.clear()
        _by_id[key_id] = (raw, time.monotonic() + _CACHE_SECONDS)


def raw_key(key_id: uuid.UUID) -> bytes:
    """The unwrapped data key. KeyDestroyed if it was destroyed or never existed."""
    hit = _by_id.get(key_id)
    if hit is not None and hit[1] > time.monotonic():
        return hit[0]
    key = DataKey.objects.using(STORE).filter(pk=key_id).first()
    if key is None:
        raise KeyDestroyed(str(key_id))
    raw = unwrap(key)
    _remember(key_id, raw)
    return raw


def current_key(scope: str, data_class: str, now: datetime) -> uuid.UUID:
    """The id of the live data key of this scope, class and day of sealing, made if need be."""
    day = now.date()
    hit = _current.get((scope, day, data_class))
    if hit is not None and hit[1] > time.monotonic():
        return hit[0]
    live = DataKey.objects.using(STORE).filter(
        scope=scope, day=day, data_class=data_class, destroyed_at__isnull=True
    )
    key = live.first()
    if key is None:
        key = DataKey(scope=scope, day=day, data_class=data_class)
        raw = os.urandom(32)
        wrap(key, raw)
        try:
            # a savepoint: two first sealers of a day may race, the loser takes the winner's key
            with transaction.atomic(using=STORE):
                key.save(using=STORE, force_insert=True)
        except IntegrityError:
            key = live.get()
            raw = unwrap(key)
    else:
        raw = unwrap(key)
    _remember(key.pk, raw)
    with _lock:
        _current[scope, day, data_class] = (key.pk, time.monotonic() + _CACHE_SECONDS)
    return key.pk


def destroy(key_ids: list[uuid.UUID], *, now: datetime) -> int:
    """Destroy data keys for good; how many were alive. Other processes forget their copy within
    five minutes."""
    destroyed = (
        DataKey.objects.using(STORE)
        .filter(pk__in=key_ids, destroyed_at__isnull=True)
        .update(wrapped=None, destroyed_at=now)
    )
    # only now: another thread may have cached one again while it was still there
    with _lock:
        for key_id in key_ids:
            _by_id.pop(key_id, None)
        for name in [n for n, (key_id, _) in _current.items() if key_id in key_ids]:
            del _current[name]
    return destroyed


def forget_cached() -> None:
    """Empty this process's cache (after a fork, and in tests)."""
    with _lock:
        _by_id.clear()
        _current.clear()
