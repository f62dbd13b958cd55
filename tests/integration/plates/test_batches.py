"""What a stage opened is written down, or the log says that it could not be."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError

from audit import access
from audit.models import AuditRow
from plates.models import Passage
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def sealed() -> Passage:
    row = Passage(id=uuid.uuid4(), token_exact=uuid.uuid4())
    assign_key(row, scope="s", data_class=DataClass.PENDING, now=datetime(2026, 1, 1, tzinfo=UTC))
    seal_text(row, {"text": "1AB2345"})
    return row


def test_why_a_batch_failed_is_not_hidden_by_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(access, "record", away)
    with pytest.raises(SystemExit), access.stage_batch("gather") as batch:
        batch.text(sealed())
        raise SystemExit(0)  # a worker told to stop
    assert "access_unwritten" in caplog.text
    assert "1AB2345" not in caplog.text
    assert not AuditRow.objects.exists()


def test_a_batch_whose_audit_row_cannot_be_written_does_not_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(access, "record", away)
    with pytest.raises(OperationalError), access.stage_batch("gather") as batch:
        batch.text(sealed())
        AuditRow.objects.create(
            at=datetime(2026, 1, 1, tzinfo=UTC), actor_kind="t", actor="t", purpose="t",
            action="t", previous=b"", digest=b"1",
        )  # fmt: skip
    assert not AuditRow.objects.exists()
