"""What the browser walk does besides looking: plays the demo, posts as cameras, reads the log."""

import argparse
import functools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from demo import play
from demo.client import Device
from demo.programme import PICTURES
from tests.e2e.browser import chromium, log_in, screen
from tests.e2e.site import LiveSite, until

NO_VIGNETTE = PICTURES / "08-no-vignette.jpg"
NO_VIGNETTE_PLATE = "7U15392"
STOLEN_PLATE = "1AB8015"  # on the demo's list; no shipped scene shows it
PAGES = ("/", "/feed/", "/cases/", "/alerts/", "/search/", "/cameras/")


@functools.cache
def played(site: LiveSite) -> dict[str, Any]:
    """Play the demo to a site, once; its keys and log-ins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play, "set_up", lambda **_: site.demo())
        told = argparse.Namespace(url=site.url, real=False, images=None, video=None)
        results, made = play.play(told)
    assert all(one.accounted() for one in results)
    return made


@dataclass(frozen=True)
class Walk:
    """A browser, the site it walks on, and the demo's keys and log-ins."""

    browser: Browser
    site: LiveSite
    made: dict[str, Any]

    @contextmanager
    def stranger(self, name: str, **options: Any) -> Iterator[Page]:
        """A screen where nobody is logged in; see `tests.e2e.browser.screen`."""
        with screen(self.browser, self.site.url, name, **options) as page:
            yield page

    @contextmanager
    def person(self, who: str, name: str, **options: Any) -> Iterator[Page]:
        """A screen where `who` has logged in."""
        with self.stranger(name, **options) as page:
            log_in(page, who, self.made["logins"][who])
            yield page

    def post_scene(self) -> str:
        """A camera sends a frame of a car without a vignette; the capture's id."""
        sent = Device(self.site.url, self.made["cameras"]["gantry-north"]).send(
            NO_VIGNETTE,
            NO_VIGNETTE.read_bytes(),
            captured_at=datetime.now(UTC),
            event_id=uuid.uuid4().hex,
        )
        return str(sent["id"])

    def post_stolen(self) -> str:
        """A camera that reads by itself sends a read of a listed plate; the capture's id."""
        answer = requests.post(
            f"{self.site.url}/api/v1/captures",
            json={
                "kind": "read",
                "captured_at": datetime.now(UTC).isoformat(),
                "event_id": uuid.uuid4().hex,
                "read": {"text": STOLEN_PLATE, "score": 0.98, "country": "CZ"},
            },
            headers={"Authorization": f"Bearer {self.made['cameras']['gantry-north']}"},
            timeout=30,
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def report(self, queue_depth: int = 0) -> None:
        """Every camera says that it is there, and how many pictures wait to be sent."""
        now = datetime.now(UTC).isoformat()
        for key in self.made["cameras"].values():
            answer = requests.post(
                f"{self.site.url}/api/v1/heartbeats",
                json={"sent_at": now, "queue_depth": queue_depth},
                headers={"Authorization": f"Bearer {key}"},
                timeout=30,
            )
            assert answer.status_code in (200, 202), answer.text

    def read_of(self, capture_id: str) -> str:
        """The id of the read that a capture became."""
        sql = "SELECT id FROM plates_plateread WHERE capture_id = %s"
        rows = until("the capture is read", lambda: self.site.rows(sql, capture_id), 30)
        return str(rows[0][0])

    def audit_end(self) -> int:
        """The last row of the audit log."""
        return int(self.site.rows("SELECT coalesce(max(id), 0) FROM audit_auditrow")[0][0])

    def looks(self, after: int, who: str = "operator") -> list[tuple[Any, ...]]:
        """What a person's looks left in the audit log since its row `after`."""
        return self.site.rows(
            "SELECT action, purpose, case_ref, subject, subject_id, cardinality(tokens), count"
            " FROM audit_auditrow"
            " WHERE id > %s AND actor_kind = 'person' AND actor = %s ORDER BY id",
            after,
            who,
        )


@contextmanager
def walking(site: LiveSite) -> Iterator[Walk]:
    """A browser on a site that the demo was played to; skips where there is no Chromium."""
    with chromium() as browser:
        yield Walk(browser, site, played(site))


def live(page: Page) -> None:
    """Wait until the page hears of what happens."""
    expect(page.locator("#live-state")).to_have_text("Live")


def choose_shift(page: Page, purpose: str) -> None:
    """State a purpose for the shift in the bar of the page."""
    bar = page.get_by_role("region", name="Purpose")
    bar.get_by_label("Purpose").select_option(label=purpose)
    bar.get_by_role("button", name="Open for 8 hours").click()
    expect(bar.get_by_role("button", name="Mask again")).to_be_visible()
