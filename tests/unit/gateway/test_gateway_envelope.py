"""What a message of ours says, sealed or plain, and what is refused."""

import json
import zlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import ProductError
from core.keys import make_key
from gateway import envelope

SHOWN, PREFIX, DIGEST = make_key("pwd")
OTHER, OTHER_PREFIX, OTHER_DIGEST = make_key("pwd")
KNOWN = {PREFIX: DIGEST, OTHER_PREFIX: OTHER_DIGEST}
MOST = 100_000


def opened(payload: bytes, most: int = MOST) -> tuple[str, dict[str, Any]]:
    return envelope.opened(payload, digest_of=KNOWN.get, most=most)


def refusal(payload: bytes, most: int = MOST) -> str:
    with pytest.raises(ProductError) as caught:
        opened(payload, most)
    return caught.value.code


def text(**body: Any) -> bytes:
    return json.dumps(body).encode()


def test_plain_and_sealed_say_the_same() -> None:
    body = text(key=SHOWN, kind="read", event_id="e1")
    sealed = envelope.sealed(body, key=SHOWN)
    assert opened(body) == opened(sealed) == (SHOWN, {"kind": "read", "event_id": "e1"})


def test_a_sealed_message_shows_neither_key_nor_plate() -> None:
    body = text(key=SHOWN, read={"text": "AB12CDE"})
    sealed = envelope.sealed(body, key=SHOWN)
    assert b"AB12CDE" not in sealed
    assert SHOWN.split("_")[2].encode() not in sealed
    assert sealed != envelope.sealed(body, key=SHOWN)


def test_the_format_is_as_described() -> None:
    """Built by hand from the docstring, for clients that are not ours."""
    from hashlib import sha256

    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = HKDF(SHA256(), 32, salt=None, info=b"platewarden mqtt 1").derive(
        sha256(SHOWN.encode()).digest()
    )
    head, nonce = b"PW1" + SHOWN.split("_")[1].encode(), bytes(12)
    packed = zlib.compress(text(key=SHOWN, items=[]))
    message = head + nonce + AESGCM(key).encrypt(nonce, packed, head)
    assert opened(message) == (SHOWN, {"items": []})


def test_what_was_changed_or_sealed_by_another_is_refused() -> None:
    sealed = bytearray(envelope.sealed(text(key=SHOWN), key=SHOWN))
    swapped = bytes(sealed).replace(PREFIX.encode(), OTHER_PREFIX.encode(), 1)
    assert refusal(swapped) == "key_unknown"
    for place in (3, 12, 25, len(sealed) - 1):
        changed = bytes([*sealed[:place], sealed[place] ^ 1, *sealed[place + 1 :]])
        assert refusal(changed) == "key_unknown", place
    for length in (3, 8, 11, 20, 30, len(sealed) - 1):
        assert refusal(bytes(sealed[:length])) == "key_unknown", length


def test_an_unknown_key_is_refused() -> None:
    stranger, _, _ = make_key("pwd")
    assert refusal(envelope.sealed(text(key=stranger), key=stranger)) == "key_unknown"
    assert refusal(b"PW1\xff\xfe\0\x01rubbish" + bytes(40)) == "key_unknown"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "json_malformed"),
        (b"\xff", "json_malformed"),
        (b"{", "json_malformed"),
        (b"[" * 100_000, "json_malformed"),
        (b"[]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"{}", "key_missing"),
        (b'{"key": 1}', "key_missing"),
        (b'{"key": null, "items": []}', "key_missing"),
        (b" " * (MOST + 1), "body_too_large"),
    ],
)
def test_bad_messages_are_refused(payload: bytes, code: str) -> None:
    assert refusal(payload) == code
    assert refusal(envelope.sealed(payload, key=SHOWN)) == code


def test_a_bomb_is_not_unpacked() -> None:
    bomb = envelope.sealed(b" " * 50_000_000, key=SHOWN)
    assert len(bomb) < 100_000
    assert refusal(bomb) == "body_too_large"


def test_what_is_sealed_but_not_packed_is_refused() -> None:
    head, nonce = b"PW1" + PREFIX.encode(), bytes(12)
    raw = AESGCM(envelope._seal_key(DIGEST)).encrypt(nonce, b"{}", head)
    assert refusal(head + nonce + raw) == "json_malformed"
