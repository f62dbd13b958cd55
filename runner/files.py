"""Small private files, whole or not at all; locks; logs that do not grow for ever."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOG_LIMIT_BYTES = 10_000_000


def write_private(path: Path, text: str) -> None:
    """Replaces `path` atomically with `text`, mode 0600."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def create_private(path: Path, text: str) -> bool:
    """Creates `path` with `text`, mode 0600, only if it isn't there; False when it is.

    `os.link` refuses an existing name, as O_EXCL does, and the file appears only once it is
    whole and on the disk: a key half written by a power cut would seal data nobody can open.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return False
    finally:
        Path(name).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Takes a flock on a file or folder: its descriptor, or None when someone else holds it.

    The kernel lets go of it when the holder dies, however it dies; a pid file can't promise that.
    """
    if path.is_dir():
        handle = os.open(path, os.O_RDONLY)
    else:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock."""
    if not path.exists():
        return False
    handle = try_lock(path, shared=True)
    if handle is None:
        return True
    os.close(handle)
    return False


@contextlib.contextmanager
def lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Holds a flock on a file or folder, waiting for it as long as it takes."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def rotate(path: Path, limit: int = LOG_LIMIT_BYTES) -> None:
    """Moves a log of more than `limit` bytes to `NAME.1`, keeping one old copy.

    Copied and truncated, because its writer holds it open (to append) and may be running.
    """
    try:
        if path.stat().st_size <= limit:
            return
    except FileNotFoundError:
        return
    old = path.with_name(path.name + ".1")
    old.unlink(missing_ok=True)
    shutil.copyfile(path, old)
    old.chmod(0o600)
    os.truncate(path, 0)
