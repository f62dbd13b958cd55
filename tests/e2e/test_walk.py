"""The whole product in a browser: what an operator, a viewer, an auditor and an admin do.

On a live site that the demo has been played to, with Debian's Chromium. No page may ask another
host for anything nor have an error on its console. The README's pictures are taken here as well.
"""

import argparse
import io
import os
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from demo import play
from demo.client import Device
from demo.programme import PICTURES
from tests.e2e.browser import ARTIFACTS, WIDE, chromium, loaded, log_in, looked_over, screen
from tests.e2e.browser import tabbed_through
from tests.e2e.site import ROOT, LiveSite, until

NO_VIGNETTE = PICTURES / "08-no-vignette.jpg"
NO_VIGNETTE_PLATE = "7U15392"
STOLEN_PLATE = "1AB8015"  # on the demo's list; no shipped scene shows it
MOST_BYTES = 250_000
README = ("overview", "case")
OPERATORS_PAGES = ("/", "/feed/", "/cases/", "/alerts/", "/search/", "/cameras/")
ACCOUNT_PAGES = ("/accounts/2fa/", "/accounts/sessions/", "/accounts/password/change/")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def made(browser: Browser, site: LiveSite) -> dict[str, Any]:
    """The demo is played; its keys and log-ins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play, "set_up", lambda real: site.demo())
        told = argparse.Namespace(url=site.url, real=False, images=None, video=None)
        played, made = play.play(told)
    assert all(one.accounted() for one in played)
    return made


def enter(page: Page, made: dict[str, Any], name: str) -> None:
    log_in(page, name, made["logins"][name])


def read_of(site: LiveSite, capture_id: str) -> str:
    """The id of the read that a capture became."""
    rows = until(
        "the capture is read",
        lambda: site.rows("SELECT id FROM plates_plateread WHERE capture_id = %s", capture_id),
        30,
    )
    return str(rows[0][0])


def looks(site: LiveSite, after: int, who: str = "operator") -> list[tuple[Any, ...]]:
    """What a person's looks left in the audit log since its row `after`."""
    return site.rows(
        "SELECT action, purpose, case_ref, subject, subject_id, cardinality(tokens), count"
        " FROM audit_auditrow WHERE id > %s AND actor_kind = 'person' AND actor = %s ORDER BY id",
        after,
        who,
    )


def audit_end(site: LiveSite) -> int:
    return int(site.rows("SELECT coalesce(max(id), 0) FROM audit_auditrow")[0][0])


def tile(page: Page, label: str) -> int:
    """A figure of the overview."""
    found = page.locator(".tile", has_text=label).locator(".tile-value")
    return int(found.inner_text())


def live(page: Page) -> None:
    expect(page.locator("#live-state")).to_have_text("Live")


def post_stolen(site: LiveSite, key: str) -> str:
    """A camera that reads by itself sends a finished read of a listed plate; the capture's id."""
    answer = requests.post(
        f"{site.url}/api/v1/captures",
        json={
            "kind": "read",
            "captured_at": datetime.now(UTC).isoformat(),
            "event_id": uuid.uuid4().hex,
            "read": {"text": STOLEN_PLATE, "score": 0.98, "country": "CZ"},
        },
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def post_scene(site: LiveSite, key: str) -> str:
    """A camera sends a frame of a car without a vignette; the capture's id."""
    sent = Device(site.url, key).send(
        NO_VIGNETTE,
        NO_VIGNETTE.read_bytes(),
        captured_at=datetime.now(UTC),
        event_id=uuid.uuid4().hex,
    )
    return str(sent["id"])


def report(site: LiveSite, made: dict[str, Any], queue_depth: int = 0) -> None:
    """Every camera says that it is there, and how many pictures wait to be sent."""
    now = datetime.now(UTC).isoformat()
    for key in made["cameras"].values():
        answer = requests.post(
            f"{site.url}/api/v1/heartbeats",
            json={"sent_at": now, "queue_depth": queue_depth},
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        )
        assert answer.status_code in (200, 202), answer.text


# --- the README's pictures, before anything else is changed ---------------------------------------


def keep_picture(page: Page, name: str) -> None:
    """Take the page as it stands, at most 250 kB: into the artifacts, and where it is asked for
    (PLATEWARDEN_SCREENSHOTS=1) into the documentation."""
    whole = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    held = io.BytesIO()
    few = whole.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(held, "PNG", optimize=True)
    assert held.tell() <= MOST_BYTES, f"{name}: {held.tell()} bytes"
    folders = [ARTIFACTS]
    if os.environ.get("PLATEWARDEN_SCREENSHOTS") == "1":
        folders.append(ROOT / "docs" / "images")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(held.getvalue())


def test_pictures_for_the_readme(browser: Browser, site: LiveSite, made: dict[str, Any]) -> None:
    whole = {"width": WIDE["width"], "height": 1300}  # down to the first rows of the feed
    with screen(browser, site.url, "readme", device_scale_factor=1.5, viewport=whole) as page:
        enter(page, made, "operator")
        choose_shift(page, "Live monitoring on shift")
        live(page)
        in_view = page.locator("[data-feed] .plate-slot[hx-trigger]")
        page.wait_for_function("document.getElementById('hours-chart').width > 300")
        until("plates in view open", lambda: not any_in_view(in_view), 20)
        keep_picture(page, README[0])
    with screen(browser, site.url, "readme", device_scale_factor=1.0) as page:
        enter(page, made, "operator")
        page.goto("/cases/")
        doubtful = page.locator("[data-cases] li", has_text="low confidence").first
        doubtful.get_by_role("button", name="Open for review").click()
        until("the pictures are there", lambda: loaded(page.locator(".shot img")), 20)
        keep_picture(page, README[1])


def any_in_view(slots: Locator) -> bool:
    return bool(
        slots.evaluate_all(
            "all => all.some((one) => one.getBoundingClientRect().top < innerHeight)"
        )
    )


def choose_shift(page: Page, purpose: str) -> None:
    """State a purpose for the shift in the bar of the page."""
    bar = page.get_by_role("region", name="Purpose")
    bar.get_by_label("Purpose").select_option(label=purpose)
    bar.get_by_role("button", name="Open for 8 hours").click()
    expect(bar.get_by_role("button", name="Mask again")).to_be_visible()


# --- the operator ---------------------------------------------------------------------------------


def test_a_stranger_is_sent_to_the_log_in(browser: Browser, site: LiveSite) -> None:
    with screen(browser, site.url, "stranger") as page:
        for path in (*OPERATORS_PAGES, "/audit/", "/admin/"):
            page.goto(path)
            assert page.url.startswith(f"{site.url}/accounts/login/"), path
        page.goto("/cases/")
        page.get_by_label("User name").fill("operator")
        page.get_by_label("Password", exact=True).fill("not-this-one")
        page.get_by_role("button", name="Log in", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert "/accounts/login/" in page.url


def test_reads_and_alerts_appear_by_themselves(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    """A camera posts while the pages are open: a row, its verdict, an alert, without reloading."""
    key = made["cameras"]["gantry-north"]
    report(site, made)
    with screen(browser, site.url, "live") as page:
        enter(page, made, "operator")
        captures = tile(page, "Captures today")
        assert captures > 0
        assert tile(page, "Unpaid or overstay") > 0
        assert tile(page, "Cameras online") == 4
        alerts = page.context.new_page()
        alerts.goto("/alerts/")
        for one in (page, alerts):
            live(one)
            one.evaluate("window.neverLeft = true")

        read = read_of(site, post_scene(site, key))
        row = page.locator(f'[data-read="{read}"]')
        expect(row).to_be_visible()
        expect(row.locator(".row-what")).to_contain_text("Unpaid")
        expect(row.locator(".row-what")).to_contain_text("no right found")
        expect(row).to_contain_text("Plate, masked")
        assert NO_VIGNETTE_PLATE not in page.content()
        expect(
            page.locator(".tile", has_text="Captures today").locator(".tile-value")
        ).to_have_text(re.compile(rf"^({captures + 1}|{captures + 2})$"))

        capture = post_stolen(site, key)
        expect(page.locator("#toasts")).to_contain_text("New watchlist alert")
        found = until(
            "the alert",
            lambda: site.rows(
                "SELECT id, certainty FROM watchlist_alert WHERE capture_id = %s", capture
            ),
            10,
        )
        assert [certainty for _, certainty in found] == ["exact"]
        listed = alerts.locator(f'[data-alert="{found[0][0]}"]')
        expect(listed).to_be_visible()
        expect(listed).to_contain_text("Exact")
        waiting = alerts.locator("[data-alert]").count()
        for one in (page, alerts):
            expect(one.locator("#open_alerts")).to_have_attribute("data-count", str(waiting))
            assert one.evaluate("window.neverLeft") is True


def test_a_plate_opens_for_a_purpose_and_the_look_is_recorded(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    read = read_of(site, post_scene(site, made["cameras"]["gantry-north"]))
    with screen(browser, site.url, "purpose") as page:
        enter(page, made, "operator")
        page.goto("/feed/")
        mark = audit_end(site)
        row = page.locator(f'[data-read="{read}"]')
        row.get_by_role("button", name="Show the plate").click()
        dialog = page.get_by_role("dialog", name="Show the plate")
        dialog.get_by_role("button", name="Show the plate").click()
        expect(dialog).to_be_visible()  # not without a reason
        assert looks(site, mark) == []
        dialog.get_by_label("Data subject request").check()
        dialog.get_by_label("Case or file reference").fill("DSR-17")
        dialog.get_by_role("button", name="Show the plate").click()
        expect(row.locator(".plate-text")).to_have_text(NO_VIGNETTE_PLATE)
        expect(dialog).to_be_hidden()
        seen = ("view", "subject-access", "DSR-17", "plates.plateread", read, 1, 1)
        assert looks(site, mark) == [seen]


def test_with_a_purpose_for_the_shift_each_plate_leaves_one_row(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    with screen(browser, site.url, "shift") as page:
        enter(page, made, "operator")
        page.goto("/feed/")
        live(page)
        rows = page.locator("[data-read]")
        assert rows.count() > 5
        assert page.locator(".plate:not(.plate--masked)").count() == 0
        mark = audit_end(site)
        choose_shift(page, "Handling a watchlist alert")
        live(page)
        for row in rows.all():
            row.scroll_into_view_if_needed()
        expect(page.locator(".plate-slot[hx-trigger]")).to_have_count(0)
        # compliant ones may be forgotten meanwhile: then there was nothing to see, nor to record
        shown = page.locator("[data-read]:has(.plate:not(.plate--masked))")
        ids = shown.evaluate_all("all => all.map((one) => one.dataset.read)")
        assert len(ids) > 5
        found = [look for look in looks(site, mark) if look[4] in ids]
        assert sorted(look[4] for look in found) == sorted(ids)
        assert {look[:4] for look in found} == {("view", "alert-handling", "", "plates.plateread")}
        assert {look[5:] for look in found} == {(1, 1)}
        page.get_by_role("button", name="Mask again").click()
        expect(page.locator(".plate--masked")).to_have_count(rows.count())


# --- cases and alerts -----------------------------------------------------------------------------


def case_row(site: LiveSite, number: str) -> tuple[Any, ...]:
    return site.rows(
        "SELECT c.state, u.username, c.decision_reason, c.decision_note,"
        " c.decided_at > now() - interval '1 minute'"
        " FROM cases_case c LEFT JOIN core_user u ON u.id = c.decided_by_id WHERE c.number = %s",
        number,
    )[0]


def number_of(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text().removeprefix("Case ")


def test_a_case_is_looked_at_and_confirmed(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    with screen(browser, site.url, "confirm") as page:
        enter(page, made, "operator")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Cases").click()
        page.locator("[data-cases] a").first.click()
        number = number_of(page)
        mark = audit_end(site)
        assert page.locator(".shot img").count() == 0
        assert page.locator(".plate:not(.plate--masked)").count() == 0
        page.get_by_role("button", name="Open for review").click()
        expect(page.get_by_role("button", name="Confirm the case")).to_be_visible()
        until("the pictures are there", lambda: loaded(page.locator(".shot img")), 20)
        assert page.get_by_role("img", name=re.compile("^The vehicle at ")).count() >= 1
        assert page.get_by_role("img", name=re.compile("^The plate at .* cut out")).count() >= 1
        expect(page.locator(".shot .quad").first).to_be_visible()
        expect(page.locator(".plate--large .plate-text")).to_have_text(re.compile(r"^\w{5,10}$"))
        expect(page.locator(".why li").first).to_be_visible()
        seen = looks(site, mark)
        assert {look[1:3] for look in seen} == {("case-review", number)}
        assert {look[0] for look in seen} == {"view", "picture"}

        page.get_by_role("button", name="Confirm the case").click()
        assert case_row(site, number)[0] in ("candidate", "review")  # not without a reason
        page.get_by_label("Why it stands").select_option(value="plate-checked")
        page.locator("#confirm-note").fill("compared twice")
        page.get_by_role("button", name="Confirm the case").click()
        expect(page.get_by_text(f"Case {number} confirmed.")).to_be_visible()
        assert case_row(site, number) == (
            "confirmed",
            "operator",
            "plate-checked",
            "compared twice",
            True,
        )


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus."""
    for _ in range(100):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("Tab does not reach it")


def test_a_case_is_dismissed_by_keyboard_alone(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    with screen(browser, site.url, "keyboard") as page:
        enter(page, made, "operator")
        page.goto("/")
        tab_to(page, page.get_by_role("link", name=re.compile("^Cases")))
        page.keyboard.press("Enter")
        page.wait_for_url("**/cases/")
        tab_to(page, page.locator("[data-cases] a").first)
        page.keyboard.press("Enter")
        page.wait_for_url("**/cases/*-*/")
        number = number_of(page)
        page.keyboard.press("o")
        expect(page.get_by_role("button", name="Dismiss the case")).to_be_visible()
        page.keyboard.press("d")
        page.keyboard.type("Goodwill")
        page.keyboard.press("Tab")
        page.keyboard.type("first time here; condemned nobody")  # no shortcut while writing
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Case {number} dismissed.")).to_be_visible()
        assert case_row(site, number) == (
            "dismissed",
            "operator",
            "goodwill",
            "first time here; condemned nobody",
            True,
        )


def test_an_alert_is_acknowledged_with_a_note(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    with screen(browser, site.url, "alert") as page:
        enter(page, made, "operator")
        page.goto("/alerts/")
        first = page.locator("[data-alert]").first
        alert = first.get_attribute("data-alert")
        first.get_by_label("Note").press_sequentially("told the ")
        with page.expect_response("**/alerts/rows/"):  # rows come anew, as when a line breaks
            page.evaluate("htmx.trigger(document.body, 'live-resync')")
        page.keyboard.type("patrol")
        first.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text("acknowledged.")).to_be_visible()
        expect(page.locator(f'[data-alert="{alert}"]')).to_have_count(0)
        assert site.rows(
            "SELECT u.username, a.acknowledge_note, a.acknowledged_at > now() - interval '1 minute'"
            " FROM watchlist_alert a JOIN core_user u ON u.id = a.acknowledged_by_id"
            " WHERE a.id = %s",
            alert,
        ) == [("operator", "told the patrol", True)]


def test_cameras_and_their_health(browser: Browser, site: LiveSite, made: dict[str, Any]) -> None:
    report(site, made)
    with screen(browser, site.url, "cameras") as page:
        enter(page, made, "operator")
        page.goto("/cameras/")
        live(page)
        for name in ("Northbound", "Southbound", "Lane in", "Lane out"):
            card = page.get_by_role("article", name=name)
            expect(card).to_contain_text("Online")
            expect(card).to_contain_text("University" if "Lane" in name else "D1 gantry")
        with site.database() as cursor:  # as after three silent minutes
            cursor.execute("UPDATE cameras_camera SET state = 'offline' WHERE slug = 'out'")
        page.reload()
        live(page)
        silent = page.get_by_role("article", name="Lane out")
        expect(silent).to_contain_text("Offline")
        report(site, made, queue_depth=37)
        expect(silent).to_contain_text("Online")
        expect(silent.locator("dt:text('Waiting') + dd")).to_have_text("37")


def test_logging_out_ends_it(browser: Browser, site: LiveSite, made: dict[str, Any]) -> None:
    with screen(browser, site.url, "log-out") as page:
        enter(page, made, "operator")
        page.get_by_role("button", name="Log out").click()
        page.goto("/cases/")
        assert page.url.startswith(f"{site.url}/accounts/login/")


def test_a_search_is_recorded_and_stands_in_no_address(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    asked: list[str] = []
    with screen(browser, site.url, "search") as page:
        enter(page, made, "operator")
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/search/")
        mark = audit_end(site)
        page.get_by_label("Plate").fill("7u1 5392")
        page.get_by_label("Why").select_option(label="Request of an authority")
        page.get_by_label("Reference").fill("PCR-4711/26")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", name=re.compile("reads? found"))).to_be_visible()
        rows = page.locator("[data-read]")
        assert rows.count() >= 1
        for row in rows.all():
            row.scroll_into_view_if_needed()
            expect(row.locator(".plate-text")).to_have_text(NO_VIGNETTE_PLATE)
        seen = looks(site, mark)
        assert {look[1:3] for look in seen} == {("authority-request", "PCR-4711/26")}
        assert [look[0] for look in seen] == ["search"] + ["view"] * rows.count()
        assert seen[0][5] >= 1  # for which plate: by its token
        assert not [url for url in asked if NO_VIGNETTE_PLATE in url.upper()]


# --- the others -----------------------------------------------------------------------------------


def test_only_auditors_see_the_audit_log(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    with screen(browser, site.url, "auditor") as page:
        enter(page, made, "auditor")
        page.goto("/")
        page.wait_for_url("**/audit/")
        rows = page.locator("tbody tr")
        assert rows.count() == 50
        expect(rows.first).to_contain_text("operator")
        page.get_by_label("Who").fill("operator")
        page.get_by_label("Why").select_option(label="Reviewing a proposed case")
        page.get_by_role("button", name="Filter").click()
        expect(rows.first).to_contain_text("Reviewing a proposed case")
        page.get_by_role("button", name="Check the chain").click()
        expect(page.locator("#chain")).to_contain_text("holds")
    with screen(browser, site.url, "not-auditor", refused=(403,)) as page:
        enter(page, made, "operator")
        answer = page.goto("/audit/")
        assert answer is not None
        assert answer.status == 403
        assert page.locator("tbody tr").count() == 0


def test_a_viewer_sees_no_plate_and_no_case(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    case = site.rows("SELECT id FROM cases_case LIMIT 1")[0][0]
    with screen(browser, site.url, "viewer", refused=(403,)) as page:
        enter(page, made, "viewer")
        page.goto("/feed/")
        live(page)
        reads = page.locator("[data-read]")
        assert reads.count() > 5
        expect(page.locator(".plate--masked")).to_have_count(reads.count())
        assert page.get_by_role("button", name="Show the plate").count() == 0
        assert page.get_by_role("link", name="Cases").count() == 0
        read = reads.first.get_attribute("data-read")
        mark = audit_end(site)
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
                headers={"Referer": site.url},
            )
            assert answer.status == 403, path
        assert looks(site, mark, "viewer") == []


def test_an_admin_makes_a_key_and_sees_it_once(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    with screen(browser, site.url, "admin") as page:
        enter(page, made, "admin")
        page.goto("/admin/")
        page.locator("#content-main").get_by_role("link", name="Sites", exact=True).click()
        expect(page.get_by_role("link", name="University car park")).to_be_visible()
        page.goto("/admin/cameras/devicekey/add/")
        owner = page.get_by_label("Camera")
        wanted = owner.locator("option", has_text="Southbound").get_attribute("value")
        owner.select_option(value=wanted)
        page.get_by_label("Label").fill("walk")
        page.get_by_role("button", name="Make the key").click()
        key = page.get_by_label("The key").input_value()
        assert re.fullmatch(r"pwd_\w{8}_[\w-]{43}", key)
        now = datetime.now(UTC)
        Device(site.url, key).heartbeat(through=now, sent_at=now)
        page.get_by_role("link", name="I have it").click()
        secret = key.rsplit("_", 1)[1]
        page.get_by_role("link", name=key.split("_")[1]).first.click()
        assert key.split("_")[1] in page.content()
        assert secret not in page.content()
        stored = site.rows("SELECT count(*) FROM cameras_devicekey WHERE label = 'walk'")
        assert stored == [(1,)]
        for (row,) in site.rows("SELECT to_jsonb(k)::text FROM cameras_devicekey k"):
            assert secret not in row


# --- every page -----------------------------------------------------------------------------------


def pages_of(site: LiveSite) -> Iterator[tuple[str, str, int]]:
    """Who looks, at what, and which status it has."""
    read = site.rows(
        "SELECT r.id FROM plates_plateread r JOIN visits_verdictversion v"
        " ON v.passage_id = r.passage_id AND v.current WHERE v.verdict = 'unpaid' LIMIT 1"
    )[0][0]
    for path in (*OPERATORS_PAGES, f"/reads/{read}/", *ACCOUNT_PAGES):
        yield "operator", path, 200
    yield "operator", "/not-a-page/", 404
    yield "auditor", "/audit/", 200


def test_every_page_can_be_used_by_everybody(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    """Light and dark, wide and narrow, by keyboard: nothing for axe to report."""
    faults: dict[str, list[str]] = {}
    with screen(browser, site.url, "login-page") as page:
        page.goto("/accounts/login/")
        faults["log-in"] = looked_over(page) + skip_link_works(page) + tabbed_through(page)
    for who in ("operator", "auditor"):
        with screen(browser, site.url, f"pages-{who}", refused=(404,)) as page:
            enter(page, made, who)
            for name, path, status in pages_of(site):
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


def skip_link_works(page: Page) -> list[str]:
    """The first Tab shows a way past the menu, and it leads to the content."""
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the content")
    box = link.bounding_box()
    focused = link.evaluate("one => one === document.activeElement")
    if not focused or box is None or box["y"] < 0:
        return ["the first Tab does not show the way to the content"]
    page.keyboard.press("Enter")
    reached = page.evaluate("document.activeElement.id") == "main"
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    return [] if reached else ["the skip link does not lead to the content"]


def test_the_menu_opens_on_a_narrow_screen(
    browser: Browser, site: LiveSite, made: dict[str, Any]
) -> None:
    with screen(browser, site.url, "narrow", viewport={"width": 390, "height": 844}) as page:
        enter(page, made, "operator")
        page.goto("/")
        link = page.get_by_role("link", name=re.compile("^Cases"))
        menu = page.get_by_role("button", name="Menu")
        expect(link.first).to_be_hidden()
        tab_to(page, menu)
        page.keyboard.press("Enter")
        expect(menu).to_have_attribute("aria-expanded", "true")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts").click()
        expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()


def test_the_looking_over_finds_what_is_planted(browser: Browser, site: LiveSite) -> None:
    """A check that never fails would prove nothing."""
    with screen(browser, site.url, "planted") as page:
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
        screen(browser, site.url, "planted") as page,
    ):
        page.goto("/accounts/login/")
        page.evaluate("console.error('planted')")
        page.goto(f"http://localhost:{site.port}/healthz")
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
