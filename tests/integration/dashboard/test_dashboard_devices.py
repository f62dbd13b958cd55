"""A camera's page: its device and settings, what it sees, setting one up; pictures on demand."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditRow
from audit.services import Actor
from cameras.device_settings import device_settings_heard, device_settings_save
from cameras.models import Camera, Capture, SetupToken, SiteRole
from cameras.thumbnails import thumbnail_store
from core.models import User
from dashboard.devices import device
from dashboard.views import reads
from enforcement.cases.models import Case, Evidence
from plates.models import PlateRead
from tests.integration.dashboard.dashboard_rows import PNG, Rows, person_make
from vault.sealing import seal_text

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
ADMIN = Actor("person", "admin")
DETAIL = {
    "mode": "read",
    "mode_because": "bandwidth",
    "fps": 24.96,
    "dropped": 3,
    "temperature_c": 61.4,
    "version": "0.1.0",
    "spool_oldest_s": 200,
    "bytes_sent": 1_234_567,
    "items_sent": 400,
    "uptime_s": 400_000,
    "trouble_source": True,
}


@pytest.fixture
def supervisor(rows: Rows) -> User:
    return person_make("sonja", (rows.site, SiteRole.Role.SUPERVISOR))


def page_of(rows: Rows, name: str = "cameras_camera") -> str:
    return reverse(name, args=[rows.camera.pk])


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def said(rows: Rows, **more: Any) -> None:
    Camera.objects.filter(pk=rows.camera.pk).update(detail={**DETAIL, **more})


# --- what is shown --------------------------------------------------------------------------------
def test_a_device_in_words(client: Client, rows: Rows, viewer: User) -> None:
    said(rows)
    client.force_login(viewer)
    card, page = shown(client, reverse("cameras")), shown(client, page_of(rows))
    for words in (
        "reads, each with a small crop: the network is too slow for more",
        "25.0 a second, 3 dropped",
        "61 °C",
        "agent 0.1.0",
        "Oldest waiting 3 min",
        "The device has trouble with the camera.",
    ):
        assert words in card, words
        assert words in page, words
    assert "400 captures, 1.2 MB" in page
    assert "Running for 5 d" in page
    Camera.objects.filter(pk=rows.camera.pk).update(state="offline")
    assert "has trouble with" not in shown(client, page_of(rows))  # that was long ago


def test_a_device_that_says_nothing() -> None:
    silent = device({})
    assert (silent.brief, silent.facts, silent.troubles) == ([], [], [])
    # words and numbers where they do not belong are shown as nothing
    odd = device({"mode": 7, "fps": "on", "temperature_c": True, "version": 3.1, "precision": "on"})
    assert (odd.brief, odd.facts) == ([], [])


def test_what_came_of_settings_is_shown(client: Client, rows: Rows, viewer: User) -> None:
    client.force_login(viewer)
    assert "Nobody has set anything" in shown(client, page_of(rows))

    def save(**raw: Any) -> Any:
        return device_settings_save(
            camera=rows.camera, raw=raw, user=viewer, actor=ADMIN, now=rows.now
        )

    row = save(min_score=0.75, region_of_interest=[[0, 0], [1, 0], [1, 1]])
    page = shown(client, page_of(rows))
    for words in (
        "Not yet in force",
        "Lowest score 0.75",
        "3 corners",
        "Width as it is",
        "by viktor",
    ):
        assert words in page, words
    assert "version 1 Not yet in force" in shown(client, reverse("cameras"))
    device_settings_heard(row=row, applied=1, refused=None, field="")
    assert "In force" in shown(client, page_of(rows))
    row = save(min_score=0.8)
    device_settings_heard(row=row, applied=1, refused=2, field="min_score")
    page = shown(client, page_of(rows))
    assert "could not take version 2 because of Lowest score" in page


def test_another_sites_camera_is_not_there(
    client: Client, rows: Rows, elsewhere: Rows, supervisor: User
) -> None:
    thumbnail_store(camera=elsewhere.camera, data=PNG, now=rows.now)
    client.force_login(supervisor)
    for name in ("cameras_camera", "cameras_thumbnail"):
        assert client.get(page_of(elsewhere, name)).status_code == 404
    for name in ("cameras_open", "cameras_setup"):
        assert client.post(page_of(elsewhere, name), {"purpose": "monitoring"}).status_code == 404
    assert not SetupToken.objects.exists()


def test_a_page_costs_few_queries(
    client: Client, rows: Rows, supervisor: User, django_assert_max_num_queries: Any
) -> None:
    said(rows)
    thumbnail_store(camera=rows.camera, data=PNG, now=rows.now)
    device_settings_save(camera=rows.camera, raw={}, user=None, actor=ADMIN, now=rows.now)
    client.force_login(supervisor)
    with django_assert_max_num_queries(14):
        answer = client.get(page_of(rows))
    html = answer.content.decode()
    assert " style=" not in html
    assert "no-store" in answer["Cache-Control"]


# --- what it sees ---------------------------------------------------------------------------------
def test_what_a_camera_sees_is_opened_with_a_reason(
    client: Client, rows: Rows, operator: User, viewer: User
) -> None:
    thumbnail_store(camera=rows.camera, data=PNG, now=rows.now)
    picture = page_of(rows, "cameras_thumbnail")
    client.force_login(viewer)
    assert client.get(picture).status_code == 403
    assert picture not in client.get(page_of(rows)).content.decode()
    assert client.post(page_of(rows, "cameras_open"), {"purpose": "monitoring"}).status_code == 403
    client.force_login(operator)
    assert picture not in client.get(page_of(rows)).content.decode()
    assert client.get(picture).status_code == 403
    assert client.post(page_of(rows, "cameras_open"), {"purpose": ""}).status_code == 400
    assert not AuditRow.objects.filter(actor="olga").exists()
    answer = client.post(page_of(rows, "cameras_open"), {"purpose": "quality-check"})
    assert answer["Location"] == page_of(rows)
    assert picture in client.get(page_of(rows)).content.decode()
    answer = client.get(picture)
    assert answer.content == PNG
    assert "no-store" in answer["Cache-Control"]
    looks = AuditRow.objects.filter(actor="olga", action="picture")
    assert [(row.subject, row.subject_id, row.purpose) for row in looks] == [
        ("cameras.thumbnail", str(rows.camera.pk), "quality-check")
    ]


def test_a_camera_that_sent_nothing_has_nothing_to_open(
    client: Client, rows: Rows, operator: User
) -> None:
    client.force_login(operator)
    assert "has sent no picture" in shown(client, page_of(rows))
    client.post(page_of(rows, "cameras_open"), {"purpose": "monitoring"})
    assert client.get(page_of(rows, "cameras_thumbnail")).status_code == 404


# --- setting up -----------------------------------------------------------------------------------
def test_a_supervisor_makes_a_token_and_sees_it_once(
    client: Client, rows: Rows, operator: User, supervisor: User
) -> None:
    setup = page_of(rows, "cameras_setup")
    client.force_login(operator)
    assert client.post(setup).status_code == 403
    assert setup not in client.get(page_of(rows)).content.decode()
    client.force_login(supervisor)
    assert client.get(setup).status_code == 405
    assert setup in client.get(page_of(rows)).content.decode()
    answer = client.post(setup)
    html = answer.content.decode()
    (token,) = set(re.findall(r"pws_[0-9a-f]{8}_[\w-]{43}", html))
    assert f"PLATEWARDEN:http://127.0.0.1:8000#{token}" in html
    assert '<svg viewBox="0 0' in html
    assert " style=" not in html
    assert "no-store" in answer["Cache-Control"]
    assert "pws_" not in client.get(page_of(rows)).content.decode()
    audited = AuditRow.objects.get(subject="cameras.setuptoken")
    assert (audited.actor, audited.detail["what"]) == ("sonja", "created")


# --- the larger picture ---------------------------------------------------------------------------
def device_read(rows: Rows) -> PlateRead:
    """A read as a device sends it: no picture of the vehicle."""
    row = rows.read(picture=None, crop=PNG)
    capture = Capture.objects.get(pk=row.capture_id)
    seal_text(capture, {"read": "{}"})
    capture.kind = Capture.Kind.READ
    capture.save()
    return row


def test_an_operator_asks_for_the_larger_picture(
    client: Client, rows: Rows, operator: User, viewer: User
) -> None:
    row = device_read(rows)
    ask, page = reverse("read_ask", args=[row.pk]), reverse("read", args=[row.pk])
    client.force_login(viewer)
    assert client.post(ask).status_code == 403
    client.force_login(operator)
    assert ask not in client.get(page).content.decode()  # not before saying why
    assert client.post(ask).status_code == 403
    client.post(reverse("read_open", args=[row.pk]), {"purpose": "quality-check"})
    assert ask in client.get(page).content.decode()
    assert client.post(ask)["Location"] == page
    html = client.get(page).content.decode()
    assert ask not in html
    assert "The camera was asked for the picture" in html
    audited = AuditRow.objects.get(action="ask")
    assert (audited.purpose, audited.subject_id) == ("quality-check", str(row.capture_id))
    assert audited.tokens == [row.token_exact]


def test_a_picture_that_came_later_has_no_corners_drawn(
    client: Client, rows: Rows, operator: User
) -> None:
    """The corners are those of the small crop the device sent."""
    row = rows.read()
    client.force_login(operator)
    client.post(reverse("read_open", args=[row.pk]), {"purpose": "quality-check"})
    page = reverse("read", args=[row.pk])
    assert '<polygon class="quad"' in client.get(page).content.decode()
    Capture.objects.filter(pk=row.capture_id).update(wanted_at=rows.now)
    assert '<polygon class="quad"' not in client.get(page).content.decode()


def test_nothing_is_asked_for_once_the_case_is_decided(
    client: Client, rows: Rows, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = device_read(rows)
    case = rows.case()
    kept = Evidence.objects.filter(case=case)[0]
    kept.pk, kept.capture_id, kept.token_exact = uuid.uuid4(), row.capture_id, row.token_exact
    kept.save(force_insert=True)  # what is kept already can't be changed
    client.force_login(operator)
    client.post(reverse("read_open", args=[row.pk]), {"purpose": "quality-check"})
    ask, page = reverse("read_ask", args=[row.pk]), reverse("read", args=[row.pk])
    assert ask in client.get(page).content.decode()
    assert client.post(ask).status_code == 302
    client.post(reverse("cases_open", args=[case.pk]))
    client.post(
        reverse("cases_decide", args=[case.pk]),
        {"decision": "dismiss", "reason": "picture-unclear", "note": ""},
    )
    assert Case.objects.get(pk=case.pk).state == "dismissed"
    assert Capture.objects.get(pk=row.capture_id).wanted_at is None
    assert ask not in client.get(page).content.decode()
    assert client.post(ask).status_code == 409
    # decided between the question whether it is and the wish
    answers = iter([False, True])
    with monkeypatch.context() as patched:
        patched.setattr(reads, "read_decided", lambda read: next(answers, True))
        assert client.post(ask).status_code == 302
    assert Capture.objects.get(pk=row.capture_id).wanted_at is None
    rows.now += timedelta(seconds=1)
    assert client.post(reverse("read_ask", args=[uuid.uuid4()])).status_code == 404
