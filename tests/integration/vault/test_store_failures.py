"""The sealed store when things go wrong: crashes, refusals, outages; keys taken out too soon."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import Storage
from django.db import connections

from vault import files, keyring, keys
from vault.checks import key_problems
from vault.models import DataClass, DoomedFile, KeyCheck

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_stored_file_and_every_folder_above_it_are_on_disk(
    sealed_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    name = files.put(b"ciphertext", now=NOW)
    path = sealed_store / name
    # a crash of the machine must not lose a folder: each is an entry of the one above
    made = [path, path.parent, path.parent.parent, path.parent.parent.parent, sealed_store]
    assert {one.stat().st_ino for one in made} <= synced
    assert sealed_store.parent.stat().st_ino in synced
    assert oct(path.parent.stat().st_mode)[-3:] == "700"


def test_a_name_that_is_empty_names_no_file() -> None:
    with pytest.raises(FileNotFoundError):
        files.get("")
    with pytest.raises(FileNotFoundError):
        files.get("2026/03/01/none.sealed")


class Broken:
    """A store some of whose files can't be removed."""

    def __init__(self, real: Storage, refused: dict[str, Exception]) -> None:
        self.real, self.refused, self.asked = real, refused, 0

    def delete(self, name: str) -> None:
        self.asked += 1
        if name in self.refused:
            raise self.refused[name]
        self.real.delete(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def doomed(count: int) -> list[str]:
    names = [files.put(b"ciphertext", now=NOW) for _ in range(count)]
    DoomedFile.objects.bulk_create([DoomedFile(name=name, doomed_at=NOW) for name in names])
    return sorted(names)


def test_one_file_that_cannot_be_removed_keeps_no_other(
    sealed_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = doomed(4)
    store = Broken(files._store(), {names[0]: PermissionError(), names[2]: OSError(5, "I/O")})
    with monkeypatch.context() as patch:
        patch.setattr(files, "_store", lambda: store)
        assert files.remove_doomed() == 2
    assert set(DoomedFile.objects.values_list("name", flat=True)) == {names[0], names[2]}
    assert not (sealed_store / names[1]).exists()
    assert files.remove_doomed() == 2
    assert not list(sealed_store.rglob("*.sealed"))


def test_a_store_that_is_away_is_not_asked_for_each_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class EndpointError(Exception):
        """As an S3 library raises it: of no family that Python knows."""

    names = doomed(3)
    store = Broken(files._store(), {names[0]: EndpointError("secret host name")})
    with monkeypatch.context() as patch:
        patch.setattr(files, "_store", lambda: store)
        assert files.remove_doomed() == 0
    assert store.asked == 1
    assert DoomedFile.objects.count() == 3
    with pytest.raises(files.StoreAway, match=r"^EndpointError$"), files._answering():
        raise EndpointError("secret host name")


def test_a_master_key_that_is_still_needed_may_not_be_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert key_problems() == []
    ring = keyring.master()
    both = keyring.Keyring(77, {77: b"n" * 32, **ring.keys})
    keys.current_key("site-a", DataClass.PENDING, NOW)
    monkeypatch.setattr(keyring, "master", lambda: both)
    assert key_problems() == []
    monkeypatch.setattr(keyring, "master", lambda: keyring.Keyring(77, {77: b"n" * 32}))
    (problem,) = key_problems()
    assert f"k{ring.active} is missing" in problem
    keys.destroy([keys.current_key("site-a", DataClass.PENDING, NOW)], now=NOW)
    assert key_problems() == [], "what it wrapped is forgotten"
    KeyCheck.objects.using("keys").all().delete()


def test_a_key_that_is_read_while_it_is_destroyed_is_not_kept_in_memory() -> None:
    key = keys.current_key("site-a", DataClass.PENDING, NOW)

    def read_meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            keys.raw_key(key)
        return execute(sql, *rest)

    keys.forget_cached()
    with connections["keys"].execute_wrapper(read_meanwhile):
        assert keys.destroy([key], now=NOW) == 1
    with pytest.raises(keys.KeyDestroyed):
        keys.raw_key(key)
    assert keys.current_key("site-a", DataClass.PENDING, NOW) != key
