"""The device's own page in a browser: everybody can use it, it works, and it asks nobody else."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from edge.health import Health
from edge.items import Frame, Item, Mark
from edge.page import LocalPage, hash_password
from edge.settings import Settings
from tests.e2e.browser import (
    NARROW,
    chromium,
    looked_over,
    screen,
    skip_link_works,
    tab_to,
    tabbed_through,
)

PASSWORD = "a long enough word"
PLATE = "7U15392"
# In the middle of the canvas: how many pixels are of the marks' yellow, and the mean of all
LOOK = """() => {
  const canvas = document.getElementById('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let yellow = 0, sum = 0;
  for (let i = 0; i < data.length; i += 4) {
    sum += data[i];
    if (data[i] > 235 && data[i + 1] > 190 && data[i + 1] < 225 && data[i + 2] < 120) yellow += 1;
  }
  return { yellow, mean: sum / (data.length / 4) };
}"""


def scene() -> Any:
    picture = np.full((720, 1280, 3), 110, np.uint8)
    cv2.rectangle(picture, (560, 400), (720, 440), (255, 255, 255), -1)
    cv2.putText(picture, PLATE, (565, 430), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 3)
    return picture


class Device:
    """A page with a camera that gives 25 pictures a second until it is told to stop."""

    def __init__(self, folder: Path) -> None:
        self.health = Health()
        self.settings = Settings(region_of_interest=((0.1, 0.3), (0.9, 0.3), (0.5, 0.95)))
        self.page = LocalPage(
            hash_password(PASSWORD),
            settings=lambda: self.settings,
            health=self.health,
            camera="Gantry 3, northbound",
            folder=folder,
            port=0,
        )
        assert self.page.start()
        self.url = f"http://127.0.0.1:{self.page.port}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        picture, number, began = scene(), 0, time.monotonic()
        mark = Mark(((560.0, 400.0), (720.0, 400.0), (720.0, 440.0), (560.0, 440.0)), PLATE, 0.9)
        while not self._stop.wait(0.04):
            number += 1
            self.page.frame(Frame(number, picture, began + number / 25, datetime.now(UTC)), (mark,))

    def read(self, text: str, how: Any = None) -> None:
        _, crop = cv2.imencode(".jpg", scene()[395:445, 550:730])
        fields = {"read": {"text": text, "score": 0.91, "country": "CZ"}}
        self.page.read(Item("read", datetime.now(UTC), fields, crop=crop.tobytes()), how)

    def watchers(self) -> int:
        return int(self.page.state()["stream"]["watchers"])

    def still(self) -> None:
        """The camera gives no more pictures."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        self.still()
        self.page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    found = Device(tmp_path)
    yield found
    found.close()


@contextmanager
def inside(browser: Browser, device: Device, name: str, **options: Any) -> Iterator[Page]:
    """The page behind its log-in, with a live picture."""
    with screen(browser, device.url, name, **options) as page:
        page.goto("/")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#live[data-state=on]")).to_have_text("Live")
        yield page


def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens in the agent, where the page shows nothing of it."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def test_the_log_in_is_for_everybody(browser: Browser, device: Device) -> None:
    with screen(browser, device.url, "edge-login", refused=(403,)) as page:
        page.goto("/")
        assert looked_over(page) == []
        assert tabbed_through(page) == []
        page.get_by_label("Password").fill("a wrong one")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("That is not the password.")
        assert looked_over(page) == []


def test_the_page_is_for_everybody(browser: Browser, device: Device) -> None:
    device.read("1AB2345")
    device.read(PLATE, "exact")
    device.read("IAB234S", "possible")
    device.page.read(Item("frame", datetime.now(UTC), picture=b"\xff\xd8"))
    device.health.trouble("source", "No picture for 20 s, trying again in 8 s.")
    device.health.note("frames_per_second", 25.0)
    device.health.note("mode", "read")
    with inside(browser, device, "edge-page") as page:
        expect(page.locator("#reads li")).to_have_count(4)
        assert looked_over(page) == []
        page.get_by_text("All figures").click()
        page.get_by_role("button", name="Keyboard").click()
        expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
        assert looked_over(page) == []
        page.keyboard.press("Escape")
        assert tabbed_through(page) == []
    with inside(browser, device, "edge-skip") as page:
        assert skip_link_works(page) == []


def test_the_picture_is_drawn_with_its_plates(browser: Browser, device: Device) -> None:
    with inside(browser, device, "edge-picture") as page:
        seen = page.evaluate(LOOK)
        assert seen["mean"] > 80
        assert seen["yellow"] > 200
        expect(page.locator("#caption")).to_contain_text("pictures/s")
        page.keyboard.press("m")
        expect(page.get_by_role("button", name="Plates")).to_have_attribute("aria-pressed", "false")
        seen = page.evaluate(LOOK)
        assert seen["mean"] > 80
        assert seen["yellow"] == 0


def test_a_pause_stops_the_device_from_sending(browser: Browser, device: Device) -> None:
    with inside(browser, device, "edge-pause") as page:
        until(lambda: device.watchers() == 1)
        pause = page.get_by_role("button", name="Pause")
        tab_to(page, pause)
        page.keyboard.press("Space")
        expect(page.locator("#live")).to_have_text("Paused")
        until(lambda: device.watchers() == 0)
        page.keyboard.press("p")
        expect(page.locator("#live")).to_have_text("Live")
        until(lambda: device.watchers() == 1)


def test_keys_can_be_switched_off(browser: Browser, device: Device) -> None:
    with inside(browser, device, "edge-keys") as page:
        page.keyboard.press("?")
        page.get_by_label("Use these keys").uncheck()
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("m")
        expect(page.get_by_role("button", name="Plates")).to_have_attribute("aria-pressed", "true")


def test_reads_hits_and_troubles_appear_as_they_happen(browser: Browser, device: Device) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    with inside(browser, device, "edge-reads") as page:
        page.on("request", note)
        expect(page.get_by_text("No vehicle has been read yet.")).to_be_visible()
        device.read(PLATE)
        expect(page.locator("#reads li").first).to_contain_text(PLATE)
        expect(page.get_by_text("No vehicle has been read yet.")).to_be_hidden()
        device.read("1AB2345", "exact")
        newest = page.locator("#reads li").first
        expect(newest).to_contain_text("on a watchlist")
        expect(page.locator("#announce")).to_have_text("1AB2345 stands on a watchlist")
        until(lambda: bool(page.locator("#reads img").first.evaluate("one => one.naturalWidth")))
        device.health.trouble("sender", "The server does not answer.")
        expect(page.get_by_role("status")).to_have_text("Sending: The server does not answer.")
        device.health.trouble("sender", None)
        expect(page.get_by_role("status")).to_be_empty()
    assert any("/reads/" in url for url in asked)
    assert not [url for url in asked if PLATE in url or "1AB2345" in url]


def test_a_still_camera_is_told(browser: Browser, device: Device) -> None:
    with inside(browser, device, "edge-still") as page:
        device.still()
        expect(page.locator("#live")).to_have_text("No new picture")
        assert page.evaluate(LOOK)["mean"] > 80  # the last one stays


def test_the_page_outlives_the_agent_and_leads_back_to_the_log_in(
    browser: Browser, device: Device, tmp_path: Path
) -> None:
    host = browser.new_context(base_url=device.url, viewport=NARROW)
    page = host.new_page()
    page.goto("/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#live")).to_have_text("Live")
    device.page.close()
    expect(page.locator("#live")).to_have_text("The agent does not answer")
    again = LocalPage(
        hash_password(PASSWORD),
        settings=Settings,
        health=Health(),
        camera="Gantry 3, northbound",
        folder=tmp_path,
        port=device.page.port,
    )
    assert again.start()
    try:
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
    finally:
        host.close()
        again.close()
