"""From a confirmed case to a sealed notice: in one transaction, with its traces."""

import hashlib
import json

import pytest

from audit.access import stage_batch
from audit.models import AuditRow
from enforcement.cases.models import Case, ChainEntry
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.notices.services import notice_again
from tests.integration.notices.issued import MAIL, PLATE, clerk, issued, site_with_policy

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def test_a_confirmed_case_becomes_a_notice_with_all_its_traces() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    case = Case.objects.get()
    assert case.state == "notice-issued"
    assert case.events.last().reason == "notice"
    with stage_batch("test") as access:
        pdf = access.file(notice, "pdf")
        content = json.loads(access.text(notice, "content"))
        delivery = notice.deliveries.get()
        assert access.text(delivery, "address") == MAIL
    assert pdf.startswith(b"%PDF")
    assert bytes(notice.pdf_sha256) == hashlib.sha256(pdf).digest()
    assert ChainEntry.objects.filter(kind="notice", content=notice.pdf_sha256).count() == 1
    assert content["data"]["plate"] == PLATE
    assert delivery.state == NoticeDelivery.State.QUEUED
    assert AuditRow.objects.order_by("-id").first().case_ref == case.number


def test_the_same_bytes_come_from_what_is_kept() -> None:
    park, olga = site_with_policy(), clerk()
    notice = Notice.objects.select_related("case").get(pk=issued(park, olga).pk)
    with stage_batch("test") as access:
        again = notice_again(notice, access)
    assert hashlib.sha256(again.pdf).digest() == bytes(notice.pdf_sha256)
    assert again.pages == notice.pages
