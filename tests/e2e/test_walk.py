"""The product in a browser, as an operator uses it, on a live site that the demo was played to.

No page may ask another host for anything nor have an error on its console. The README's pictures
are taken here: `PLATEWARDEN_SCREENSHOTS=1 ./run test tests/e2e/test_walk.py -k readme`.
"""

import io
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser import ARTIFACTS, WIDE, loaded, tab_to
from tests.e2e.site import ROOT, LiveSite, until
from tests.e2e.walking import NO_VIGNETTE_PLATE, PAGES, Walk, choose_shift, live, walking

MOST_BYTES = 250_000
README = ("overview", "case")


@pytest.fixture(scope="module")
def walk(site: LiveSite) -> Iterator[Walk]:
    with walking(site) as started:
        yield started


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


def test_pictures_for_the_readme(walk: Walk) -> None:
    with walk.person("operator", "readme", device_scale_factor=1.5) as page:
        choose_shift(page, "Live monitoring on shift")
        live(page)
        fifth = page.locator("[data-read]").nth(4).bounding_box()
        assert fifth is not None
        page.set_viewport_size(WIDE | {"height": round(fifth["y"] + fifth["height"])})
        in_view = page.locator("[data-feed] .plate-slot[hx-trigger]")
        page.wait_for_function("document.getElementById('hours-chart').width > 300")
        until("plates in view open", lambda: not any_in_view(in_view), 20)
        keep_picture(page, README[0])
    with walk.person("operator", "readme", device_scale_factor=1.0) as page:
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


# --- the operator ---------------------------------------------------------------------------------


def tile(page: Page, label: str) -> int:
    """A figure of the overview."""
    found = page.locator(".tile", has_text=label).locator(".tile-value")
    return int(found.inner_text())


def test_a_stranger_is_sent_to_the_log_in(walk: Walk) -> None:
    with walk.stranger("stranger") as page:
        for path in (*PAGES, "/audit/", "/admin/"):
            page.goto(path)
            assert page.url.startswith(f"{walk.site.url}/accounts/login/"), path
        page.goto("/cases/")
        page.get_by_label("User name").fill("operator")
        page.get_by_label("Password", exact=True).fill("not-this-one")
        page.get_by_role("button", name="Log in", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert "/accounts/login/" in page.url


def test_reads_and_alerts_appear_by_themselves(walk: Walk) -> None:
    """A camera posts while the pages are open: a row, its verdict, an alert, without reloading."""
    walk.report()
    with walk.person("operator", "live") as page:
        captures = tile(page, "Captures today")
        assert captures > 0
        assert tile(page, "Unpaid, overstay or too fast") > 0
        assert tile(page, "Cameras online") == 4
        alerts = page.context.new_page()
        alerts.goto("/alerts/")
        for one in (page, alerts):
            live(one)
            one.evaluate("window.neverLeft = true")

        read = walk.read_of(walk.post_scene())
        row = page.locator(f'[data-read="{read}"]')
        expect(row).to_be_visible()
        expect(row.locator(".row-what")).to_contain_text("Unpaid")
        expect(row.locator(".row-what")).to_contain_text("no right found")
        expect(row).to_contain_text("Plate, masked")
        assert NO_VIGNETTE_PLATE not in page.content()
        expect(
            page.locator(".tile", has_text="Captures today").locator(".tile-value")
        ).to_have_text(re.compile(rf"^({captures + 1}|{captures + 2})$"))

        capture = walk.post_stolen()
        expect(page.locator("#toasts")).to_contain_text("New watchlist alert")
        found = until(
            "the alert",
            lambda: walk.site.rows(
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


def test_a_plate_opens_for_a_purpose_and_the_look_is_recorded(walk: Walk) -> None:
    read = walk.read_of(walk.post_scene())
    with walk.person("operator", "purpose") as page:
        page.goto("/feed/")
        mark = walk.audit_end()
        row = page.locator(f'[data-read="{read}"]')
        row.get_by_role("button", name="Show the plate").click()
        dialog = page.get_by_role("dialog", name="Show the plate")
        dialog.get_by_role("button", name="Show the plate").click()
        expect(dialog).to_be_visible()  # not without a reason
        assert walk.looks(mark) == []
        dialog.get_by_label("Data subject request").check()
        dialog.get_by_label("Case or file reference").fill("DSR-17")
        dialog.get_by_role("button", name="Show the plate").click()
        expect(row.locator(".plate-text")).to_have_text(NO_VIGNETTE_PLATE)
        expect(dialog).to_be_hidden()
        seen = ("view", "subject-access", "DSR-17", "plates.plateread", read, 1, 1)
        assert walk.looks(mark) == [seen]


def test_with_a_purpose_for_the_shift_each_plate_leaves_one_row(walk: Walk) -> None:
    with walk.person("operator", "shift") as page:
        page.goto("/feed/")
        live(page)
        rows = page.locator("[data-read]")
        assert rows.count() > 5
        assert page.locator(".plate:not(.plate--masked)").count() == 0
        mark = walk.audit_end()
        choose_shift(page, "Handling a watchlist alert")
        live(page)
        for row in rows.all():
            row.scroll_into_view_if_needed()
        expect(page.locator(".plate-slot[hx-trigger]")).to_have_count(0)
        # compliant ones may be forgotten meanwhile: then there was nothing to see, nor to record
        shown = page.locator("[data-read]:has(.plate:not(.plate--masked))")
        ids = shown.evaluate_all("all => all.map((one) => one.dataset.read)")
        assert len(ids) > 5
        found = [look for look in walk.looks(mark) if look[4] in ids]
        assert sorted(look[4] for look in found) == sorted(ids)
        assert {look[:4] for look in found} == {("view", "alert-handling", "", "plates.plateread")}
        assert {look[5:] for look in found} == {(1, 1)}
        page.get_by_role("button", name="Mask again").click()
        expect(page.locator(".plate--masked")).to_have_count(rows.count())


# --- cases, alerts, cameras, search ---------------------------------------------------------------


def case_row(walk: Walk, number: str) -> tuple[Any, ...]:
    return walk.site.rows(
        "SELECT c.state, u.username, c.decision_reason, c.decision_note,"
        " c.decided_at > now() - interval '1 minute'"
        " FROM cases_case c LEFT JOIN core_user u ON u.id = c.decided_by_id WHERE c.number = %s",
        number,
    )[0]


def number_of(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text().removeprefix("Case ")


def test_a_case_is_looked_at_and_confirmed(walk: Walk) -> None:
    with walk.person("operator", "confirm") as page:
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Cases").click()
        page.locator("[data-cases] a").first.click()
        number = number_of(page)
        mark = walk.audit_end()
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
        seen = walk.looks(mark)
        assert {look[1:3] for look in seen} == {("case-review", number)}
        assert {look[0] for look in seen} == {"view", "picture"}

        page.get_by_role("button", name="Confirm the case").click()
        assert case_row(walk, number)[0] in ("candidate", "review")  # not without a reason
        page.get_by_label("Why it stands").select_option(value="plate-checked")
        page.locator("#confirm-note").fill("compared twice")
        page.get_by_role("button", name="Confirm the case").click()
        expect(page.get_by_text(f"Case {number} confirmed.")).to_be_visible()
        assert case_row(walk, number) == (
            "confirmed",
            "operator",
            "plate-checked",
            "compared twice",
            True,
        )


def test_a_case_is_dismissed_by_keyboard_alone(walk: Walk) -> None:
    with walk.person("operator", "keyboard") as page:
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
        page.keyboard.type("a doctor on call; once only")  # no shortcut while writing
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Case {number} dismissed.")).to_be_visible()
        assert case_row(walk, number) == (
            "dismissed",
            "operator",
            "goodwill",
            "a doctor on call; once only",
            True,
        )


def test_an_alert_is_acknowledged_with_a_note(walk: Walk) -> None:
    with walk.person("operator", "alert") as page:
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
        assert walk.site.rows(
            "SELECT u.username, a.acknowledge_note, a.acknowledged_at > now() - interval '1 minute'"
            " FROM watchlist_alert a JOIN core_user u ON u.id = a.acknowledged_by_id"
            " WHERE a.id = %s",
            alert,
        ) == [("operator", "told the patrol", True)]


def test_cameras_and_their_health(walk: Walk) -> None:
    walk.report()
    with walk.person("operator", "cameras") as page:
        page.goto("/cameras/")
        live(page)
        for name in ("Northbound", "Southbound", "Lane in", "Lane out"):
            card = page.get_by_role("article", name=name)
            expect(card).to_contain_text("Online")
            expect(card).to_contain_text("University" if "Lane" in name else "D1 gantry")
        with walk.site.database() as cursor:  # as after three silent minutes
            cursor.execute("UPDATE cameras_camera SET state = 'offline' WHERE slug = 'out'")
        page.reload()
        live(page)
        silent = page.get_by_role("article", name="Lane out")
        expect(silent).to_contain_text("Offline")
        walk.report(queue_depth=37)
        expect(silent).to_contain_text("Online")
        expect(silent.locator("dt:text('Waiting') + dd")).to_have_text("37")


def test_a_search_is_recorded_and_stands_in_no_address(walk: Walk) -> None:
    asked: list[str] = []
    with walk.person("operator", "search") as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/search/")
        mark = walk.audit_end()
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
        seen = walk.looks(mark)
        assert {look[1:3] for look in seen} == {("authority-request", "PCR-4711/26")}
        assert [look[0] for look in seen] == ["search"] + ["view"] * rows.count()
        assert seen[0][5] >= 1  # for which plate: by its token
        assert not [url for url in asked if NO_VIGNETTE_PLATE in url.upper()]


def test_logging_out_ends_it(walk: Walk) -> None:
    with walk.person("operator", "log-out") as page:
        page.get_by_role("button", name="Log out").click()
        page.goto("/cases/")
        assert page.url.startswith(f"{walk.site.url}/accounts/login/")
