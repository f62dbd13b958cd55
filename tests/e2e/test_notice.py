"""A case in the browser, from what the cameras read to the notice on paper, and the addressee's
page of it.

On the same site as `test_walk.py`.
"""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader

from tests.e2e.browser import looked_over, tabbed_through
from tests.e2e.site import LiveSite, until
from tests.e2e.walking import Walk, walking

POSTAL = "Jana Nováková\nDlouhá 12\n110 00 Praha 1"
KEPT = os.environ.get("PLATEWARDEN_NOTICES")
"""A folder to keep what was issued and seen in, to be looked at."""


@pytest.fixture(scope="module")
def walk(site: LiveSite) -> Iterator[Walk]:
    with walking(site) as started:
        yield started


def pdf_of(page: Page, button: Locator, name: str) -> PdfReader:
    """What a button that opens a PDF brings, fetched as the browser would, by this person."""
    form = button.locator("xpath=ancestor::form")
    action = button.get_attribute("formaction") or form.get_attribute("action")
    fields = form.evaluate("one => Object.fromEntries(new FormData(one))")
    assert action is not None
    answer = page.request.post(action, form=fields, headers={"Referer": page.url})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    body = answer.body()
    keep(f"{name}.pdf", body)
    return PdfReader(io.BytesIO(body))


def keep(name: str, data: bytes) -> None:
    if KEPT:
        Path(KEPT, name).write_bytes(data)


def seen(page: Page, name: str) -> None:
    if KEPT:
        keep(f"{name}.png", page.screenshot(full_page=True))


def flat(reader: PdfReader) -> str:
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))


def test_a_case_is_taken_from_read_to_issued_notice(walk: Walk) -> None:
    with walk.person("operator", "notice") as page:
        # what was read at the gate: a stay that nobody paid for
        page.goto("/cases/")
        stay = page.locator("[data-cases] li", has_text="University").filter(has_text="Unpaid")
        stay.first.get_by_role("link").first.click()
        number = page.get_by_role("heading", level=1).inner_text().removeprefix("Case ")
        case_id = urlsplit(page.url).path.split("/")[2]
        page.get_by_role("button", name="Open for review").click()
        plate = page.locator(".plate--large .plate-text").inner_text()

        draft = pdf_of(page, page.get_by_role("button", name="Look at the draft"), "draft")
        assert "Draft – not issued" in flat(draft)
        assert page.get_by_role("button", name="Issue the notice").count() == 0

        page.get_by_label("Why it stands").select_option(value="plate-checked")
        page.get_by_role("button", name="Confirm the case").click()
        expect(page.get_by_text(f"Case {number} confirmed.")).to_be_visible()
        page.goto(f"/cases/{case_id}/")
        assert looked_over(page) == []
        assert tabbed_through(page) == []
        seen(page, "case-confirmed")

        page.get_by_label("Language").first.select_option(label="Czech")
        page.get_by_label("How it goes out").select_option(label="Print and post")
        page.get_by_label("Address").fill(POSTAL)
        page.get_by_role("button", name="Issue the notice").click()
        expect(page.get_by_text(f"Notice {number} issued.")).to_be_visible()
        mark = walk.audit_end()
        notice = pdf_of(page, page.get_by_role("button", name="Open the notice (PDF)"), "notice")
        (look,) = walk.looks(mark)
        assert look[1:4] == ("case-review", number, "notices.notice")
        seen(page, "case-issued")
        assert looked_over(page) == []

        text = flat(notice)
        for part in (number, plate, "Jana Nováková", "University car park", "1 500,00 Kč"):
            assert part in text, part
        pictures = [image.image for sheet in notice.pages for image in sheet.images]
        assert len(pictures) >= 4  # entry and exit, each with its plate
        assert max(image.width for image in pictures if image) >= 800

        state = walk.site.rows(
            "SELECT c.state, d.state FROM cases_case c JOIN notices_notice n ON n.case_id = c.id"
            " JOIN notices_noticedelivery d ON d.notice_id = n.id WHERE c.number = %s",
            number,
        )
        assert state == [("notice-issued", "queued")]
        evidence = pdf_of(page, page.get_by_role("button", name="Open the evidence"), "evidence")
        assert plate in flat(evidence)

        page.get_by_role("link", name="Letters").click()
        expect(page.get_by_text("1 letter")).to_be_visible()
        seen(page, "letters")
        assert looked_over(page) == []
        page.get_by_role("button", name=re.compile("^Take them to print")).click()
        expect(page.get_by_text("No letter waits.")).to_be_visible()
        letters = pdf_of(page, page.get_by_role("button", name=re.compile("^PDF")), "letters")
        assert flat(letters) == text
    the_addressee_appeals(walk, text, number, plate)


def the_addressee_appeals(walk: Walk, text: str, number: str, plate: str) -> None:
    """By the address that is printed on the notice; nobody logs in."""
    found = re.search(rf"/notice/{number}/[\w-]+/", text)
    assert found is not None
    with walk.stranger("addressee") as page:
        page.goto(found[0])
        expect(page.get_by_role("heading", name=f"Oznámení {number}")).to_be_visible()
        assert plate not in page.content()
        assert looked_over(page) == []
        assert tabbed_through(page) == []
        seen(page, "addressee")
        opened = pdf_of(page, page.get_by_role("button", name="Otevřít oznámení"), "addressee")
        assert plate in flat(opened)
        page.get_by_label("Co mluví proti oznámení").fill("Parkovací automat byl mimo provoz.")
        page.get_by_role("button", name="Odeslat námitku").click()
        expect(page.get_by_text("Námitka byla přijata")).to_be_visible()
        assert page.get_by_role("button", name="Odeslat námitku").count() == 0
    rows = until(
        "the case is appealed",
        lambda: walk.site.rows("SELECT state FROM cases_case WHERE number = %s", number),
        10,
    )
    assert rows == [("appealed",)]
