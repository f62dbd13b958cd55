"""The keyed blind index: equality search over plates without opening them.

Plates are low-entropy, so an unkeyed hash is as good as the plate (domain-rules §7): tokens are
HMAC-SHA256 under a key that lives outside the database. A token carries its key's number, so keys
can rotate: write with the active key, look up with all.
"""

import hmac
import uuid
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.platetext import ocr_class
from vault import keyring


class Kind(StrEnum):
    """What a token is over; each has its own derived key, so tokens of two kinds never compare."""

    EXACT = "exact"  # the canonical plate
    CLASS = "class"  # its OCR-equivalence class
    NEAR = "near"  # what is left of a class without some characters, at one site
    EVENT = "event"  # a client's own id of an event or a right, which may contain a plate


@lru_cache(maxsize=64)
def _derived(number: int, kind: Kind) -> bytes:
    raw = keyring.index().keys[number]
    return HKDF(SHA256(), 32, salt=None, info=f"platewarden index {kind}".encode()).derive(raw)


def _token(number: int, kind: Kind, text: str) -> uuid.UUID:
    digest = hmac.digest(_derived(number, kind), text.encode(), "sha256")
    return uuid.UUID(bytes=bytes([number]) + digest[:15])


def token(kind: Kind, text: str) -> uuid.UUID:
    """The token to store: under the active index key."""
    return _token(keyring.index().active, kind, text)


def tokens(kind: Kind, text: str) -> list[uuid.UUID]:
    """The tokens to look up: under every index key still in the ring."""
    return [_token(number, kind, text) for number in keyring.index().keys]


def exact(plate: str) -> uuid.UUID:
    """Token of a canonical plate."""
    return token(Kind.EXACT, plate)


def equivalent(plate: str) -> uuid.UUID:
    """Token of a canonical plate's OCR-equivalence class."""
    return token(Kind.CLASS, ocr_class(plate))


def exact_lookup(plate: str) -> list[uuid.UUID]:
    """Tokens to search a canonical plate by."""
    return tokens(Kind.EXACT, plate)


def equivalent_lookup(plate: str) -> list[uuid.UUID]:
    """Tokens to search a canonical plate's OCR-equivalence class by."""
    return tokens(Kind.CLASS, ocr_class(plate))


def classes_lookup(classes: Iterable[str]) -> list[str]:
    """Tokens to search OCR-equivalence classes by, as the 32 hex digits of each: made for hundreds
    at once, of which most are found nowhere."""
    return _hex_tokens(Kind.CLASS, classes)


def _hex_tokens(kind: Kind, texts: Iterable[str]) -> list[str]:
    keys = [(f"{number:02x}", _derived(number, kind)) for number in keyring.index().keys]
    return [
        number + hmac.digest(key, text.encode(), "sha256").hex()[:30]
        for text in texts
        for number, key in keys
    ]


def near(site: uuid.UUID, variants: Iterable[str]) -> list[uuid.UUID]:
    """Tokens to store of what is left of a plate's class, for one site: elsewhere the same plate
    has others, so that nobody can tell by them who is near whom across sites."""
    return [token(Kind.NEAR, f"{site}:{variant}") for variant in variants]


def near_lookup(site: uuid.UUID, variants: Iterable[str]) -> list[str]:
    """Tokens to search such variants by, as 32 hex digits each."""
    return _hex_tokens(Kind.NEAR, (f"{site}:{variant}" for variant in variants))


# --- tokens that leave the house ------------------------------------------------------------------
_DEVICE_TOKEN = 16


def device_key(device: uuid.UUID, day: date) -> bytes:
    """The key (32 bytes) of one device's tokens of one day. It goes out with them, so it is no
    other device's, no other day's, and tells nothing of the index key it is made from."""
    raw = keyring.index().keys[keyring.index().active]
    info = f"platewarden device {device} {day.isoformat()}".encode()
    return HKDF(SHA256(), 32, salt=None, info=info).derive(raw)


def device_token(key: bytes, text: str) -> bytes:
    """What a device compares a canonical plate, or its OCR class, with: 16 bytes."""
    return hmac.digest(key, text.encode(), "sha256")[:_DEVICE_TOKEN]


# --- secrets shared with one other party ----------------------------------------------------------
def webhook_key(secret: uuid.UUID, *, number: int | None = None) -> tuple[int, bytes]:
    """The key (32 bytes) a provider signs its events with under its secret of that id, made from
    index key `number` (the active one where None), and that number.

    Derived whenever it is needed, so neither the database nor its backups hold it. KeyError where
    that index key is no longer in the ring.
    """
    ring = keyring.index()
    number = ring.active if number is None else number
    info = f"platewarden webhook {secret}".encode()
    return number, HKDF(SHA256(), 32, salt=None, info=info).derive(ring.keys[number])
