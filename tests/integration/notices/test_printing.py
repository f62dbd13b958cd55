"""Letters: taken together once, printed as often as asked for, each opening recorded."""

import csv
import hashlib
import io
from pathlib import Path

import pytest
from pypdf import PdfReader

from audit.access import stage_batch
from audit.models import AuditRow
from cameras.models import Site
from core.errors import Conflict
from enforcement.cases.models import Case
from enforcement.cases.settling import case_cancel
from enforcement.notices.models import NoticeDelivery, PrintBatch
from enforcement.notices.printing import COLUMNS, batch_csv, batch_make, batch_pdf
from enforcement.notices.selectors import deliveries_troubled, letters_waiting
from tests.integration.notices.issued import (
    PLATE,
    POSTAL,
    clerk,
    confirmed,
    issued,
    site_with_policy,
)

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
State = NoticeDelivery.State
FORMULA = "=HYPERLINK(1)\nStreet 1"


def last_row() -> int:
    return int(AuditRow.objects.order_by("-id").values_list("id", flat=True)[0])


def test_what_waits_is_taken_once_and_printed_in_order() -> None:
    park, olga = site_with_policy(), clerk()
    first = issued(park, olga, channel="print", address=POSTAL)
    second_case = confirmed(park, olga, "2CD6789", start="12:00")
    second = issued(park, olga, second_case, channel="print", address=FORMULA)
    batch = batch_make(site=park.site, user=olga, now=park.now)
    assert set(batch.deliveries.values_list("state", flat=True)) == {State.PRINTED}
    with pytest.raises(Conflict) as refused:
        batch_make(site=park.site, user=olga, now=park.now)
    assert refused.value.code == "nothing_to_print"
    assert PrintBatch.objects.count() == 1

    mark = last_row()
    joined = batch_pdf(batch=batch, user=olga)
    rows = AuditRow.objects.filter(id__gt=mark).order_by("id")
    assert [(row.actor, row.action, row.case_ref, row.tokens) for row in rows] == [
        ("olga", "export", notice.number, [notice.token_exact]) for notice in (first, second)
    ]
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(joined)).pages]
    assert len(pages) == 4
    assert PLATE in pages[0]
    assert "2CD6789" in pages[2]
    assert batch_pdf(batch=batch, user=olga) == joined  # a download that broke off is made again


def test_the_pages_are_those_that_were_issued() -> None:
    """Not set anew: what is printed is the sealed document."""
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga, channel="print", address=POSTAL)
    batch = batch_make(site=park.site, user=olga, now=park.now)
    with stage_batch("test") as access:
        sealed = access.file(notice, "pdf")
    assert hashlib.sha256(sealed).digest() == bytes(notice.pdf_sha256)
    printed = PdfReader(io.BytesIO(batch_pdf(batch=batch, user=olga))).pages
    as_issued = PdfReader(io.BytesIO(sealed)).pages
    assert [page.extract_text() for page in printed] == [page.extract_text() for page in as_issued]


def test_the_list_names_addresses_and_digests_but_no_plate() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga, channel="print", address=FORMULA)
    batch = batch_make(site=park.site, user=olga, now=park.now)
    mark = last_row()
    listed = batch_csv(batch=batch, user=olga)
    assert PLATE not in listed
    header, row = csv.reader(io.StringIO(listed))
    assert tuple(header) == COLUMNS
    assert row == [
        notice.number,
        "2026-03-02",
        "cs",
        "2",
        "'=HYPERLINK(1), Street 1",  # no formula for a spreadsheet
        bytes(notice.pdf_sha256).hex(),
    ]
    (audited,) = AuditRow.objects.filter(id__gt=mark)
    assert (audited.actor, audited.action, audited.count) == ("olga", "export", 1)


def test_a_letter_of_a_case_that_is_over_is_taken_out() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga, channel="print", address=POSTAL)
    case_cancel(case_id=notice.case_id, user=olga, reason="goodwill", now=park.now)
    with pytest.raises(Conflict):
        batch_make(site=park.site, user=olga, now=park.now)
    delivery = notice.deliveries.get()
    assert (delivery.state, delivery.error, delivery.batch) == (State.FAILED, "case-over", None)


def test_a_letter_the_judge_no_longer_holds_waits_for_a_person() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga, channel="print", address=POSTAL)
    sites = Site.objects.filter(pk=park.site.pk)
    Case.objects.filter(pk=notice.case_id).update(
        withdrawal_asked_at=park.now, withdrawal_reason="paid-late"
    )
    assert letters_waiting(sites) == {}
    with pytest.raises(Conflict):
        batch_make(site=park.site, user=olga, now=park.now)
    assert notice.deliveries.get().state == State.QUEUED
    Case.objects.filter(pk=notice.case_id).update(withdrawal_asked_at=None, withdrawal_reason="")
    assert letters_waiting(sites) == {park.site.pk: 1}
    batch_make(site=park.site, user=olga, now=park.now)
    assert notice.deliveries.get().state == State.PRINTED


def test_a_letter_that_cannot_be_opened_is_none_that_went_out(sealed_store: Path) -> None:
    park, olga = site_with_policy(), clerk()
    broken = issued(park, olga, channel="print", address=POSTAL)
    whole_case = confirmed(park, olga, "2CD6789", start="12:00")
    whole = issued(park, olga, whole_case, channel="print", address=POSTAL)
    batch = batch_make(site=park.site, user=olga, now=park.now)
    (file,) = (path for path in sealed_store.rglob("*") if str(path).endswith(broken.pdf))
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    pages = [
        page.extract_text()
        for page in PdfReader(io.BytesIO(batch_pdf(batch=batch, user=olga))).pages
    ]
    assert PLATE not in "".join(pages)
    assert "2CD6789" in pages[0]
    sites = Site.objects.filter(pk=park.site.pk)
    (told,) = deliveries_troubled(sites)
    assert (told.notice_id, told.error) == (broken.pk, "no-longer-kept")
    assert whole.deliveries.get().state == State.PRINTED
