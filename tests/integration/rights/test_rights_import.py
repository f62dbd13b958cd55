"""Rights by CSV: what comes in, what each bad row is told, and all or nothing."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.db import connection, connections

from audit.models import AuditRow
from audit.services import verify
from cameras.models import Organisation, Site
from core.errors import BadInput
from enforcement.rights.importing import Layout, import_rights
from enforcement.rights.intake import right_input
from enforcement.rights.models import Right, RightPlate, RightTouch
from enforcement.rights.selectors import site_rights
from enforcement.rights.services import right_receive
from enforcement.rights.tables import Progress
from tests.integration.rights.rightsmaker import ADMIN, NOW, Seller
from vault import blind

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

PERMITS = "Category;PlateState;PlateNumber;EffectiveDate;ExpiryDate;PermitID"


def table(*rows: str) -> bytes:
    return "\n".join(rows).encode()


def run(source: bytes, site: Site | None, **change: Any) -> Progress:
    values: dict[str, Any] = {
        "layout": Layout.PERMITS,
        "site": site,
        "provider": None,
        "actor": ADMIN,
        "now": NOW,
        "all_or_nothing": False,
    }
    last = list(import_rights(source, **values | change))[-1]
    assert last.done
    return last


def counts(progress: Progress) -> tuple[int, int, int, int]:
    return progress.rows, progress.stored, progress.repeated, progress.refused


def errors(progress: Progress) -> list[tuple[int, str, str | None]]:
    return [(one.row, one.code, one.field) for one in progress.errors]


def plates_of(permit: Right) -> set[Any]:
    return {plate.token_exact for plate in permit.plates.all()}


# --- what comes in --------------------------------------------------------------------------------


def test_permits_come_in_on_the_sites_calendar(site: Site) -> None:
    progress = run(
        table(
            PERMITS,
            "Staff;GB;AA11 AAA;2026-03-01;2026-03-31;s1",
            "Staff;;BB22BBB;;;s2",
            "Visitor;GB;CC33CCC;2026-03-01T08:00:00+01:00;2026-03-01T18:00:00+01:00;v1",
        ),
        site,
    )
    assert counts(progress) == (3, 3, 0, 0)
    staff, always, visitor = (
        Right.objects.get(plates__token_exact=blind.exact(text))
        for text in ("AA11AAA", "BB22BBB", "CC33CCC")
    )
    # Prague: from the first midnight to the last one, an hour of which summer time takes
    assert staff.starts_at == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert staff.ends_at == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert (staff.product, staff.plates.get().country, staff.site) == ("Staff", "GB", site)
    assert (always.starts_at, always.ends_at, always.plates.get().country) == (None, None, "")
    assert visitor.ends_at - visitor.starts_at == timedelta(hours=10)
    assert len(site_rights(site, NOW, NOW)) == 3


def test_rows_of_one_permit_are_a_shared_permit(site: Site) -> None:
    progress = run(
        table(
            PERMITS + ";MaxPresent",
            "Pool;GB;AA11AAA;;;pool;",
            "Pool;GB;BB22BBB;;;pool;",
            "Pool;GB;CC33CCC;;;pool;",
            "Crew;GB;DD44DDD;;;crew;2",
            "Crew;GB;EE55EEE;;;crew;2",
            "One;GB;FF66FFF;;;one;",
        ),
        site,
    )
    assert counts(progress) == (6, 6, 0, 0)
    found = {
        right.product: (right.max_present, len(plates_of(right))) for right in Right.objects.all()
    }
    assert found == {"Pool": (1, 3), "Crew": (2, 2), "One": (None, 1)}


def test_a_file_again_is_a_repeat_and_a_changed_row_a_new_version(site: Site) -> None:
    rows = [PERMITS, *(f"Staff;GB;AA{n:02}AAA;;;s{n}" for n in range(10))]
    assert counts(run(table(*rows), site)) == (10, 10, 0, 0)
    touched = RightTouch.objects.count()
    assert counts(run(table(*rows), site)) == (10, 0, 10, 0)
    assert RightTouch.objects.count() == touched
    rows[3] = "Staff;GB;XX99XXX;;;s2"
    assert counts(run(table(*rows), site)) == (10, 1, 9, 0)
    changed = Right.objects.get(plates__token_exact=blind.exact("XX99XXX"))
    assert (changed.version, changed.current) == (2, True)
    old = Right.objects.get(plates__token_exact=blind.exact("AA02AAA"))
    assert (old.version, old.current) == (1, False)


def test_the_same_ids_at_another_site_are_other_permits(site: Site, other_site: Site) -> None:
    rows = table(PERMITS, "Staff;GB;AA11AAA;;;s1")
    assert counts(run(rows, site)) == counts(run(rows, other_site)) == (1, 1, 0, 0)
    assert Right.objects.filter(current=True).count() == 2


def test_states_of_a_country(site: Site) -> None:
    rows = table(PERMITS, "Staff;CA;7ABC123;;;s1", "Staff;;8ABC123;;;s2")
    run(rows, site, state_of="US")
    assert sorted(RightPlate.objects.values_list("country", flat=True)) == ["", "US"]


def test_vignettes_and_payments(site: Site, schemes: None) -> None:
    progress = run(
        table(
            "VignetteID,Scheme,Product,PlateCountry,PlateNumber,FirstDay,Year,BoughtAt",
            "v1,CZ,10-day,CZ,1AB2345,2026-03-05,,",
            "v2,AT,annual,AT,W12345A,,2026,2026-01-10T00:00:00Z",
        ),
        None,
        layout=Layout.VIGNETTES,
    )
    assert counts(progress) == (2, 2, 0, 0)
    annual = Right.objects.get(scheme="AT")
    assert annual.starts_at == datetime(2026, 1, 10, tzinfo=UTC)
    assert annual.ends_at == datetime(2027, 1, 31, 23, tzinfo=UTC)
    progress = run(
        table(
            "PaymentID\tPlateNumber\tFrom\tTo\tVersion",
            "p1\tAB12CDE\t2026-03-01T09:00:00Z\t2026-03-01T10:00:00Z\t1",
            "p1\tAB12CDE\t2026-03-01T09:00:00Z\t2026-03-01T11:00:00Z\t2",
            "p1\tAB12CDE\t2026-03-01T09:00:00Z\t2026-03-01T12:00:00Z\t2",
            "p2\tCD34EFG\t2026-03-01T09:00:00Z\t2026-03-01T10:00:00Z\t",
        ),
        site,
        layout=Layout.PAYMENTS,
    )
    assert counts(progress) == (4, 3, 0, 1)
    assert errors(progress) == [(4, "version_conflict", "version")]
    assert Right.objects.get(kind="payment", current=True, version=2).ends_at == datetime(
        2026, 3, 1, 11, tzinfo=UTC
    )


def test_a_provider_by_file_and_by_api_is_one_deliverer(
    seller: Seller, site: Site, other_site: Site
) -> None:
    rows = table(
        "PaymentID;PlateNumber;From;To;Version",
        "p1;AB12CDE;2026-03-01T09:00:00Z;2026-03-01T10:00:00Z;1",
    )
    at = {"layout": Layout.PAYMENTS, "provider": seller.provider}
    assert counts(run(rows, site, **at)) == (1, 1, 0, 0)
    response = seller.post(
        {
            "kind": "payment",
            "id": "p1",
            "plate": "AB12CDE",
            "site": "north",
            "from": "2026-03-01T09:00:00Z",
            "to": "2026-03-01T10:00:00Z",
        }
    )
    assert (response.status_code, response.json()["status"]) == (200, "repeat")
    assert errors(run(rows, other_site, **at)) == [(2, "unknown_site", "site")]


# --- what is refused ------------------------------------------------------------------------------

BAD = [
    PERMITS,
    "Staff;GB;AA11AAA;;;s1",
    "Staff;GB;   ;;;s2",
    "Staff;GB;AAAAAAAAAAAAAAAAA;;;s3",
    "Staff;Great Britain;CC33CCC;;;s4",
    "Staff;GB;DD44DDD;;;",
    "Staff;GB;EE55EEE;1.3.2026;;s6",
    "Staff;GB;FF66FFF;2026-03-02;2026-03-01;s7",
    "Staff;GB;GG77GGG;2026-03-01T08:00:00;;s8",
    "A category that is too long;GB;HH88HHH;;;s9",
    "Staff;GB;II99III;;s10",
    "JJ00 JJJ;GB;JJ00JJJ;;;s11",
    "Staff;GB;KK11KKK;;;s12",
    "Staff;GB;LL22LLL;;;s1",
    "Staff;GB;KK11KKK;;;s13",
    "Other;GB;MM33MMM;;;s13",
    "Staff;GB;KK-11 KKK;;;s13",
]
REFUSED = [
    (3, "plate_empty", "PlateNumber"),
    (4, "plate_too_long", "PlateNumber"),
    (5, "unknown_country", "PlateState"),
    (6, "id_missing", "PermitID"),
    (7, "day_unreadable", "EffectiveDate"),
    (8, "ends_before_start", "ExpiryDate"),
    (9, "naive_time", "EffectiveDate"),
    (10, "too_long", "Category"),
    (11, "wrong_columns", None),
    (12, "names_plate", "product"),
    (14, "permit_scattered", None),
    (16, "permit_differs", None),
    (17, "plate_twice", "PlateNumber"),
]
PLATES_OF_BAD = {row.split(";")[2].replace(" ", "").replace("-", "") for row in BAD[1:]} - {""}


def test_each_bad_row_is_named_and_the_good_ones_stored(site: Site) -> None:
    progress = run(table(*BAD), site)
    assert sorted(errors(progress)) == REFUSED
    assert counts(progress) == (16, 3, 0, 13)
    assert progress.applied
    assert Right.objects.count() == 3


def test_all_or_nothing_stores_nothing_of_a_file_with_a_bad_row(site: Site) -> None:
    progress = run(table(*BAD), site, all_or_nothing=True)
    assert sorted(errors(progress)) == REFUSED
    assert counts(progress) == (16, 0, 0, 13)
    assert not progress.applied
    assert not Right.objects.exists()
    assert not RightTouch.objects.exists()
    row = AuditRow.objects.get(action="import")
    assert (row.outcome, row.tokens) == ("refused", [])
    good = [BAD[0], BAD[1], BAD[12]]
    progress = run(table(*good), site, all_or_nothing=True)
    assert (counts(progress), progress.applied) == ((2, 2, 0, 0), True)
    assert Right.objects.count() == 2


def test_all_or_nothing_undoes_batches_that_were_fine(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr("enforcement.rights.batches.BATCH", 3)
    rows = [PERMITS, *(f"Staff;GB;AA{n:02}AAA;;;s{n}" for n in range(10)), "Staff;GB; ;;;s10"]
    progress = run(table(*rows), site, all_or_nothing=True)
    assert counts(progress) == (11, 0, 0, 1)
    assert not Right.objects.exists()
    assert not AuditRow.objects.filter(action="import", outcome="done").exists()
    assert counts(run(table(*rows), site)) == (11, 10, 0, 1)


def test_a_row_in_latin_1_is_refused_alone_and_a_file_in_utf_16_as_a_whole(site: Site) -> None:
    source = table(PERMITS, "Staff;GB;AA11AAA;;;s1", "") + "Straße;GB;BB22BBB;;;s2\n".encode(
        "latin-1"
    )
    progress = run(source + b"Staff;GB;CC33CCC;;;s3\n", site)
    assert errors(progress) == [(3, "not_utf8", None)]
    assert Right.objects.count() == 2
    with pytest.raises(BadInput) as caught:
        run((PERMITS + "\nStaff;GB;AA11AAA;;;s9").encode("utf-16"), site)
    assert caught.value.code == "not_utf8"


def test_payments_need_a_site(site: Site) -> None:
    with pytest.raises(BadInput) as caught:
        run(b"PaymentID;PlateNumber;From;To\n", None, layout=Layout.PAYMENTS)
    assert caught.value.code == "site_missing"


# --- plates stay sealed ---------------------------------------------------------------------------


def test_no_plate_is_in_report_database_log_or_error(
    site: Site, stored_text: Callable[[], str], caplog: Any, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    progress = run(table(*BAD), site)
    run(table(*BAD), site, all_or_nothing=True)
    out, err = capfd.readouterr()
    everything = "\n".join([repr(progress), stored_text(), caplog.text, out, err])
    for plate in PLATES_OF_BAD:
        assert plate not in everything
        assert plate.encode().hex() not in everything
    assert "plate_too_long" in everything
    assert str(site.pk) in everything


def test_one_audit_row_for_up_to_a_thousand_plates_with_every_token(
    site: Site, monkeypatch: Any
) -> None:
    monkeypatch.setattr("enforcement.rights.batches.BATCH", 4)
    rows = [PERMITS, *(f"Staff;GB;AA{n:02}AAA;;;s{n}" for n in range(10))]
    tokens = [blind.exact(f"AA{n:02}AAA") for n in range(10)]
    for all_or_nothing in (False, True):
        before = AuditRow.objects.count()
        run(table(*rows), site, all_or_nothing=all_or_nothing)
        made = list(AuditRow.objects.order_by("id")[before:])
        assert [row.count for row in made] == [4, 4, 2]
        assert [token for row in made for token in row.tokens] == tokens
        assert [row.detail for row in made] == [
            {"first_row": 2, "last_row": 5},
            {"first_row": 6, "last_row": 9},
            {"first_row": 10, "last_row": 11},
        ]
        assert {(row.actor, row.purpose) for row in made} == {("admin", "rights-admin")}
    assert verify().broken_at is None


# --- streaming ------------------------------------------------------------------------------------


class Trickle(BytesIO):
    """Makes its rows while they are read; remembers how many it had made."""

    def __init__(self, rows: Iterator[bytes]) -> None:
        super().__init__()
        self.rows = rows
        self.made = 0

    def read1(self, size: int = -1, /) -> bytes:
        row = next(self.rows, b"")
        self.made += bool(row)
        return row

    read = read1  # type: ignore[assignment]


def test_a_file_is_read_as_it_is_stored(site: Site) -> None:
    rows = (f"Staff;GB;AA{n:05};;;s{n}\n".encode() for n in range(3500))
    source = Trickle(iter([PERMITS.encode() + b"\n", *rows]))
    seen = []
    for progress in import_rights(
        source,
        layout=Layout.PERMITS,
        site=site,
        provider=None,
        actor=ADMIN,
        now=NOW,
        all_or_nothing=False,
    ):
        seen.append((source.made, progress.rows, Right.objects.count()))
    assert [rows for _, rows, _ in seen] == [1000, 2000, 3000, 3500]
    assert [stored for _, _, stored in seen] == [1000, 2000, 3000, 3500]
    assert seen[0][0] < 1100  # the rest of the file had not been asked for


def test_an_import_that_is_given_up_leaves_whole_batches(
    organisation: Organisation, site: Site, monkeypatch: Any
) -> None:
    monkeypatch.setattr("enforcement.rights.batches.BATCH", 4)
    rows = table(PERMITS, *(f"Staff;GB;AA{n:02}AAA;;;s{n}" for n in range(10)))
    for all_or_nothing, left in ((True, 0), (False, 4)):
        progress = import_rights(
            rows,
            layout=Layout.PERMITS,
            site=site,
            provider=None,
            actor=ADMIN,
            now=NOW,
            all_or_nothing=all_or_nothing,
        )
        next(progress)
        progress.close()  # type: ignore[attr-defined]
        assert Right.objects.count() == left


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_a_delivery_waits_for_the_import_of_the_same_deliverer(
    seller: Seller, site: Site, monkeypatch: Any
) -> None:
    monkeypatch.setattr("enforcement.rights.batches.BATCH", 1)
    at = "2026-03-01T09:00:00Z;2026-03-01T10:00:00Z"
    rows = ["PaymentID;PlateNumber;From;To;Version"]
    rows += [f"p{number};AB1{number}CDE;{at};1" for number in range(3)]
    progress = import_rights(
        table(*rows),
        layout=Layout.PAYMENTS,
        site=site,
        provider=seller.provider,
        actor=ADMIN,
        now=NOW,
        all_or_nothing=True,
    )
    next(progress)  # p0 is stored and not committed
    outcome: list[Any] = []

    def deliver() -> None:
        data = {
            "kind": "payment",
            "id": "p0",
            "plate": "AB10CDE",
            "site": "north",
            "from": "2026-03-01T09:00:00Z",
            "to": "2026-03-01T10:00:00Z",
        }
        try:
            outcome.append(
                right_receive(
                    provider=seller.provider, data=right_input(data), actor=seller.actor, now=NOW
                )[1]
            )
        except BaseException as error:
            outcome.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=deliver)
    thread.start()
    until = time.monotonic() + 30
    while not _somebody_waits() and time.monotonic() < until:
        time.sleep(0.02)
    assert outcome == []
    assert list(progress)[-1].stored == 3
    thread.join(timeout=30)
    assert outcome == [False]  # a repeat of what the file brought
    assert Right.objects.count() == 3


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # one is kept for the whole transaction
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None
