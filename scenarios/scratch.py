"""Databases to play in: made from a template, dropped at the end.

The template is migrated once for each state of the migrations and kept in the server; nothing of
the site's own databases is read or written. A killed run leaves databases behind that nobody holds:
the next one drops them.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, Error, connections

ALIASES = (DEFAULT_DB_ALIAS, "keys")
_PREFIX = "pw_scenario"
_LOCK = 0x5CE7A210


class NoScratch(Exception):
    """The server gives us no database to play in."""


@contextmanager
def scratch_databases() -> Iterator[None]:
    """Both of Django's connections lead to fresh, migrated databases while it lasts.

    NoScratch where the server can't be reached or its user may not make databases.
    """
    names = {alias: connections[alias].settings_dict["NAME"] for alias in ALIASES}
    template = f"{_PREFIX}_{_fingerprint()}"
    own = f"{_PREFIX}_run_{secrets.token_hex(6)}"
    with _server() as cursor:
        _hold(cursor, own)
        try:
            with _alone(cursor):
                _copy(cursor, template, own)
            yield
        finally:
            for alias in ALIASES:
                _lead(alias, names[alias])
                _drop(cursor, f"{own}_{alias}")


@contextmanager
def _server() -> Iterator[Any]:
    """A cursor on the server that belongs to none of the databases we make."""
    with ExitStack() as stack:
        try:
            cursor = stack.enter_context(connections[DEFAULT_DB_ALIAS]._nodb_cursor())
            cursor.execute("SELECT 1")
        except Error as error:
            why = str(error).partition("\n")[0]
            raise NoScratch(f"the database server can't be reached: {why}") from None
        yield cursor


def _copy(cursor: Any, template: str, own: str) -> None:
    try:
        _drop_left(cursor, template)
        for alias in ALIASES:
            _make_template(cursor, f"{template}_{alias}", alias)
            # inside the lock: nobody may be connected to what is being copied
            cursor.execute(f'CREATE DATABASE "{own}_{alias}" TEMPLATE "{template}_{alias}"')
            _lead(alias, f"{own}_{alias}")
    except Error as error:
        why = str(error).partition("\n")[0]
        raise NoScratch(f"no database to play in could be made: {why}") from None


def _lead(alias: str, name: str) -> None:
    connections[alias].close()
    connections[alias].settings_dict["NAME"] = name


@contextmanager
def _alone(cursor: Any) -> Iterator[None]:
    """One run at a time makes templates, copies them and drops what is left."""
    cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _hold(cursor: Any, own: str) -> None:
    """Say that a run lives: its databases are not left over while this connection stands."""
    cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [own])


def _drop_left(cursor: Any, template: str) -> None:
    """Drop templates of other states of the migrations, and what killed runs left."""
    cursor.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{_PREFIX}_"]
    )
    for (name,) in cursor.fetchall():
        run = name.rpartition("_")[0]
        if run == template:
            continue
        if run.startswith(f"{_PREFIX}_run_"):
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [run])
            if not cursor.fetchone()[0]:
                continue
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [run])
        _drop(cursor, name)


def _drop(cursor: Any, name: str) -> None:
    """Drop a database nobody of ours is connected to; where the server won't, the next run does.

    Not by force: that would ask to end autovacuum's worker, which only a superuser may. Without,
    the server sends it away by itself.
    """
    with suppress(Error):
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')


def _make_template(cursor: Any, name: str, alias: str) -> None:
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    if cursor.fetchone():
        return
    making = f"{_PREFIX}_making_{alias}"
    cursor.execute(f'DROP DATABASE IF EXISTS "{making}"')
    cursor.execute(f'CREATE DATABASE "{making}"')
    _lead(alias, making)
    call_command("migrate", database=alias, verbosity=0, interactive=False)
    connections[alias].close()
    # its name comes last: half a template is none
    cursor.execute(f'ALTER DATABASE "{making}" RENAME TO "{name}"')


def _fingerprint() -> str:
    """Changes with any migration, ours or a library's."""
    digest = hashlib.sha256()
    for config in sorted(apps.get_app_configs(), key=lambda one: one.label):
        for path in sorted(Path(config.path, "migrations").glob("*.py")):
            digest.update(f"{config.label}/{path.name}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
