"""Sealing values and files: AES-256-GCM, bound to the row and field they belong to.

Layout: version (1 byte) · data key id (16) · nonce (12) · ciphertext and tag. The associated data
is `<app.model>:<row id>:<field>`, so a ciphertext moved to another row or column does not open.
"""

import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault import files, keys
from vault.models import Sealed, SealedRow, SealedTextField

_VERSION = 1


class SealBroken(Exception):
    """The ciphertext does not belong here or was changed."""


def _aad(row: SealedRow, field: str) -> bytes:
    return f"{row._meta.label_lower}:{row.pk}:{field}".encode()


def _seal(key_id: uuid.UUID, data: bytes, aad: bytes) -> bytes:
    nonce = os.urandom(12)
    sealed = AESGCM(keys.raw_key(key_id)).encrypt(nonce, data, aad)
    return bytes([_VERSION]) + key_id.bytes + nonce + sealed


def _open(sealed: bytes, aad: bytes) -> bytes:
    if len(sealed) < 45 or sealed[0] != _VERSION:
        raise SealBroken("not a sealed value of a known version")
    key = keys.raw_key(uuid.UUID(bytes=sealed[1:17]))
    try:
        return AESGCM(key).decrypt(sealed[17:29], sealed[29:], aad)
    except InvalidTag as error:
        raise SealBroken("the sealed value was changed, or belongs to another row") from error


def assign_key(row: SealedRow, *, scope: str, data_class: str, now: datetime) -> None:
    """Give `row` the live data key of scope and class; call before sealing its first value."""
    row.data_class = data_class
    row.data_key = keys.current_key(scope, data_class, now)


def seal_text(row: SealedRow, values: Mapping[str, str]) -> None:
    """Seal `values` (field → text) into the row's sealed fields; does not save."""
    for field, text in values.items():
        setattr(row, field, Sealed(_seal(row.data_key, text.encode(), _aad(row, field))))


def open_text(row: SealedRow, field: str) -> str:
    """The text in a sealed field. For `audit.access` only.

    Raises KeyDestroyed when it was forgotten, SealBroken when it was tampered with.
    """
    sealed = getattr(row, field)
    if sealed is None:
        raise ValueError(f"{field} is empty")
    return _open(sealed, _aad(row, field)).decode()


def seal_file(row: SealedRow, field: str, data: bytes, *, now: datetime) -> None:
    """Store `data` sealed and durably, and put its name into the row's `field`; does not save."""
    setattr(row, field, files.put(_seal(row.data_key, data, _aad(row, field)), now=now))


def seal_files(
    files_of: Sequence[tuple[SealedRow, str, bytes]], *, now: datetime
) -> list[tuple[SealedRow, OSError]]:
    """`seal_file` for many (row, field, data) at once; the rows one of whose files can't be stored,
    and why not. The rows name the files that were."""
    sealed = [_seal(row.data_key, data, _aad(row, field)) for row, field, data in files_of]
    failed = []
    for (row, field, _), name in zip(files_of, files.put_all(sealed, now=now), strict=True):
        if isinstance(name, OSError):
            failed.append((row, name))
        else:
            setattr(row, field, name)
    return failed


def open_file(row: SealedRow, field: str) -> bytes:
    """The bytes of a sealed file. For `audit.access` only.

    Raises KeyDestroyed, SealBroken, or FileNotFoundError.
    """
    return _open(files.get(getattr(row, field)), _aad(row, field))


def reseal(
    row: SealedRow, *, file_fields: tuple[str, ...], scope: str, data_class: str, now: datetime
) -> list[str]:
    """Move a row to another data class: everything in it is sealed anew under that class's key.

    Changes the row's fields without saving; returns the names it changed. Old files are doomed in
    the caller's transaction. Nobody sees the clear text, so this is no access.
    """
    texts = {
        field.name: open_text(row, field.name)
        for field in row._meta.get_fields()
        if isinstance(field, SealedTextField) and getattr(row, field.name) is not None
    }
    pictures = {name: open_file(row, name) for name in file_fields if getattr(row, name)}
    files.doom([getattr(row, name) for name in pictures], now=now)
    assign_key(row, scope=scope, data_class=data_class, now=now)
    seal_text(row, texts)
    for name, data in pictures.items():
        seal_file(row, name, data, now=now)
    return ["data_class", "data_key", *texts, *pictures]
