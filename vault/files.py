"""The sealed file store over Django storages: ciphertext in, ciphertext out, random names.

A file is written before the row that names it commits, and removed after the row that named it is
gone, through `DoomedFile` rows: so every name in a row has its file, at any moment.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import transaction

from vault.models import DoomedFile


class DurableFileSystemStorage(FileSystemStorage):
    """A file system storage whose `save` returns only when file and folder are on disk.

    What goes in is ciphertext already, so a left-over of a crash tells nobody anything.
    """

    def _save(self, name: str, content: "ContentFile[bytes]") -> str:
        path = self.path(name)
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
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
        folder_descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(folder_descriptor)
        finally:
            os.close(folder_descriptor)
        return name


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
    transaction.on_commit(lambda: remove_doomed(limit=len(wanted) + 100), robust=True)


def remove_doomed(*, limit: int = 1000) -> int:
    """Remove the files of committed doom rows; how many. A second run removes nothing twice."""
    with transaction.atomic():
        rows = list(DoomedFile.objects.select_for_update(skip_locked=True)[:limit])
        for row in rows:
            _store().delete(row.name)
        DoomedFile.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


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
