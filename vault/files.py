"""The sealed file store over Django storages: ciphertext in, ciphertext out, random names.

A file is written before the row that names it commits, and removed after the row that named it is
gone, through `DoomedFile` rows: so every name in a row has its file, at any moment.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import transaction

from vault.models import DoomedFile

log = structlog.get_logger(__name__)

_WRITERS = 16


class DurableFileSystemStorage(FileSystemStorage):
    """A file system storage whose `save` returns only when file and folder are on disk.

    What goes in is ciphertext already, so a left-over of a crash tells nobody anything.
    """

    def _save(self, name: str, content: ContentFile) -> str:  # type: ignore[type-arg]
        path = self.path(name)
        folder = os.path.dirname(path)
        _make_folder(folder)
        part = f"{path}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content.read())
                file.flush()
                os.fsync(file.fileno())
            os.rename(part, path)
        except BaseException:
            if os.path.exists(part):
                os.unlink(part)
            raise
        _sync_folder(folder)
        return name


def _make_folder(folder: str) -> None:
    """Make a folder and those above it; each is on disk only once the one that holds it is."""
    if os.path.isdir(folder):
        return
    above = os.path.dirname(folder)
    _make_folder(above)
    with suppress(FileExistsError):
        os.mkdir(folder, mode=0o700)
    _sync_folder(above)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class StoreAway(ConnectionError):
    """The store can't be reached; the message is the library's type of error only."""


@contextmanager
def _answering() -> Iterator[None]:
    """Every store's own errors as OSError, so that who waits for one need not know which it is."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise StoreAway(type(error).__name__) from error


@lru_cache(maxsize=1)
def _store() -> Storage:
    return storages["sealed"]


def put(sealed: bytes, *, now: datetime) -> str:
    """Store ciphertext durably; its name: `YYYY/MM/DD/<random>.sealed`. OSError when it can't."""
    name = f"{now:%Y/%m/%d}/{uuid.uuid4().hex}.sealed"
    with _answering():
        return _store().save(name, ContentFile(sealed))


def put_all(sealed: Sequence[bytes], *, now: datetime) -> list[str | OSError]:
    """`put` for many at once: for each its name, or why it could not be stored. They wait for the
    disk (or the network) together, which is nearly all that storing a small file costs."""
    if len(sealed) < 2:
        return [_tried(one, now) for one in sealed]
    return list(_writers().map(partial(_tried, now=now), sealed))


def _tried(sealed: bytes, now: datetime) -> str | OSError:
    try:
        return put(sealed, now=now)
    except OSError as error:
        return error


@lru_cache(maxsize=1)
def _writers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_WRITERS, thread_name_prefix="files")


def get(name: str) -> bytes:
    """The ciphertext of a name. FileNotFoundError if there is none, also for an empty name."""
    if not name:
        raise FileNotFoundError
    with _answering(), _store().open(name, "rb") as file:
        return bytes(file.read())


def doom(names: list[str], *, now: datetime) -> None:
    """Have files removed once the current transaction commits (and by the sweeper, if not then)."""
    wanted = [name for name in names if name]
    if not wanted:
        return
    DoomedFile.objects.bulk_create(
        [DoomedFile(name=name, doomed_at=now) for name in wanted], ignore_conflicts=True
    )
    transaction.on_commit(partial(_remove, wanted), robust=True)


def remove_doomed(*, limit: int = 1000) -> int:
    """Remove the files of committed doom rows, oldest first; how many. A second run removes nothing
    twice, and one that can't be removed keeps its row and holds up no other."""
    rows = DoomedFile.objects.order_by("doomed_at", "name")
    return _remove(list(rows.values_list("name", flat=True)[:limit]))


def _remove(names: list[str]) -> int:
    gone = []
    for name in names:
        try:
            with _answering():
                _store().delete(name)
        except ConnectionError as error:
            log.error("store_away", error=type(error).__name__)
            break  # the others would only wait for it, too
        except OSError as error:
            log.error("file_not_removed", error=type(error).__name__)
        else:
            gone.append(name)
    DoomedFile.objects.filter(pk__in=gone).delete()
    return len(gone)


def names_before(day: datetime) -> list[str]:
    """Names of stored files of whole days before `day` (for the search for orphans)."""
    found: list[str] = []
    _walk(_store(), "", (day - timedelta(days=1)).strftime("%Y/%m/%d"), found)
    return found


def _walk(store: Storage, folder: str, last: str, found: list[str]) -> None:
    folders, names = store.listdir(folder)
    found.extend(f"{folder}/{name}" for name in names if folder)
    for name in folders:
        path = f"{folder}/{name}" if folder else name
        if path <= last[: len(path)]:
            _walk(store, path, last, found)
