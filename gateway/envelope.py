"""A message on our own topic, `platewarden/<camera>/reads` (QoS 1; <camera> is the camera's slug).

What it says is the JSON of `POST /api/v1/captures` (one capture, or `{"items": […]}` with up to
100; pictures in base64) and, since a broker passes no Authorization header on, the device's key:

    {"key": "pwd_…", "items": [{"kind": "read", "event_id": "…", …}]}

It comes in either of two forms:

- *plain*: that JSON in UTF-8. Whoever may read the topic at the broker learns key and plates.
- *sealed* (what our agent sends): the broker sees neither. Bytes, one after the other:
  `PW1`, the 8 characters of the key's prefix (`pwd_<prefix>_…`), a nonce of 12 bytes, and
  AES-256-GCM of the JSON compressed with zlib; associated data: the first 11 bytes;
  key: HKDF-SHA256 (32 bytes, no salt, info `platewarden mqtt 1`) of the SHA-256 of the key's text.

The key stands inside the sealed form too: a thief of the database has its SHA-256, with which he
could make a seal but not the key that the server then asks for.
"""

import os
import zlib
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cameras.bodies import strict_json
from core.errors import BadInput, NotAuthenticated, TooLarge
from core.keys import key_unknown, split_key

_MAGIC = b"PW1"
_PREFIX = 8
_NONCE = 12
_HEAD = len(_MAGIC) + _PREFIX


def opened(
    payload: bytes, *, digest_of: Callable[[str], bytes | None], most: int
) -> tuple[str, dict[str, Any]]:
    """(the key's text, the REST body) of a message; whether the key is right is not yet known.

    `digest_of` gives the SHA-256 of the device key with a prefix, None where there is none; `most`
    is the size in bytes to which a body may unfold. BadInput `json_malformed`, `not_an_object`;
    TooLarge `body_too_large`; NotAuthenticated `key_missing`, `key_unknown`.
    """
    if payload.startswith(_MAGIC):
        payload = _unsealed(payload, digest_of, most)
    elif len(payload) > most:
        raise _too_large(most)
    try:
        body = strict_json(payload)
    except ValueError:
        raise BadInput("json_malformed", "The message is not JSON in UTF-8.") from None
    if not isinstance(body, dict):
        raise BadInput("not_an_object", "The message is not a JSON object.")
    key = body.pop("key", None)
    if not isinstance(key, str):
        raise NotAuthenticated("key_missing", "Send the device's key as “key”.")
    return key, body


def sealed(body: bytes, *, key: str) -> bytes:
    """The sealed form of a JSON text that holds `key`. For tests and for whoever sends from here.

    NotAuthenticated `key_unknown` for what can't be a key.
    """
    _, prefix, digest = split_key(key)
    head, nonce = _MAGIC + prefix.encode(), os.urandom(_NONCE)
    return head + nonce + AESGCM(_seal_key(digest)).encrypt(nonce, zlib.compress(body), head)


def _unsealed(payload: bytes, digest_of: Callable[[str], bytes | None], most: int) -> bytes:
    prefix = payload[len(_MAGIC) : _HEAD].decode("latin-1")
    digest = digest_of(prefix) if prefix.isalnum() else None
    if digest is None:
        raise key_unknown()
    nonce, ciphertext = payload[_HEAD : _HEAD + _NONCE], payload[_HEAD + _NONCE :]
    try:
        packed = AESGCM(_seal_key(digest)).decrypt(nonce, ciphertext, payload[:_HEAD])
    except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce and a tag
        raise key_unknown() from None
    unpacking = zlib.decompressobj()
    try:
        clear = unpacking.decompress(packed, most)
    except zlib.error:
        raise BadInput("json_malformed", "What was sealed is not compressed JSON.") from None
    if unpacking.unconsumed_tail:
        raise _too_large(most)
    return clear


def _seal_key(digest: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"platewarden mqtt 1").derive(digest)


def _too_large(most: int) -> TooLarge:
    return TooLarge("body_too_large", f"A message may hold {most} bytes at most.")
