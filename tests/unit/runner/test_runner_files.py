"""Private files, locks and logs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runner import files
from runner.paths import ROOT

HOLD = (
    "import sys; sys.path.insert(0, sys.argv[2])\n"
    "from pathlib import Path; from runner import files\n"
    "files.try_lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_file_is_never_made_twice(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert files.create_private(path, "first")
    assert not files.create_private(path, "second")
    assert path.read_text() == "first"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_is_private_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text("old")
    path.chmod(0o644)
    files.write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_excludes_another_process_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert files.is_locked(path)
    assert files.try_lock(path) is None
    holder.kill()
    holder.wait()
    handle = files.try_lock(path)
    assert handle is not None
    os.close(handle)


def test_a_folder_can_be_locked(tmp_path: Path) -> None:
    with files.lock(tmp_path):
        assert files.is_locked(tmp_path)
    assert not files.is_locked(tmp_path)


@pytest.mark.parametrize(("size", "rotated"), [(100, False), (101, True)])
def test_a_log_over_its_limit_is_moved_while_its_writer_goes_on(
    tmp_path: Path, size: int, rotated: bool
) -> None:
    path = tmp_path / "web.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"a" * size)
        files.rotate(path, limit=100)
        writer.write(b"b")
    old = tmp_path / "web.log.1"
    assert old.exists() is rotated
    assert path.read_bytes() == (b"b" if rotated else b"a" * size + b"b")
    if rotated:
        assert old.read_bytes() == b"a" * size
        assert mode(old) == 0o600
