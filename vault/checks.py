"""Refuse to start with a missing or wrong key (system checks `vault.E001` to `vault.E004`)."""

import hashlib
import hmac
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from vault import keyring
from vault.keys import STORE, unwrap
from vault.models import DataKey, KeyCheck

_KNOWN = b"platewarden key check"


def key_problems() -> list[str]:
    """What is wrong with the keys, in sentences; records a key's check the first time it is seen.

    An installation that has data keys which no key in the ring opens was given a new key in place
    of its own: that is wrong, not new.
    """
    problems = []
    for kind, load in (("master", keyring.master), ("index", keyring.index)):
        try:
            ring = load()
        except keyring.KeyringError as error:
            problems.append(str(error))
            continue
        known = {row.key_number: row for row in KeyCheck.objects.using(STORE).filter(kind=kind)}
        if known and not known.keys() & ring.keys.keys():
            problems.append(
                f"the {kind} key is not one this installation has used: "
                f"expected one of {', '.join(f'k{n}' for n in sorted(known))}"
            )
            continue
        if not known and kind == "master" and not _opens_a_data_key():
            problems.append("the master key does not open the data keys that are there")
            continue
        if kind == "master":
            problems += _left_out(set(ring.keys))
        for number, raw in ring.keys.items():
            row = known.get(number)
            if row is None:
                KeyCheck.objects.using(STORE).get_or_create(
                    kind=kind, key_number=number, defaults={"value": _prove(kind, raw)}
                )
            elif not _proves(kind, raw, bytes(row.value)):
                problems.append(f"the {kind} key k{number} is not the one this data was made with")
    return problems


def _left_out(numbers: set[int]) -> list[str]:
    """A key that was taken out of the ring while data keys are still wrapped with it."""
    live = DataKey.objects.using(STORE).filter(destroyed_at__isnull=True)
    needed = live.exclude(master_key__in=numbers).values_list("master_key", flat=True).distinct()
    return [
        f"the master key k{number} is missing: data keys are wrapped with it (`rewrap_keys` first)"
        for number in sorted(needed)
    ]


def _opens_a_data_key() -> bool:
    """Whether a data key can be unwrapped; True where there is none yet.

    Something may have sealed (a command, an import) before any check was recorded.
    """
    key = DataKey.objects.using(STORE).filter(destroyed_at__isnull=True).first()
    if key is None:
        return True
    try:
        unwrap(key)
    except keyring.KeyringError:
        return False
    return True


def _prove(kind: str, raw: bytes) -> bytes:
    if kind == "index":
        return hmac.new(raw, _KNOWN, hashlib.sha256).digest()
    nonce = os.urandom(12)
    return nonce + AESGCM(raw).encrypt(nonce, _KNOWN, None)


def _proves(kind: str, raw: bytes, value: bytes) -> bool:
    if kind == "index":
        return hmac.compare_digest(_prove(kind, raw), value)
    try:
        return AESGCM(raw).decrypt(value[:12], value[12:], None) == _KNOWN
    except InvalidTag:
        return False


@register(Tags.security)
def check_keyrings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E001: a key is missing or malformed (needs no database)."""
    errors: list[CheckMessage] = []
    for load in (keyring.master, keyring.index):
        try:
            load()
        except keyring.KeyringError as error:
            errors.append(Error(str(error), hint="docs/operating.md, “Keys”", id="vault.E001"))
    return errors


@register(Tags.database)
def check_keys(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E002: a key is not the one the data was sealed with."""
    if not databases or STORE not in databases:
        return []
    try:
        return [Error(p, hint="docs/operating.md, “Keys”", id="vault.E002") for p in key_problems()]
    except DatabaseError:  # before the first migration there is nothing to compare with
        return []


def refuse_wrong_keys() -> None:
    """Raise KeyringError unless every key is right: called when a web or worker process starts."""
    problems = key_problems()
    if problems:
        raise keyring.KeyringError("; ".join(problems))
