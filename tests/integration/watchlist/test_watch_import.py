"""Hotlists by CSV."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.models import AuditRow
from cameras.models import Organisation
from core.models import User
from enforcement.rights.tables import Progress
from enforcement.watchlist.importing import import_entries
from enforcement.watchlist.models import Entry, Watchlist
from tests.integration.watchlist.watchmaker import LATER, NOW, add, make_list
from vault import blind

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def run(watchlist: Watchlist, user: User, *rows: str, **change: Any) -> Progress:
    values: dict[str, Any] = {"now": NOW, "all_or_nothing": False, "expires_at": LATER}
    source = "\n".join(rows).encode()
    return list(import_entries(source, watchlist=watchlist, user=user, **values | change))[-1]


def counts(progress: Progress) -> tuple[int, int, int, int]:
    return progress.rows, progress.stored, progress.repeated, progress.refused


def entry_of(plate: str) -> Entry:
    return Entry.objects.get(token_exact=blind.exact(plate), removed_at__isnull=True)


def test_a_hotlist_needs_no_more_than_plates(stolen: Watchlist, anna: User) -> None:
    assert counts(run(stolen, anna, "PlateNumber", "AB-12 CDE", "XY99XYZ")) == (2, 2, 0, 0)
    entry = entry_of("AB12CDE")
    assert (entry.expires_at, entry.priority, entry.country) == (LATER, None, "")
    assert (entry.added_by, entry.watchlist) == (anna, stolen)


def test_all_columns(stolen: Watchlist, anna: User) -> None:
    run(
        stolen,
        anna,
        "Priority,PlateNumber,PlateCountry,Reason,ExpiryDate",
        "0,AB12CDE,gb,stolen,2026-03-31",
        "100,XY99XYZ,,,2026-03-31T12:00:00+02:00",
        expires_at=None,
    )
    first, second = entry_of("AB12CDE"), entry_of("XY99XYZ")
    assert (first.priority, first.country, first.reason) == (0, "GB", "stolen")
    assert first.expires_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert (second.priority, second.expires_at) == (100, datetime(2026, 3, 31, 10, tzinfo=UTC))
    run(stolen, anna, "PlateState;PlateNumber", "TX;7ABC123", state_of="US")
    assert entry_of("7ABC123").country == "US"


BAD = [
    "PlateNumber;Priority;Reason;ExpiryDate;PlateState",
    "AB12CDE;5;;;",
    " ;5;;;",
    "XY99XYZ;101;;;",
    "XY99XYZ;high;;;",
    "XY99XYZ;;it is XY99 XYZ;;",
    "XY99XYZ;;;2026-02-01;",
    "XY99XYZ;;;soon;",
    "XY99XYZ;;;;Kent",
    "XY99XYZ",
]
REFUSED = [
    (3, "plate_empty", "PlateNumber"),
    (4, "out_of_range", "Priority"),
    (5, "not_a_number", "Priority"),
    (6, "names_plate", "Reason"),
    (7, "expired_already", "ExpiryDate"),
    (8, "day_unreadable", "ExpiryDate"),
    (9, "unknown_country", "PlateState"),
    (10, "wrong_columns", None),
]


def test_bad_rows_are_named_without_their_plate(stolen: Watchlist, anna: User) -> None:
    progress = run(stolen, anna, *BAD)
    assert [(one.row, one.code, one.field) for one in progress.errors] == REFUSED
    assert counts(progress) == (9, 1, 0, 8)
    assert "XY99" not in repr(progress)
    assert Entry.objects.count() == 1


def test_all_or_nothing(stolen: Watchlist, anna: User) -> None:
    progress = run(stolen, anna, *BAD, all_or_nothing=True)
    assert (progress.applied, progress.refused) == (False, 8)
    assert not Entry.objects.exists()
    progress = run(stolen, anna, *BAD[:2], all_or_nothing=True)
    assert (progress.applied, counts(progress)) == (True, (1, 1, 0, 0))


def test_a_row_without_any_expiry_is_refused(stolen: Watchlist, anna: User) -> None:
    progress = run(stolen, anna, "PlateNumber", "AB12CDE", expires_at=None)
    assert [one.code for one in progress.errors] == ["expires_missing"]


def test_a_daily_list_is_repeated_and_changed_in_place(stolen: Watchlist, anna: User) -> None:
    rows = ["PlateNumber;Priority", "AB12CDE;5", "XY99XYZ;5", "AB12CDE;5"]
    assert counts(run(stolen, anna, *rows)) == (3, 2, 1, 0)
    assert counts(run(stolen, anna, *rows)) == (3, 0, 3, 0)
    later = LATER + timedelta(days=1)
    assert counts(run(stolen, anna, *rows[:2], expires_at=later)) == (1, 1, 0, 0)
    assert entry_of("AB12CDE").expires_at == later
    assert Entry.objects.count() == 2
    # what has expired makes room for a new entry
    assert counts(run(stolen, anna, *rows, now=later, expires_at=later + timedelta(days=1))) == (
        3,
        2,
        1,
        0,
    )
    assert Entry.objects.filter(removed_at=later).count() == 2


def test_a_file_changes_nothing_that_a_second_person_approved(
    organisation: Organisation, anna: User
) -> None:
    watchlist = make_list(organisation, anna, needs_approval=True)
    entry = add(watchlist, anna, plate="AB12CDE", country="")
    progress = run(watchlist, anna, "PlateNumber", "AB12CDE", "XY99XYZ", expires_at=LATER)
    assert counts(progress) == (2, 1, 1, 0)
    progress = run(watchlist, anna, "PlateNumber", "AB12CDE", expires_at=LATER + timedelta(days=1))
    assert [(one.row, one.code) for one in progress.errors] == [(2, "entry_exists")]
    entry.refresh_from_db()
    assert (entry.expires_at, entry.removed_at) == (LATER, None)


def test_one_audit_row_a_batch_with_every_token(
    stolen: Watchlist, anna: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr("enforcement.rights.batches.BATCH", 3)
    plates = [f"AB1{n}CDE" for n in range(7)]
    before = AuditRow.objects.count()
    run(stolen, anna, "PlateNumber", *plates)
    rows = AuditRow.objects.order_by("id")[before:]
    assert [(row.actor, row.action, row.purpose, row.count) for row in rows] == [
        ("anna", "import", "watchlist-admin", count) for count in (3, 3, 1)
    ]
    assert [token for row in rows for token in row.tokens] == [blind.exact(one) for one in plates]
