"""Keys are made once, privately, and never over existing data."""

from __future__ import annotations

import base64
import re
import stat
from pathlib import Path

import pytest

from runner import keys
from runner.console import RunError
from runner.paths import Var


def test_the_keys_are_made_once(var: Var) -> None:
    keys.make_keys(var, database=None)
    texts = [(var.secrets / name).read_text() for name in keys.KEYS]
    for text in texts:
        match = re.fullmatch(r"k1:([A-Za-z0-9+/]+=)\n", text)
        assert match
        assert len(base64.b64decode(match[1], validate=True)) == 32
    assert len(set(texts)) == 3
    keys.make_keys(var, database=None)
    assert [(var.secrets / name).read_text() for name in keys.KEYS] == texts


@pytest.mark.parametrize("name", ["master.key", "index.key"])
def test_a_key_is_never_made_anew_over_an_existing_database(
    var: Var, tmp_path: Path, name: str
) -> None:
    keys.make_keys(var, database=None)
    (var.secrets / name).unlink()
    with pytest.raises(RunError, match=rf"{name} is missing") as refused:
        keys.make_keys(var, database=tmp_path / "postgres")
    assert "backup" in str(refused.value)
    assert not (var.secrets / name).exists()


def test_a_signing_key_is_made_where_an_older_installation_has_none(
    var: Var, tmp_path: Path
) -> None:
    keys.make_keys(var, database=None)
    (var.secrets / "signing.key").unlink()
    keys.make_keys(var, database=tmp_path / "postgres")
    assert (var.secrets / "signing.key").read_text().startswith("k1:")


@pytest.mark.parametrize("suffix", ["", "_FILE"])
def test_a_key_of_the_environment_is_not_made(
    var: Var, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setenv(f"PLATEWARDEN_MASTER_KEY{suffix}", "elsewhere")
    keys.make_keys(var, database=None)
    assert not (var.secrets / "master.key").exists()
    assert (var.secrets / "index.key").exists()


def test_secrets_are_private_and_stay(var: Var) -> None:
    first = keys.secret(var, "postgres.password")
    assert len(first) >= 32
    assert keys.secret(var, "postgres.password") == first
    assert keys.secret(var, "valkey.password") != first
    for path in var.secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(var.secrets.stat().st_mode) == 0o700


def test_loose_modes_are_found(var: Var) -> None:
    keys.make_keys(var, database=None)
    assert keys.loose_modes(var) == []
    (var.secrets / "master.key").chmod(0o640)
    assert keys.loose_modes(var) == [var.secrets / "master.key"]
