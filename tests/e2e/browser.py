"""Chromium for the walk: pages that note what they must not do, and how they are looked over."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.e2e.site import ROOT

ARTIFACTS = ROOT / "tests" / "artifacts"
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}
PATIENCE_MS = 20_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]
AXE = Axe()
EVERY_RULE: dict[str, Any] = {"resultTypes": ["violations"]}
WCAG_AA = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
REFUSED = re.compile(r"Failed to load resource: .* status of (\d{3})")

# What Tab must reach: of a group of radio buttons one, of a closed part nothing.
REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
  .filter((one) => !one.disabled && !one.closest('dialog:not([open])')
    && one.checkVisibility({ visibilityProperty: true })
    && (one.type !== 'radio' || one === one.form.elements[one.name][0]))"""
# From here on, note every element that gets the focus, and those that do not show it.
WATCH_FOCUS = """() => {
  window.walked = new Set();
  window.unmarked = [];
  document.addEventListener('focusin', ({ target }) => {
    window.walked.add(target);
    const style = getComputedStyle(target);
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    if (!outlined) window.unmarked.push(target.outerHTML.slice(0, 120));
  });
}"""
NOT_WALKED = f"""() => ({REACHABLE})()
  .filter((one) => !window.walked.has(one)).map((one) => one.outerHTML.slice(0, 120))"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; the test is skipped where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no `chromium` on PATH: install Debian's package to run the browser walk")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def screen(
    browser: Browser, url: str, name: str, *, refused: tuple[int, ...] = (), **options: Any
) -> Iterator[Page]:
    """A page of a browser of its own, at `url`.

    At its end it fails if any page of it asked another host for anything or had an error on its
    console; `refused` names the HTTP statuses that the test provokes. What fails leaves its
    pictures in `tests/artifacts/`.
    """
    faults: list[str] = []
    host = urlsplit(url).netloc

    def console(message: Any) -> None:
        status = REFUSED.match(message.text)
        if message.type == "error" and not (status and int(status[1]) in refused):
            faults.append(f"console: {message.text}")

    def request(one: Any) -> None:
        if urlsplit(one.url).netloc not in ("", host):
            faults.append(f"another host: {one.url}")

    settings = {"viewport": WIDE, "reduced_motion": "reduce", "color_scheme": "light"} | options
    context = browser.new_context(base_url=url, **settings)
    context.set_default_timeout(PATIENCE_MS)
    context.on("request", request)
    context.on("console", console)
    context.on("weberror", lambda error: faults.append(f"script: {error.error}"))
    page = context.new_page()
    try:
        yield page
        assert faults == [], faults
    except BaseException:
        ARTIFACTS.mkdir(exist_ok=True)
        for number, one in enumerate(context.pages):
            one.screenshot(path=ARTIFACTS / f"{name}-{number}.png", full_page=True)
        raise
    finally:
        context.close()


def log_in(page: Page, name: str, password: str) -> None:
    """Through the log-in page, as a person does."""
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(lambda address: "/accounts/login/" not in address)


def loaded(images: Locator) -> bool:
    """Whether every picture of `images` (there is one at least) was really drawn."""
    return bool(
        images.count()
        and images.evaluate_all("all => all.every((one) => one.complete && one.naturalWidth > 0)")
    )


def looked_over(page: Page, rules: dict[str, Any] = EVERY_RULE) -> list[str]:
    """Faults of the page as it stands, in light and dark, wide and narrow: what axe reports, and
    whether it scrolls sideways."""
    faults = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            where = f"{theme}, {size['width']} px"
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > size["width"]:
                faults.append(f"{where}: {width} px wide")
            faults += [
                f"{where}: {found['id']} at {node['target']}: {node['failureSummary']}"
                for found in AXE.run(page, options=rules).response["violations"]
                for node in found["nodes"]
            ]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    return faults


def tabbed_through(page: Page) -> list[str]:
    """Faults of the page under the Tab key: what it doesn't reach, and where no focus is seen."""
    page.evaluate(WATCH_FOCUS)
    stops = page.evaluate(f"({REACHABLE})().length")
    inner = 4 * page.locator("input[type=date]").count()  # day, month, year and the calendar
    for _ in range(stops + inner + 2):
        page.keyboard.press("Tab")
    return [f"not reached: {one}" for one in page.evaluate(NOT_WALKED)] + [
        f"focus not seen: {one}" for one in page.evaluate("window.unmarked")
    ]


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus."""
    for _ in range(100):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("Tab does not reach it")


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
