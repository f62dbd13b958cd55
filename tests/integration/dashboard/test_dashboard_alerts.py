"""Alerts: told apart by certainty, opened with a reason, acknowledged once."""

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditRow
from core.models import User
from tests.integration.dashboard.dashboard_rows import Rows
from vault.sealing import open_text

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def test_exact_and_possible_differ_by_word_and_border(
    page: Client, rows: Rows, operator: User
) -> None:
    rows.alert(rows.read(), operator, "exact")
    rows.alert(rows.read(), operator, "possible")
    html = page.get(reverse("alerts")).content.decode()
    body = html.split('id="open-alerts"')[1]
    assert "Exact" in body
    assert "Possible" in body
    assert body.count("row--exact") == 1
    assert AuditRow.objects.filter(actor_kind="person", action="view").count() == 0


def test_the_listed_plate_opens_like_any_other(page: Client, rows: Rows, operator: User) -> None:
    alert = rows.alert(rows.read(), operator)
    url = reverse("alerts_entry", args=[alert.pk])
    assert page.post(url, **HTMX)["HX-Retarget"] == "#dialog-body"
    answer = page.post(url, {"purpose": "alert-handling", "dialog": "1"}, **HTMX)
    assert open_text(alert.entry, "text") in answer.content.decode()
    row = AuditRow.objects.get(actor_kind="person", action="view")
    assert (row.subject, row.purpose) == ("watchlist.entry", "alert-handling")


def test_acknowledging_takes_it_off_every_screen(page: Client, rows: Rows, operator: User) -> None:
    alert = rows.alert(rows.read(), operator)
    rows_url = f"{reverse('alerts_rows')}?id={alert.pk}"
    assert str(alert.pk) in page.get(rows_url).content.decode()
    page.post(reverse("alerts_acknowledge", args=[alert.pk]), {"note": "patrol sent"})
    alert.refresh_from_db()
    assert alert.acknowledged_by == operator
    assert alert.acknowledge_note == "patrol sent"
    assert str(alert.pk) not in page.get(rows_url).content.decode()
    assert 'data-count="0"' in page.get(reverse("counts")).content.decode()


def test_another_sites_alert_is_not_there(page: Client, elsewhere: Rows, operator: User) -> None:
    alert = elsewhere.alert(elsewhere.read(), operator)
    told = {"purpose": "alert-handling"}
    answer = page.post(reverse("alerts_entry", args=[alert.pk]), told, **HTMX)
    assert open_text(alert.entry, "text") not in answer.content.decode()
    assert page.post(reverse("alerts_acknowledge", args=[alert.pk])).status_code == 404
    for url in (reverse("alerts"), f"{reverse('alerts_rows')}?id={alert.pk}"):
        assert str(alert.pk) not in page.get(url).content.decode()
    alert.refresh_from_db()
    assert alert.acknowledged_at is None


def test_ids_that_are_none_are_left_out(page: Client, rows: Rows, operator: User) -> None:
    alert = rows.alert(rows.read(), operator)
    html = page.get(f"{reverse('alerts_rows')}?id=nonsense&id={alert.pk}").content.decode()
    assert str(alert.pk) in html
    assert str(alert.pk) not in page.get(f"{reverse('alerts_rows')}?id=nonsense").content.decode()
