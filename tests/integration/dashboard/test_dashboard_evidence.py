"""The signed evidence of a case, downloaded from its page."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.models import AuditRow
from core.models import User
from enforcement.cases.models import Evidence
from enforcement.cases.verifying import verify_bytes
from tests.integration.dashboard.dashboard_rows import Rows
from vault import keyring

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture(autouse=True)
def signing_key(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PLATEWARDEN_SIGNING_KEY", "k1:" + "AAAA" * 10 + "AAA=")
    keyring.signing.cache_clear()
    yield
    keyring.signing.cache_clear()


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def test_an_opened_case_gives_its_signed_evidence(page: Client, rows: Rows) -> None:
    case = rows.case(shots=2)
    address = reverse("cases_evidence", args=[case.pk])
    assert page.post(address).status_code == 404  # not opened, so no purpose is stated yet
    page.post(reverse("cases_open", args=[case.pk]))
    shown = page.get(reverse("cases_case", args=[case.pk])).content.decode()
    assert address in shown
    before = AuditRow.objects.count()
    answer = page.post(address)
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == f'attachment; filename="evidence-{case.number}.zip"'
    assert "no-store" in answer["Cache-Control"]
    report = verify_bytes(answer.content)
    assert (report.problems, report.case) == ([], case.number)
    asked = AuditRow.objects.order_by("id")[before:]
    assert {(row.action, row.actor, row.case_ref) for row in asked} == {
        ("export", "olga", case.number)
    }


def test_whoever_may_not_see_the_case_gets_none(
    client: Client, viewer: User, page: Client, rows: Rows, elsewhere: Rows
) -> None:
    elsewhere.made = 100
    theirs = elsewhere.case()
    assert page.post(reverse("cases_evidence", args=[theirs.pk])).status_code == 404
    mine = rows.case()
    client.force_login(viewer)
    assert client.post(reverse("cases_evidence", args=[mine.pk])).status_code in (403, 404)


def test_what_cannot_be_signed_is_told(
    page: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = rows.case()
    page.post(reverse("cases_open", args=[case.pk]))
    address = reverse("cases_evidence", args=[case.pk])
    monkeypatch.setenv("PLATEWARDEN_SIGNING_KEY", "nonsense")
    keyring.signing.cache_clear()
    assert "no key to sign" in page.post(address, follow=True).content.decode()
    monkeypatch.setenv("PLATEWARDEN_SIGNING_KEY", "k1:" + "AAAA" * 10 + "AAA=")
    keyring.signing.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("UPDATE cases_evidence SET picture_sha256 = sha256('x')")
    assert Evidence.objects.filter(case=case).exists()
    assert "not the one that came in" in page.post(address, follow=True).content.decode()
