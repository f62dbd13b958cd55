"""The keys that live outside every database: the master key, the index key, the signing key.

Each comes from a file or an environment variable as lines `k<number>:<base64 of 32 bytes>`. The
first line is the active key; further lines are older ones, kept until nothing uses them. So a key
is rotated by putting a new line on top.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

_LINE = re.compile(r"^k([1-9][0-9]{0,2}):([A-Za-z0-9+/]{43}=)$")


class KeyringError(Exception):
    """A key is missing or malformed. The message never contains key material."""


@dataclass(frozen=True)
class Keyring:
    """Numbered 32-byte keys; `active` is the number new things are made with."""

    active: int
    keys: Mapping[int, bytes]

    def __repr__(self) -> str:
        return f"Keyring(active=k{self.active}, keys={sorted(self.keys)})"


def parse_keyring(text: str, what: str) -> Keyring:
    """The keyring in `text`; KeyringError names `what` and the line that is wrong."""
    keys: dict[int, bytes] = {}
    for number, line in enumerate(text.split(), start=1):
        match = _LINE.match(line)
        if match is None:
            raise KeyringError(f"{what}: line {number} is not k<number>:<base64 of 32 bytes>")
        try:
            key = base64.b64decode(match[2], validate=True)
        except binascii.Error as error:
            raise KeyringError(f"{what}: line {number} is not base64") from error
        key_id = int(match[1])
        if not key_id < 256:
            raise KeyringError(f"{what}: line {number}: key numbers go from k1 to k255")
        if key_id in keys:
            raise KeyringError(f"{what}: k{key_id} stands there twice")
        keys[key_id] = key
    if not keys:
        raise KeyringError(f"{what} is empty")
    return Keyring(next(iter(keys)), keys)


def _load(name: str) -> Keyring:
    variable = f"PLATEWARDEN_{name}"
    value = os.environ.get(variable)
    if value:
        return parse_keyring(value, variable)
    path = getattr(settings, f"{variable}_FILE")
    if not path:
        raise KeyringError(
            f"no {name.lower().replace('_', ' ')}: set {variable}_FILE to its file, or {variable}"
        )
    try:
        return parse_keyring(Path(path).read_text(encoding="ascii"), f"{variable}_FILE")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringError(f"{variable}_FILE cannot be read: {type(error).__name__}") from error


@lru_cache(maxsize=1)
def master() -> Keyring:
    """The keys that wrap data keys. KeyringError if there is none."""
    return _load("MASTER_KEY")


@lru_cache(maxsize=1)
def index() -> Keyring:
    """The keys of the blind index. KeyringError if there is none."""
    return _load("INDEX_KEY")


@lru_cache(maxsize=1)
def signing() -> Keyring:
    """The seeds of the Ed25519 keys that sign evidence. KeyringError if there is none: then nothing
    can be signed, and all else goes on."""
    return _load("SIGNING_KEY")
