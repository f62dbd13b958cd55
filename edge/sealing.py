"""What lies on the device's disk is sealed: AES-256-GCM under a key of the device's own.

The key is random and in a file of its own (0600), not made of the device key: a device that is
enrolled again gets another device key, and what it had spooled before must still open. Whoever
seizes the disk with the key file can open it; whoever gets a spool, a backup or an SD card's worn
blocks without it cannot.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_NONCE: Final = 12


class SealError(ValueError):
    """Sealed bytes that do not open: damaged, of another place, or under another key."""


class Sealer:
    """Seals bytes for one purpose; a key made for it by HKDF-SHA256 (RFC 5869)."""

    def __init__(self, key: bytes, purpose: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"The device's own key has {KEY_BYTES} bytes.")
        info = f"platewarden-edge {purpose}".encode()
        made = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)
        self._aes = AESGCM(made)

    def seal(self, clear: bytes, about: str) -> bytes:
        """Nonce and ciphertext; `about` says what it is and must be said again to open it."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._aes.encrypt(nonce, clear, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """The clear bytes; SealError."""
        try:
            return self._aes.decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise SealError("It does not open.") from error


def load_key(path: Path) -> bytes:
    """The device's own key (32 bytes) from its file, made at the first start. OSError, ValueError.

    A file that others may read is closed to them.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        _make(path)
        return _read(path)


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path.name} does not hold a key of {KEY_BYTES} bytes.")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)
    return key


def _make(path: Path) -> None:
    """Whole or not at all, and never over one that another process has made meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
