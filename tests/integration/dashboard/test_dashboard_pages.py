"""Every page: who gets in, what it may load, and how many queries it may take."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRow
from audit.services import Actor, record
from cameras.counting import day_of
from cameras.models import DayCount, SiteRole, Zone
from core.ids import uuid7
from core.models import User
from enforcement.rights.models import SiteRules
from enforcement.visits.models import VerdictVersion, Visit
from tests.integration.dashboard.dashboard_rows import Rows, person_make

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

PAGES = {  # page → the roles that may have it
    "overview": {"viewer", "operator", "supervisor", "auditor"},
    "overview_figures": {"viewer", "operator", "supervisor"},
    "feed": {"viewer", "operator", "supervisor"},
    "feed_reads": {"viewer", "operator", "supervisor"},
    "feed_verdicts": {"viewer", "operator", "supervisor"},
    "cameras": {"viewer", "operator", "supervisor"},
    "cases": {"operator", "supervisor"},
    "alerts": {"operator", "supervisor"},
    "alerts_rows": {"operator", "supervisor"},
    "counts": {"operator", "supervisor"},
    "search": {"operator", "supervisor"},
    "audit": {"auditor"},
}
CROWDED = ["overview", "overview_figures", "feed", "cases", "alerts", "cameras", "audit"]


@pytest.mark.parametrize("name", PAGES)
def test_who_gets_in(client: Client, rows: Rows, name: str) -> None:
    url = reverse(name)
    assert client.get(url)["Location"].startswith(reverse("account_login"))
    fragment = client.get(url, HTTP_HX_REQUEST="true")
    assert fragment["HX-Redirect"] == reverse("account_login")
    for role in SiteRole.Role.values:
        client.force_login(person_make(role, (rows.site, role)))
        status = client.get(url).status_code
        leads_to_audit = name == "overview" and role == "auditor"
        allowed = 302 if leads_to_audit else 200
        assert status == (allowed if role in PAGES[name] else 403), role
    client.force_login(person_make("nobody"))
    assert client.get(url).status_code == 403
    client.force_login(person_make("root", is_superuser=True))
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_may_load(client: Client, rows: Rows, name: str) -> None:
    client.force_login(person_make("root", is_superuser=True))
    rows.read()
    answer = client.get(reverse(name))
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert "no-store" in answer["Cache-Control"]
    html = answer.content.decode()
    assert " style=" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html


def test_the_admin_may_evaluate_and_nobody_else(client: Client, operator: User) -> None:
    assert "'unsafe-eval'" in client.get("/admin/login/")["Content-Security-Policy"]
    login = client.get(reverse("account_login"))["Content-Security-Policy"]
    assert "unsafe" not in login


def many(rows: Rows, name: str, by: User, count: int) -> None:
    for _ in range(count):
        if name == "cases":
            rows.case(crop=None)
        elif name == "alerts":
            rows.alert(rows.read(picture=None), by)
        elif name == "audit":
            organisation = rows.site.organisation.name
            record(Actor("person", "olga", organisation), "view", purpose="monitoring")
        elif name == "cameras":
            camera = rows.camera
            camera.pk = None
            camera.slug = f"camera-{rows.made}"
            rows.made += 1
            camera.save(force_insert=True)
            rows.capture(rows.now, None)
        else:
            rows.read(picture=None, verdict="paid", reason="payment")


@pytest.mark.parametrize("name", CROWDED)
def test_fifty_rows_cost_no_more_queries_than_one(
    client: Client,
    rows: Rows,
    name: str,
    django_assert_num_queries: Callable[..., Any],
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    root = person_make("root", is_superuser=True)
    client.force_login(root)
    many(rows, name, root, 1)
    with django_assert_max_num_queries(22) as few:
        one = client.get(reverse(name))
    many(rows, name, root, 49)
    with django_assert_num_queries(len(few)):
        fifty = client.get(reverse(name))
    assert len(fifty.content) > len(one.content) or name == "overview_figures"


def test_an_auditor_sees_their_organisations_rows_only(
    client: Client, rows: Rows, elsewhere: Rows, auditor: User
) -> None:
    mine, theirs = rows.site.organisation.name, elsewhere.site.organisation.name
    record(Actor("person", "olga", mine), "view", purpose="monitoring")
    record(Actor("person", "otto", theirs), "view", purpose="monitoring")
    record(Actor("person", "olaf", f"{mine}, {theirs}"), "search", purpose="quality-check")
    record(Actor("person", "eva", f"{mine} Airport"), "view", purpose="monitoring")
    record(Actor("stage", "recognise"), "process", purpose="pipeline")
    client.force_login(auditor)
    seen = client.get(reverse("audit")).context["rows"]
    assert [row.actor for row in seen] == ["olaf", "olga"]
    for query, actors in (
        ({"actor": "olga"}, ["olga"]),
        ({"purpose": "quality-check"}, ["olaf"]),
        ({"day": "2020-01-01"}, []),
        ({"day": f"{seen[0].at:%Y-%m-%d}"}, ["olaf", "olga"]),
        ({"day": "9999-12-31"}, ["olaf", "olga"]),  # no day: not narrowed
        ({"before": str(seen[0].pk)}, ["olga"]),
        ({"before": "\N{SUPERSCRIPT TWO}"}, ["olaf", "olga"]),
        ({"actor": "\0", "purpose": "\0"}, ["olaf", "olga"]),
    ):
        found = client.get(reverse("audit"), query).context["rows"]
        assert [row.actor for row in found] == actors, query


def test_an_auditor_can_check_the_chain(client: Client, auditor: User) -> None:
    record(Actor("person", "olga"), "view", purpose="monitoring")
    client.force_login(auditor)
    answer = client.post(reverse("audit_verify"), HTTP_HX_REQUEST="true").content.decode()
    assert "The chain holds" in answer
    AuditRow.objects.bulk_create([AuditRow(**forged())])
    answer = client.post(reverse("audit_verify"), HTTP_HX_REQUEST="true").content.decode()
    assert "The chain breaks at row" in answer


def forged() -> dict[str, Any]:
    row = AuditRow.objects.order_by("-id").first()
    assert row is not None
    return {
        "at": row.at,
        "actor_kind": "person",
        "actor": "mallory",
        "purpose": "monitoring",
        "action": "view",
        "previous": row.digest,
        "digest": bytes(32),
    }


def test_figures_count_by_verdict_and_by_hour(client: Client, rows: Rows, operator: User) -> None:
    rows.read(verdict="paid", reason="payment", at=rows.now)
    rows.read(verdict="overstay", reason="right-ended", at=rows.now)
    rows.read(verdict="unpaid", reason="no-right", at=rows.now)
    client.force_login(operator)
    figures = client.get(reverse("overview")).context["figures"]
    today = {series.label: series.today for series in figures.series}
    assert (today["Covered"], today["Unpaid, overstay or too fast"], today["Review"]) == (1, 2, 0)
    assert figures.captures["total"] == figures.reads == 3
    last = {series.label: series.values[-1] for series in figures.series}
    assert (last["Covered"], last["Unpaid, overstay or too fast"]) == (1, 2)
    assert len(figures.hours) == len(figures.table) == 24


def test_new_rows_and_verdicts_are_fetched_by_id(
    client: Client, rows: Rows, operator: User
) -> None:
    first, second = rows.read(), rows.read(verdict="unpaid", reason="no-right")
    client.force_login(operator)
    html = client.get(f"{reverse('feed_reads')}?id={second.pk}").content.decode()
    assert f'data-read="{second.pk}"' in html
    assert str(first.pk) not in html
    resync = client.get(f"{reverse('feed_reads')}?latest=1&known={first.pk}&known={second.pk}")
    assert "data-read" not in resync.content.decode()
    cells = client.get(f"{reverse('feed_verdicts')}?id={first.pk}&id={second.pk}").content.decode()
    assert cells.count('hx-swap-oob="true"') == 2
    assert f'data-unsettled="{first.pk}"' in cells
    assert f'data-unsettled="{second.pk}"' not in cells


def test_a_missing_page_and_a_refused_one_look_like_ours(client: Client, viewer: User) -> None:
    assert "Nothing here" in client.get("/no-such-page/").content.decode()
    client.force_login(viewer)
    refused = client.get(reverse("cases"))
    assert refused.status_code == 403
    assert "Not for you" in refused.content.decode()


def test_a_fragment_is_refused_with_a_sentence(client: Client, operator: User) -> None:
    client.force_login(operator)
    nobody = "00000000-0000-7000-8000-000000000000"
    answer = client.post(reverse("alerts_acknowledge", args=[nobody]), HTTP_HX_REQUEST="true")
    assert answer.status_code == 404
    assert answer.content.decode().startswith('<p class="notice notice--warning" data-sentence>')


def test_a_stranger_host_and_a_forged_form_look_like_ours(rows: Rows) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person_make("root", is_superuser=True))
    refused = client.get("/", HTTP_HOST="elsewhere.example")
    assert refused.status_code == 400
    assert "That did not work" in refused.content.decode()
    forged = client.post(reverse("purpose"), {"purpose": "monitoring"})
    assert forged.status_code == 403
    assert "Please try again" in forged.content.decode()
    assert "purpose" not in client.session


def test_a_fault_of_ours_shows_our_page(
    client: Client, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("dashboard.views.overview.figures", broken)
    client.force_login(operator)
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == 500
    assert "A fault of ours" in answer.content.decode()


def test_signing_up_is_closed(client: Client) -> None:
    told = {
        "email": "new@example.org",
        "username": "new",
        "password1": "x" * 20,
        "password2": "x" * 20,
    }
    answer = client.post(reverse("account_signup"), told)
    assert "Sign-up is closed" in answer.content.decode()
    assert not User.objects.filter(username="new").exists()


ACCOUNT_PAGES = [
    "mfa_index",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_list_webauthn",
    "usersessions_list",
    "account_change_password",
    "account_email",
    "account_logout",
    "account_reauthenticate",
]


@pytest.mark.parametrize("name", ACCOUNT_PAGES)
def test_account_pages_wear_our_frame(client: Client, operator: User, name: str) -> None:
    client.login(username=operator.username, password="correct-horse-battery")
    # looking at this page once makes allauth note the address as not verified; accounts are made
    # by an administrator, so that must not keep anybody from a second factor
    client.get(reverse("account_email"))
    client.post(
        reverse("account_reauthenticate"), {"password": "correct-horse-battery", "next": "/"}
    )
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "platewarden/app" in html
    assert " style=" not in html


def test_health_of_the_vehicles_inside(client: Client, rows: Rows, operator: User) -> None:
    zone = Zone.objects.create(site=rows.site, name="Deck 1", places=2)
    rows.camera.zone = zone
    rows.camera.save()
    read = rows.read()
    Visit.objects.create(
        id=read.passage_id,
        site=rows.site,
        entry_passage_id=read.passage_id,
        entered_at=read.captured_at,
        status="open",
        token_exact=read.token_exact,
        token_class=read.token_class,
    )
    client.force_login(operator)
    (inside,) = client.get(reverse("overview")).context["figures"].inside
    assert (inside.name, inside.vehicles, inside.places) == ("Riverside car park · Deck 1", 1, 2)
    assert inside.share == 50.0


def test_a_visits_verdict_stands_at_both_its_reads(
    client: Client, rows: Rows, operator: User
) -> None:
    entry, exit_ = rows.read(), rows.read()
    visit = Visit.objects.create(
        id=entry.passage_id,
        site=rows.site,
        entry_passage_id=entry.passage_id,
        exit_passage_id=exit_.passage_id,
        entered_at=entry.captured_at,
        exited_at=exit_.captured_at,
        status="complete",
        token_exact=entry.token_exact,
        token_class=entry.token_class,
    )
    VerdictVersion.objects.create(
        id=uuid7(rows.now),
        site=rows.site,
        visit_id=visit.pk,
        version=1,
        seen_at=entry.captured_at,
        decided_at=rows.now,
        provisional=False,
        verdict="permitted",
        reason="permit",
    )
    client.force_login(operator)
    shown = client.get(reverse("feed")).context["rows"]
    assert [row.verdict.verdict for row in shown] == ["permitted", "permitted"]
    assert all(row.settled for row in shown)


def test_a_suspended_site_is_named(client: Client, rows: Rows, operator: User) -> None:
    client.force_login(operator)
    assert "suspended" not in client.get(reverse("cameras")).content.decode()
    SiteRules.objects.create(
        site=rows.site, effective_from=rows.now - timedelta(days=1), suspended=True
    )
    html = client.get(reverse("cameras")).content.decode()
    assert "Enforcement is suspended at Riverside car park" in html


def test_a_camera_says_what_was_turned_down(client: Client, rows: Rows, viewer: User) -> None:
    today = day_of(rows.site, timezone.now())
    for what, count in (("captures", 40), ("reads", 31), ("blurred", 4), ("too-small", 7)):
        DayCount.objects.create(camera=rows.camera, day=today, what=what, count=count)
    DayCount.objects.create(
        camera=rows.camera, day=today - timedelta(days=3), what="captures", count=60
    )
    client.force_login(viewer)
    html = client.get(reverse("cameras")).content.decode()
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert "Read today 31 plates in 40 captures" in text
    assert "11 finds turned down: too small&nbsp;7, blurred&nbsp;4" in text
    assert "Last 7 days 31 plates in 100 captures" in text


def test_health_and_metrics(client: Client, operator: User) -> None:
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/metrics").status_code == 200  # from this machine
    far = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get("/metrics", **far).status_code == 404
    forwarded = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert client.get("/metrics", **forwarded).status_code == 404
    client.force_login(operator)
    assert client.get("/metrics", **far).status_code == 404
    client.force_login(person_make("root", is_superuser=True))
    assert client.get("/metrics", **far).status_code == 200
