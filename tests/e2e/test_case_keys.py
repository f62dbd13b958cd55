"""Cases for somebody who decides hundreds a day: by keyboard, the next at once, many together.

The rows are the test's own, on a server of Django's: what is tried is the pages and their scripts.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from core.models import User
from enforcement.cases.decisions import case_confirm
from enforcement.cases.models import Case, CasePolicy
from enforcement.cases.settling import appeal_open
from tests.e2e.browser import chromium, looked_over, screen, tabbed_through
from tests.e2e.site import ROOT
from tests.integration.cases.lives import ADDRESSEE, issue
from tests.integration.dashboard.dashboard_rows import Rows, person_make, site_make

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "keys"])

PICTURE = (ROOT / "demo" / "pictures" / "01-overstay-in.jpg").read_bytes()


@pytest.fixture
def rows(transactional_db: None) -> Rows:
    return site_make()


@pytest.fixture
def olga(rows: Rows) -> User:
    return person_make("olga", (rows.site, "operator"))


@pytest.fixture
def page(live_server: Any, olga: User, settings: Any, monkeypatch: Any) -> Iterator[Page]:
    """Olga's browser. There is no live feed on this server: its 404 is no fault."""
    # the browser's driver runs an event loop in this thread, which Django takes for a mistake
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": plain}}
    client = Client()
    client.force_login(olga)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    with (
        chromium() as browser,
        screen(browser, live_server.url, "case-keys", refused=(404,)) as opened,
    ):
        opened.context.add_cookies(
            [{"name": cookie.key, "value": cookie.value, "url": live_server.url}]
        )
        yield opened


def state_of(case: Case) -> tuple[str, str, str]:
    case.refresh_from_db()
    return case.state, case.decision_reason, case.decision_note


def number_shown(page: Page, case: Case) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Case {case.number}")


def test_three_keys_decide_a_case_and_the_next_is_open(page: Page, rows: Rows) -> None:
    one, two, three = (rows.case(shots=2, picture=PICTURE) for _ in range(3))
    page.goto("/cases/")
    page.keyboard.press("s")
    number_shown(page, one)
    expect(page.locator(".plate--large .plate-text")).to_be_visible()
    for key in ("c", "2", "Enter"):
        page.keyboard.press(key)
    number_shown(page, two)
    expect(page.locator(".plate--large .plate-text")).to_be_visible()
    assert state_of(one) == ("confirmed", "plate-checked", "")
    page.keyboard.press("Enter")  # alone it decides nothing
    for key in ("d", "0", "Tab"):
        page.keyboard.press(key)
    page.keyboard.type("a doctor on call; once")
    page.keyboard.press("Enter")
    number_shown(page, three)
    assert state_of(two) == ("dismissed", "goodwill", "a doctor on call; once")
    # a reason must be chosen: Enter on an empty list stays here
    for key in ("c", "Enter"):
        page.keyboard.press(key)
    number_shown(page, three)
    assert state_of(three)[0] == "candidate"


def test_many_are_decided_together_by_keyboard(page: Page, rows: Rows) -> None:
    cases = [rows.case(shots=2, picture=PICTURE) for _ in range(4)]
    page.goto("/cases/")
    page.keyboard.press("a")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", level=1)).to_have_text("4 cases together")
    for key in ("j", "j", "Space", "d", "6", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("3 cases dismissed.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 case together")
    assert [state_of(case)[:2] for case in cases] == [
        ("dismissed", "broken-equipment"),
        ("candidate", ""),
        ("dismissed", "broken-equipment"),
        ("dismissed", "broken-equipment"),
    ]


def test_the_pages_of_cases_have_no_fault(page: Page, rows: Rows, olga: User) -> None:
    now = timezone.now()
    CasePolicy.objects.create(
        site=rows.site,
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        currency="GBP",
        notice_amount=10_000,
        discount_amount=6_000,
        scheme="uk-postal",
        country="GB",
        region="ENG",
        discount_days=14,
        due_days=28,
        appeal_days=28,
        payee="City of Brno",
    )
    waiting = [rows.case(shots=2, picture=PICTURE, minutes=42) for _ in range(2)]
    today = now.astimezone(rows.site.zone_info).date()
    Case.objects.filter(pk=waiting[0].pk).update(last_issue_day=today + timedelta(days=1))
    appealed, flagged = rows.case(picture=PICTURE), rows.case(picture=PICTURE)
    for case in (appealed, flagged):
        case_confirm(case_id=case.pk, user=olga, reason="plate-checked", now=now)
        issue(case.pk, olga, now)
    appeal_open(case_id=appealed.pk, text="I paid.\nLook.", actor=ADDRESSEE, now=now)
    Case.objects.filter(pk=flagged.pk).update(
        withdrawal_asked_at=now, withdrawal_reason="paid-late"
    )
    faults = {}
    page.goto("/cases/")
    faults["queue"] = looked_over(page) + tabbed_through(page)
    for name, case in (("waiting", waiting[0]), ("appealed", appealed), ("flagged", flagged)):
        page.goto(f"/cases/{case.pk}/")
        page.keyboard.press("o")
        expect(page.locator(".plate--large .plate-text")).to_be_visible()
        faults[name] = looked_over(page) + tabbed_through(page)
    page.goto("/cases/")
    page.keyboard.press("a")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", level=1)).to_have_text("2 cases together")
    faults["together"] = looked_over(page) + tabbed_through(page)
    assert not any(faults.values()), faults
