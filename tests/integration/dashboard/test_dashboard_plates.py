"""A plate is masked until somebody says why, and every look leaves its row (domain-rules §7)."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRow
from cameras.models import SiteRole
from core.models import User
from tests.integration.dashboard.dashboard_rows import PNG, Rows, person_make

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
HTMX = {"HTTP_HX_REQUEST": "true"}
PLATE = "7ZZ9042"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def looks() -> list[AuditRow]:
    return list(AuditRow.objects.filter(actor_kind="person"))


def plate_url(row: object) -> str:
    return reverse("read_plate", args=[row.pk])  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["overview", "feed"])
def test_lists_are_masked_and_nothing_is_recorded(page: Client, rows: Rows, name: str) -> None:
    read = rows.read(PLATE)
    html = page.get(reverse(name)).content.decode()
    assert str(read.pk) in html
    assert PLATE not in html
    assert looks() == []


def test_showing_a_plate_asks_why_first(page: Client, rows: Rows) -> None:
    answer = page.post(plate_url(rows.read(PLATE)), **HTMX)
    assert answer["HX-Retarget"] == "#dialog-body"
    html = answer.content.decode()
    assert 'name="purpose"' in html
    assert "checked" not in html  # no default
    assert PLATE not in html
    assert looks() == []


def test_a_stated_purpose_opens_the_plate_and_leaves_one_row(
    page: Client, rows: Rows, operator: User
) -> None:
    read = rows.read(PLATE)
    answer = page.post(plate_url(read), {"purpose": "monitoring", "dialog": "1"}, **HTMX)
    assert PLATE in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    (row,) = looks()
    assert (row.actor, row.action, row.purpose) == (operator.username, "view", "monitoring")
    assert (row.subject, row.subject_id) == ("plates.plateread", str(read.pk))
    assert row.tokens == [read.token_exact]
    assert row.organisation == rows.site.organisation.name


def test_a_purpose_that_needs_a_reference_gets_none_without(page: Client, rows: Rows) -> None:
    read = rows.read(PLATE)
    answer = page.post(plate_url(read), {"purpose": "subject-access", "dialog": "1"}, **HTMX)
    assert "needs a case reference" in answer.content.decode()
    assert PLATE not in answer.content.decode()
    assert looks() == []
    told = {"purpose": "subject-access", "case_ref": "DSR-7", "dialog": "1"}
    assert PLATE in page.post(plate_url(read), told, **HTMX).content.decode()
    assert looks()[0].case_ref == "DSR-7"


def test_a_purpose_of_a_stage_is_not_a_persons(page: Client, rows: Rows) -> None:
    answer = page.post(plate_url(rows.read(PLATE)), {"purpose": "pipeline"}, **HTMX)
    assert PLATE not in answer.content.decode()
    assert looks() == []


def test_a_shift_opens_plates_one_row_each_until_it_ends(
    page: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = [rows.read(), rows.read()]
    page.post(reverse("purpose"), {"purpose": "monitoring", "next": "/feed/"})
    assert looks() == []  # stating it looks at nothing yet
    html = page.get("/feed/").content.decode()
    assert html.count('hx-trigger="intersect once"') == 2
    for read in reads:
        assert "plate-text" in page.post(plate_url(read), **HTMX).content.decode()
    assert [row.subject_id for row in looks()] == [str(read.pk) for read in reads]

    later = timezone.now() + timedelta(hours=8, seconds=1)
    monkeypatch.setattr("dashboard.plates.timezone.now", lambda: later)
    assert page.post(plate_url(reads[0]), **HTMX)["HX-Retarget"] == "#dialog-body"
    monkeypatch.undo()

    page.post(reverse("purpose"), {"end": "1"})
    assert page.post(plate_url(reads[0]), **HTMX)["HX-Retarget"] == "#dialog-body"
    assert len(looks()) == 2


def test_keeping_a_purpose_from_the_dialog_reloads_the_page(page: Client, rows: Rows) -> None:
    told = {"purpose": "monitoring", "dialog": "1", "keep": "1"}
    answer = page.post(plate_url(rows.read(PLATE)), told, **HTMX)
    assert answer["HX-Refresh"] == "true"
    assert page.session["purpose"][0] == "monitoring"
    assert looks() == []


def test_after_setting_a_purpose_nobody_is_sent_elsewhere(page: Client) -> None:
    told = {"purpose": "monitoring", "next": "https://elsewhere.example/"}
    assert page.post(reverse("purpose"), told)["Location"] == "/"


@pytest.mark.parametrize("which", ["read_picture", "read_crop"])
def test_pictures_need_a_purpose_and_leave_a_row(page: Client, rows: Rows, which: str) -> None:
    read = rows.read(PLATE, crop=PNG)
    url = reverse(which, args=[read.pk])
    assert page.get(url).status_code == 403
    assert looks() == []
    page.post(reverse("read_open", args=[read.pk]), {"purpose": "quality-check"})
    answer = page.get(url)
    assert answer.content == PNG
    assert answer["Content-Type"] == "image/png"
    assert "no-store" in answer["Cache-Control"]
    (row,) = looks()
    assert (row.action, row.purpose) == ("picture", "quality-check")


def test_the_page_of_a_read_is_closed_until_opened(page: Client, rows: Rows) -> None:
    read = rows.read(PLATE, verdict="unpaid", reason="no-right")
    url = reverse("read", args=[read.pk])
    closed = page.get(url).content.decode()
    assert PLATE not in closed
    assert "<img" not in closed.split("<main")[1]
    assert "no right found" in closed
    assert page.post(reverse("read_open", args=[read.pk])).status_code == 400
    page.post(reverse("read_open", args=[read.pk]), {"purpose": "monitoring"})
    assert PLATE in page.get(url).content.decode()


def test_a_reference_may_not_name_the_plate_it_opens(page: Client, rows: Rows) -> None:
    read = rows.read(PLATE)
    told = {"purpose": "customer-request", "case_ref": f"owner of {PLATE}", "dialog": "1"}
    answer = page.post(plate_url(read), told, **HTMX)
    assert answer["HX-Retarget"] == "#dialog-body"
    assert "leave the plate out of it" in answer.content.decode()
    page.post(reverse("read_open", args=[read.pk]), told)
    closed = page.get(reverse("read", args=[read.pk]))
    assert closed.status_code == 400
    assert "leave the plate out of it" in closed.content.decode()
    assert PLATE not in closed.content.decode()
    again = page.get(reverse("read", args=[read.pk]))
    assert again.status_code == 200  # and the purpose that was refused is not kept
    assert PLATE not in again.content.decode()
    assert looks() == []


def test_another_sites_plate_is_not_there(page: Client, elsewhere: Rows) -> None:
    read = elsewhere.read(PLATE)
    told = {"purpose": "monitoring"}
    assert page.get(reverse("read", args=[read.pk])).status_code == 404
    assert page.post(reverse("read_open", args=[read.pk]), told).status_code == 404
    assert page.get(reverse("read_picture", args=[read.pk])).status_code == 404
    answer = page.post(plate_url(read), told, **HTMX)
    assert PLATE not in answer.content.decode()
    assert "forgotten" in answer.content.decode()  # as if it had been erased
    page.post(reverse("purpose"), told)
    assert str(read.pk) not in page.get("/feed/").content.decode()
    assert str(read.pk) not in page.get(f"/feed/reads/?id={read.pk}").content.decode()
    assert looks() == []


def test_a_viewer_sees_no_plate(client: Client, viewer: User, rows: Rows) -> None:
    client.force_login(viewer)
    read = rows.read(PLATE)
    html = client.get("/feed/").content.decode()
    assert str(read.pk) in html
    assert plate_url(read) not in html
    assert client.post(plate_url(read), {"purpose": "monitoring"}).status_code == 403
    assert client.post(reverse("purpose"), {"purpose": "monitoring"}).status_code == 403
    assert looks() == []


def test_a_role_counts_only_at_its_site(client: Client, rows: Rows, elsewhere: Rows) -> None:
    both = person_make(
        "berta",
        (rows.site, SiteRole.Role.OPERATOR),
        (elsewhere.site, SiteRole.Role.VIEWER),
    )
    client.force_login(both)
    mine, theirs = rows.read(), elsewhere.read(PLATE)
    html = client.get("/feed/").content.decode()
    assert plate_url(mine) in html
    assert str(theirs.pk) in html
    assert plate_url(theirs) not in html
    told = {"purpose": "monitoring"}
    assert PLATE not in client.post(plate_url(theirs), told, **HTMX).content.decode()


def test_search_is_audited_before_it_answers_and_keeps_the_plate_out_of_addresses(
    page: Client, rows: Rows
) -> None:
    read, other = rows.read(PLATE), rows.read()
    told = {"plate": "7zz 9o42", "purpose": "monitoring"}  # an O for the 0, as people type
    answer = page.post(reverse("search"), told)
    html = answer.content.decode()
    assert str(read.pk) in html
    assert str(other.pk) not in html
    assert PLATE not in html  # the rows are masked until they come into view
    (row,) = looks()
    assert (row.action, row.purpose, len(row.tokens)) == ("search", "monitoring", 1)
    opened = page.post(plate_url(read), {"purpose": "monitoring", "case_ref": ""}, **HTMX)
    assert PLATE in opened.content.decode()
    assert [one.action for one in looks()] == ["search", "view"]


@pytest.mark.parametrize(
    "told",
    [
        {"plate": PLATE},
        {"plate": PLATE, "purpose": "customer-request"},
        {"plate": "", "purpose": "monitoring"},
        {"plate": "X" * 10_000, "purpose": "monitoring"},
    ],
)
def test_a_bad_search_finds_nothing(page: Client, rows: Rows, told: dict[str, str]) -> None:
    read = rows.read(PLATE)
    answer = page.post(reverse("search"), told)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert str(read.pk) not in answer.content.decode()
    assert looks() == []


def test_a_search_reference_may_not_name_the_plate(page: Client, rows: Rows) -> None:
    """The reference is stored in the clear, in the audit log and for good."""
    told = {"plate": PLATE, "purpose": "customer-request", "case_ref": f"owner of {PLATE}"}
    answer = page.post(reverse("search"), told)
    assert answer.status_code == 400
    assert looks() == []
