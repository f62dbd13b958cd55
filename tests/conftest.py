"""Fixtures every test may use. Services are real: `./run test` starts PostgreSQL and Valkey."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection


def pytest_configure() -> None:
    """A database name of their own for developers who test side by side."""
    suffix = os.environ.get("PW_TEST_DB", "")
    for alias in ("default", "keys"):
        django_settings.DATABASES[alias].setdefault("TEST", {})
        django_settings.DATABASES[alias]["TEST"]["NAME"] = f"test_pw{suffix}_{alias}"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    """Let the flush between transactional tests empty the audit log and the evidence chain, which
    triggers forbid.

    That they are there and refuse is asserted on migrated databases of their own
    (tests/integration/test_audit.py, tests/integration/cases/test_evidence_chain.py).
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("ALTER TABLE audit_auditrow DISABLE TRIGGER USER")
        # …but update and delete stay refused, where migrations made that trigger
        cursor.execute("SELECT 1 FROM pg_trigger WHERE tgname = 'audit_no_change'")
        if cursor.fetchone():
            cursor.execute("ALTER TABLE audit_auditrow ENABLE TRIGGER audit_no_change")
            cursor.execute("ALTER TABLE cases_chainentry DISABLE TRIGGER cases_chain_no_truncate")


@pytest.fixture(autouse=True)
def sealed_store(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A sealed store of the test's own."""
    from vault import files

    folder = tmp_path / "sealed"
    settings.STORAGES = settings.STORAGES | {
        "sealed": {
            "BACKEND": "vault.files.DurableFileSystemStorage",
            "OPTIONS": {"location": str(folder)},
        }
    }
    files._store.cache_clear()
    yield folder
    files._store.cache_clear()


@pytest.fixture(autouse=True)
def fresh_keys() -> Iterator[None]:
    """No data key and no device key remembered from another test's database."""
    from cameras.keys import device_keys_forget
    from vault import keys

    keys.forget_cached()
    device_keys_forget()
    yield
    keys.forget_cached()
