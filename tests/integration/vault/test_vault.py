"""Sealing on real databases: bound to row and field, keyed per site, day and class."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from plates.models import Passage
from vault import blind, files, keyring, keys
from vault.checks import key_problems
from vault.models import DataClass, DataKey, DoomedFile, KeyCheck, Sealed
from vault.sealing import SealBroken, assign_key, open_file, open_text, reseal, seal_file, seal_text

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
PLATE = "1AB2345"


def sealed_row(scope: str = "site-a", data_class: str = DataClass.PENDING) -> Passage:
    row = Passage(id=uuid.uuid4())
    assign_key(row, scope=scope, data_class=data_class, now=NOW)
    seal_text(row, {"text": PLATE, "candidates": "[]"})
    return row


def test_opens_what_was_sealed_and_shows_nothing_meanwhile() -> None:
    row = sealed_row()
    assert open_text(row, "text") == PLATE
    assert PLATE.encode() not in bytes(row.text)
    assert PLATE not in repr(row.text) + str(row.text)


def test_a_ciphertext_moved_to_another_row_or_field_does_not_open() -> None:
    row, other = sealed_row(), sealed_row()
    other.text = row.text
    with pytest.raises(SealBroken):
        open_text(other, "text")
    row.candidates = row.text
    with pytest.raises(SealBroken):
        open_text(row, "candidates")


@pytest.mark.parametrize("place", [0, 5, 20, 40, -1])
def test_a_flipped_bit_anywhere_is_noticed(place: int) -> None:
    row = sealed_row()
    changed = bytearray(bytes(row.text))
    changed[place] ^= 1
    row.text = Sealed(bytes(changed))
    with pytest.raises((SealBroken, keys.KeyDestroyed)):
        open_text(row, "text")


def test_clear_text_cannot_be_stored_by_mistake() -> None:
    row = sealed_row()
    row.text = PLATE.encode()
    with pytest.raises(TypeError):
        Passage._meta.get_field("text").get_db_prep_value(row.text, connection)


def test_one_key_per_scope_day_and_class_kept_wrapped_outside_the_main_database() -> None:
    rows = [sealed_row(), sealed_row(), sealed_row("site-b"), sealed_row(data_class=DataClass.CASE)]
    assert len({row.data_key for row in rows}) == 3
    later = Passage(id=uuid.uuid4())
    assign_key(later, scope="site-a", data_class=DataClass.PENDING, now=NOW + timedelta(days=1))
    assert later.data_key != rows[0].data_key
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('vault_datakey')")
        assert cursor.fetchone() == (None,)
    raw = keys.raw_key(rows[0].data_key)
    assert raw not in bytes(DataKey.objects.using("keys").get(pk=rows[0].data_key).wrapped)


def test_destroying_the_key_forgets_text_and_file() -> None:
    row = sealed_row()
    row.candidates = row.text
    seal_file(row, "country", b"picture", now=NOW)  # any text column can hold a name
    assert keys.destroy([row.data_key], now=NOW) == 1
    with pytest.raises(keys.KeyDestroyed):
        open_text(row, "text")
    with pytest.raises(keys.KeyDestroyed):
        open_file(row, "country")
    assert sealed_row().data_key != row.data_key, "a destroyed key never seals again"


def test_resealing_moves_everything_to_the_other_class(sealed_store: Path) -> None:
    row = sealed_row()
    seal_file(row, "country", b"picture", now=NOW)
    old_key, old_name = row.data_key, row.country
    changed = reseal(
        row, file_fields=("country",), scope="site-a", data_class=DataClass.COMPLIANT, now=NOW
    )
    assert set(changed) == {"data_class", "data_key", "text", "candidates", "country"}
    keys.destroy([old_key], now=NOW)
    assert open_text(row, "text") == PLATE
    assert open_file(row, "country") == b"picture"
    assert not (sealed_store / old_name).exists()
    assert not DoomedFile.objects.exists()


def test_files_lie_sealed_and_private(sealed_store: Path) -> None:
    row = sealed_row()
    seal_file(row, "country", PLATE.encode(), now=NOW)
    path = sealed_store / row.country
    assert PLATE.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert files.names_before(NOW + timedelta(days=2)) == [row.country]
    assert files.names_before(NOW) == []


def test_tokens_are_keyed_per_kind_and_carry_the_key_number() -> None:
    exact, equivalent = blind.exact("AB12CDO"), blind.equivalent("AB12CDO")
    assert exact != equivalent
    assert exact.bytes[0] == keyring.index().active
    assert blind.equivalent("AB12CD0") == equivalent
    assert blind.exact("AB12CD0") != exact


def test_old_index_keys_are_still_searched_after_a_rotation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = blind.exact(PLATE)
    ring = keyring.index()
    rotated = keyring.Keyring(9, {9: b"9" * 32, **ring.keys})
    monkeypatch.setattr(keyring, "index", lambda: rotated)
    blind._derived.cache_clear()
    assert blind.exact(PLATE) != old
    assert old in blind.exact_lookup(PLATE)
    blind._derived.cache_clear()


def test_a_wrong_master_key_is_refused_and_a_rotated_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert key_problems() == []
    right = keyring.master()
    number = right.active
    monkeypatch.setattr(keyring, "master", lambda: keyring.Keyring(number, {number: b"w" * 32}))
    assert any("not the one" in problem for problem in key_problems())
    monkeypatch.setattr(keyring, "master", lambda: keyring.Keyring(77, {77: b"w" * 32}))
    assert any("expected one of" in problem for problem in key_problems())
    monkeypatch.setattr(
        keyring, "master", lambda: keyring.Keyring(77, {77: b"w" * 32, **right.keys})
    )
    assert key_problems() == []
    KeyCheck.objects.using("keys").all().delete()


def test_a_missing_master_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> keyring.Keyring:
        raise keyring.KeyringError("no master key")

    monkeypatch.setattr(keyring, "master", missing)
    assert key_problems() == ["no master key"]


def test_rewrapping_moves_every_data_key_to_the_new_master_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = sealed_row()
    right = keyring.master()
    new = keyring.Keyring(77, {77: b"n" * 32, **right.keys})
    monkeypatch.setattr(keyring, "master", lambda: new)
    call_command("rewrap_keys")
    only_new = keyring.Keyring(77, {77: b"n" * 32})
    monkeypatch.setattr(keyring, "master", lambda: only_new)
    keys.forget_cached()
    assert open_text(row, "text") == PLATE


def test_sealing_before_the_first_check_is_fine_but_a_new_key_over_old_data_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    KeyCheck.objects.using("keys").all().delete()
    sealed_row()  # as a command does right after the first migration
    right = keyring.master()
    wrong = keyring.Keyring(right.active, {right.active: b"w" * 32})
    monkeypatch.setattr(keyring, "master", lambda: wrong)
    assert any("does not open" in problem for problem in key_problems())
    monkeypatch.setattr(keyring, "master", lambda: right)
    assert key_problems() == []
    assert key_problems() == []
