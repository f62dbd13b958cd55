"""Secrets of an installation: made once, mode 0600, never made again over existing data."""

from __future__ import annotations

import base64
import os
import secrets
import stat
from pathlib import Path

from runner import files
from runner.console import RunError
from runner.paths import Var

# Without these two what was sealed, or indexed, before can't be opened, or found, ever again.
VAULT_KEYS = {
    "master.key": "PLATEWARDEN_MASTER_KEY_FILE",
    "index.key": "PLATEWARDEN_INDEX_KEY_FILE",
}
# A new one of this does no harm: what was signed before still verifies with its public half.
SIGNING_KEY = {"signing.key": "PLATEWARDEN_SIGNING_KEY_FILE"}
KEYS = VAULT_KEYS | SIGNING_KEY


def given(setting: str) -> bool:
    """Whether the caller's environment names this key's file, or holds the key itself."""
    return bool(os.environ.get(setting) or os.environ.get(setting.removesuffix("_FILE")))


def _vault_key() -> str:
    return f"k1:{base64.b64encode(os.urandom(32)).decode()}\n"


def make_keys(var: Var, *, database: Path | None) -> None:
    """Makes the keys of the vault and of evidence where the caller's environment names none.

    `database` is the folder of an embedded database that exists already, else None. Raises
    RunError when a key of the vault is missing although there is one: a new one would start
    cleanly and make everything sealed so far unreadable without a word.
    """
    for name, setting in KEYS.items():
        path = var.secrets / name
        if path.exists() or given(setting):
            continue
        if database and name in VAULT_KEYS:
            raise RunError(
                f"{path} is missing, but the database it belongs to exists in {database}. "
                "What was sealed with it cannot be opened without it, so nothing was started. "
                f"Put the key back from your backup (or name it in {setting}); if the data may "
                f"be lost, remove {database} and start afresh."
            )
        files.create_private(path, _vault_key())


def secret(var: Var, name: str) -> str:
    """The value of a plain secret (a password, Django's key), made at its first use."""
    path = var.secrets / name
    if not path.exists():
        files.create_private(path, secrets.token_hex(32) + "\n")
    return path.read_text().strip()


def loose_modes(var: Var) -> list[Path]:
    """Secrets that others than their owner can read or write."""
    return [
        path
        for path in [var.secrets, *sorted(var.secrets.glob("*"))]
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
