"""The product in a browser, as everybody else uses it, and every page under the same looks.

On the same site as `test_walk.py`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from demo.client import Device
from tests.e2e.browser import (
    ARTIFACTS,
    NARROW,
    WCAG_AA,
    loaded,
    looked_over,
    skip_link_works,
    tab_to,
    tabbed_through,
)
from tests.e2e.site import LiveSite, until
from tests.e2e.walking import NO_VIGNETTE_PLATE, PAGES, Walk, choose_shift, live, walking

ACCOUNT_PAGES = ("/accounts/2fa/", "/accounts/sessions/", "/accounts/password/change/")


@pytest.fixture(scope="module")
def walk(site: LiveSite) -> Iterator[Walk]:
    with walking(site) as started:
        yield started


# --- the others -----------------------------------------------------------------------------------


def test_only_auditors_see_the_audit_log(walk: Walk) -> None:
    with walk.person("auditor", "auditor") as page:
        page.goto("/")
        page.wait_for_url("**/audit/")
        rows = page.locator("tbody tr")
        assert rows.count() > 20
        page.get_by_label("Who").fill("operator")
        page.get_by_label("Why").select_option(label="Checking camera or reader quality")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**purpose=quality-check**")
        for row in rows.all():
            expect(row).to_contain_text("operator")
            expect(row).to_contain_text("Checking camera or reader quality")
        page.get_by_role("button", name="Check the chain").click()
        expect(page.locator("#chain")).to_contain_text("holds")
    with walk.person("operator", "not-auditor", refused=(403,)) as page:
        answer = page.goto("/audit/")
        assert answer is not None
        assert answer.status == 403
        assert page.locator("tbody tr").count() == 0


def test_a_viewer_sees_no_plate_and_no_case(walk: Walk) -> None:
    case = walk.site.rows("SELECT id FROM cases_case LIMIT 1")[0][0]
    with walk.person("viewer", "viewer", refused=(403,)) as page:
        page.goto("/feed/")
        live(page)
        reads = page.locator("[data-read]")
        assert reads.count() > 5
        expect(page.locator(".plate--masked")).to_have_count(reads.count())
        assert page.get_by_role("button", name="Show the plate").count() == 0
        assert page.get_by_role("link", name="Cases").count() == 0
        read = reads.first.get_attribute("data-read")
        mark = walk.audit_end()
        for path in ("/cases/", f"/cases/{case}/", f"/reads/{read}/", "/alerts/", "/search/"):
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 403, path
            assert page.locator(".plate").count() == 0
        # asked for behind the pages' back, too
        token = next(c["value"] for c in page.context.cookies() if c["name"] == "csrftoken")
        for path in (f"/reads/{read}/plate/", f"/cases/{case}/open/", f"/reads/{read}/open/"):
            answer = page.request.post(
                path,
                form={"purpose": "monitoring", "csrfmiddlewaretoken": token},
                headers={"Referer": walk.site.url},
            )
            assert answer.status == 403, path
        assert walk.looks(mark, "viewer") == []


def test_an_admin_makes_a_key_and_sees_it_once(walk: Walk) -> None:
    with walk.person("admin", "admin") as page:
        page.goto("/admin/")
        page.locator("#content-main").get_by_role("link", name="Sites", exact=True).click()
        expect(page.get_by_role("link", name="University car park")).to_be_visible()
        # the theme's own landmarks fall short of axe's advice, not of the standard
        faults = looked_over(page, WCAG_AA)
        page.goto("/admin/cameras/devicekey/add/")
        faults += looked_over(page, WCAG_AA)
        owner = page.get_by_label("Camera")
        wanted = owner.locator("option", has_text="Southbound").get_attribute("value")
        owner.select_option(value=wanted)
        page.get_by_label("Label").fill("walk")
        page.get_by_role("button", name="Make the key").click()
        key = page.get_by_label("The key").input_value()
        assert re.fullmatch(r"pwd_\w{8}_[\w-]{43}", key)
        prefix, secret = key.split("_", 2)[1:]
        faults += looked_over(page, WCAG_AA)
        assert faults == []
        now = datetime.now(UTC)
        Device(walk.site.url, key).heartbeat(through=now, sent_at=now)
        page.get_by_role("link", name="I have it").click()
        page.get_by_role("link", name=prefix).first.click()
        expect(page.get_by_text(f"{prefix}…").first).to_be_visible()
        assert secret not in page.content()
        kept = walk.site.rows("SELECT to_jsonb(k)::text FROM cameras_devicekey k")
        assert [prefix in row for (row,) in kept].count(True) == 1
        assert not any(secret in row for (row,) in kept)


# --- every page -----------------------------------------------------------------------------------


def pages_of(walk: Walk) -> Iterator[tuple[str, str, int]]:
    """Who looks, at what, and which status it has."""
    read = walk.site.rows(
        "SELECT r.id FROM plates_plateread r JOIN visits_verdictversion v"
        " ON v.passage_id = r.passage_id AND v.current WHERE v.verdict = 'unpaid' LIMIT 1"
    )[0][0]
    camera = walk.site.rows("SELECT id FROM cameras_camera ORDER BY name LIMIT 1")[0][0]
    for path in (*PAGES, f"/reads/{read}/", f"/cameras/{camera}/", *ACCOUNT_PAGES):
        yield "operator", path, 200
    yield "operator", "/not-a-page/", 404
    yield "auditor", "/audit/", 200


def test_every_page_can_be_used_by_everybody(walk: Walk) -> None:
    """Light and dark, wide and narrow, by keyboard: nothing for axe to report."""
    faults: dict[str, list[str]] = {}
    with walk.stranger("login-page") as page:
        page.goto("/accounts/login/")
        faults["log-in"] = looked_over(page) + skip_link_works(page) + tabbed_through(page)
    for who in ("operator", "auditor"):
        with walk.person(who, f"pages-{who}", refused=(404,)) as page:
            for name, path, status in pages_of(walk):
                if name != who:
                    continue
                answer = page.goto(path)
                assert answer is not None
                assert answer.status == status, path
                faults[path] = looked_over(page) + skip_link_works(page) + tabbed_through(page)
            if who == "operator":
                page.goto("/cases/")
                page.get_by_role("button", name="Open for review").first.click()
                until("the pictures are there", lambda: loaded(page.locator(".shot img")), 20)
                faults["case"] = looked_over(page) + tabbed_through(page)
    assert {path: found for path, found in faults.items() if found} == {}


def test_dialogs_and_open_plates_can_be_used_by_everybody(walk: Walk) -> None:
    faults: dict[str, list[str]] = {}
    with walk.person("operator", "dialogs") as page:
        page.goto("/feed/")
        live(page)
        page.get_by_role("button", name="Show the plate").first.click()
        dialog = page.get_by_role("dialog", name="Show the plate")
        expect(dialog).to_be_visible()
        faults["purpose"] = looked_over(page)
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        faults["keyboard"] = looked_over(page)
        page.keyboard.press("Escape")
        choose_shift(page, "Checking camera or reader quality")
        expect(page.locator(".plate:not(.plate--masked)").first).to_be_visible()
        page.evaluate("platewarden.toast('An alert', {href: '/', label: 'Open', kind: 'alert'})")
        faults["open plates"] = looked_over(page)
        page.goto("/search/")
        page.get_by_label("Plate").fill(NO_VIGNETTE_PLATE)
        page.get_by_label("Why").select_option(label="Checking camera or reader quality")
        page.get_by_role("button", name="Search").click()
        expect(page.locator(".plate:not(.plate--masked)").first).to_be_visible()
        faults["found"] = looked_over(page) + tabbed_through(page)
    assert {what: found for what, found in faults.items() if found} == {}


def test_the_api_docs_can_be_used_by_everybody(walk: Walk) -> None:
    """Closed, an operation opened and tried, its schema, and the dialog that asks for a key."""
    faults: dict[str, list[str]] = {}
    with walk.stranger("api-docs", refused=(401,)) as page:
        page.goto("/api/v1/docs")
        hand_in = page.get_by_role("button", name="/api/v1/captures Hand in")
        expect(hand_in).to_be_visible()
        faults["closed"] = looked_over(page) + skip_link_works(page) + tabbed_through(page)
        hand_in.focus()
        page.keyboard.press("Enter")
        expect(hand_in).to_have_attribute("aria-expanded", "true")
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.get_by_text("key_missing").first).to_be_visible()
        faults["tried"] = looked_over(page) + tabbed_through(page)
        for tab in page.get_by_role("tab", name="Schema").all():
            tab.click()
        page.get_by_role("button", name="Capture", exact=True).click()
        expect(page.get_by_role("button", name="failure*: {...}")).to_be_visible()
        page.get_by_role("button", name="/api/v1/reads").first.click()
        expect(page.get_by_placeholder("X-Purpose")).to_be_visible()
        faults["schemas"] = looked_over(page)
        authorize = page.get_by_role("button", name="Authorize", exact=True)
        authorize.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Available authorizations")
        key = dialog.get_by_label("Value: deviceKey")
        tab_to(page, key)
        page.keyboard.type("pwd_key")
        expect(key).to_have_value("pwd_key")
        faults["dialog"] = looked_over(page)
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(authorize).to_be_focused()
        toggle = page.get_by_role("button", name="Light or dark")
        for theme in ("dark", "light"):
            toggle.click()
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            faults[f"chosen {theme}"] = looked_over(page)
    assert {what: found for what, found in faults.items() if found} == {}


def test_the_menu_opens_on_a_narrow_screen(walk: Walk) -> None:
    with walk.person("operator", "narrow", viewport=NARROW) as page:
        page.goto("/")
        link = page.get_by_role("link", name=re.compile("^Cases"))
        menu = page.get_by_role("button", name="Menu")
        expect(link.first).to_be_hidden()
        tab_to(page, menu)
        page.keyboard.press("Enter")
        expect(menu).to_have_attribute("aria-expanded", "true")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts").click()
        expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()


def test_the_looking_over_finds_what_is_planted(walk: Walk) -> None:
    """A check that never fails would prove nothing."""
    with walk.stranger("planted") as page:
        page.goto("/accounts/login/")
        page.evaluate(PLANT)
        found = looked_over(page)
        for theme in ("light", "dark"):
            for width in (1280, 390):
                here = [fault for fault in found if fault.startswith(f"{theme}, {width} px: ")]
                for what in (" px wide", "image-alt", "color-contrast"):
                    assert any(what in fault for fault in here), (theme, width, what)
        keyboard = tabbed_through(page)
        assert [fault.split(":")[0] for fault in keyboard] == ["not reached", "focus not seen"]
    with (
        pytest.raises(AssertionError, match=r"console: planted.*another host: http://localhost"),
        walk.stranger("planted") as page,
    ):
        page.goto("/accounts/login/")
        page.evaluate("console.error('planted')")
        page.goto(f"http://localhost:{walk.site.port}/healthz")
    (ARTIFACTS / "planted-0.png").unlink()


PLANT = """() => {
  const add = (html) => document.querySelector('main').insertAdjacentHTML('beforeend', html);
  add('<img id="bad-picture" src="/static/platewarden/favicon.svg">');
  add('<p id="pale">Hardly to be read</p><div id="broad">Broad</div>');
  add('<a id="skipped" href="/" tabindex="-1">By mouse only</a><a id="plain" href="/">Plain</a>');
  document.querySelector('#pale').style.color = 'rgb(127 127 127 / 30%)';
  document.querySelector('#broad').style.width = '3000px';
  document.querySelector('#plain').style.outline = 'none';
}"""
