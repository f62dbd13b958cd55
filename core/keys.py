"""Credentials of machines: `pwd_…` for a device, `pwp_…` for a provider of rights, `pws_…` to set a
device up once.

A key reads `<kind>_<prefix>_<secret>`: the prefix (8 hex digits) finds its row and may be shown,
the secret (43 characters, 256 random bits) is shown once. Only the SHA-256 of the whole is stored:
256 random bits can't be guessed back from a plain hash, so a slow one would only slow the intake.
"""

import hashlib
import hmac
import re
import secrets
from typing import Literal, cast

from core.errors import NotAuthenticated

KeyKind = Literal["pwd", "pwp", "pws"]

_SHAPE = re.compile(r"(?a:(pw[dps])_([0-9a-f]{8})_([A-Za-z0-9_-]{43}))")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def make_key(kind: KeyKind) -> tuple[str, str, bytes]:
    """A new key as (what is shown once, its prefix, the 32-byte digest to store)."""
    prefix = secrets.token_hex(4)
    shown = f"{kind}_{prefix}_{secrets.token_urlsafe(32)}"
    return shown, prefix, _digest(shown)


def split_key(text: str) -> tuple[KeyKind, str, bytes]:
    """(kind, prefix, digest) of a key as a client sent it.

    NotAuthenticated `key_missing` for nothing, `key_unknown` for what can't be a key of ours.
    """
    text = text.strip()
    if not text:
        raise NotAuthenticated("key_missing", "Send the key as “Authorization: Bearer <key>”.")
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise key_unknown()
    return cast(KeyKind, match[1]), match[2], _digest(text)


def key_unknown() -> NotAuthenticated:
    """The one answer to every wrong key, so that it doesn't tell which part was wrong."""
    return NotAuthenticated("key_unknown", "This key is not known here.")


def same_digest(one: bytes | memoryview, other: bytes) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(bytes(one), other)
