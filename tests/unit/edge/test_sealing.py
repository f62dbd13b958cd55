"""What lies on the device's disk: sealed, bound to what it is, under a key only its owner reads."""

import stat
import threading
from pathlib import Path

import pytest

from edge.sealing import KEY_BYTES, Sealer, SealError, load_key

KEY = bytes(range(KEY_BYTES))
SECRET = b"34A36837"


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealer = Sealer(KEY, "spool")
    sealed = sealer.seal(SECRET, "item 1")
    assert SECRET not in sealed
    assert sealed != sealer.seal(SECRET, "item 1")
    assert Sealer(KEY, "spool").open(sealed, "item 1") == SECRET


@pytest.mark.parametrize(
    ("key", "purpose", "about"),
    [(bytes(KEY_BYTES), "spool", "item 1"), (KEY, "hotlist", "item 1"), (KEY, "spool", "item 2")],
    ids=["other key", "other purpose", "other place"],
)
def test_it_opens_nowhere_else(key: bytes, purpose: str, about: str) -> None:
    sealed = Sealer(KEY, "spool").seal(SECRET, "item 1")
    with pytest.raises(SealError):
        Sealer(key, purpose).open(sealed, about)


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 40])
def test_damage_is_noticed(damage: bytes) -> None:
    with pytest.raises(SealError):
        Sealer(KEY, "spool").open(damage, "item 1")


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "state" / "device.key"
    key = load_key(path)
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert load_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["device.key"]


def test_many_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    found: list[bytes] = []
    start = threading.Barrier(8)

    def load() -> None:
        start.wait()
        found.append(load_key(tmp_path / "device.key"))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_file_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "device.key"
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match=r"device\.key"):
        load_key(path)
    with pytest.raises(ValueError, match="32"):
        Sealer(b"short", "spool")
