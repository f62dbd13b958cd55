"""The document: tagged, the same to the byte, and nothing in it read as markup."""

import hashlib
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from enforcement.notices.document import (
    Document,
    document_make,
    documents_join,
    picture_fit,
    printable,
)

AT = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
LINK = "https://parking.example/notice/2026-000123/c2VjcmV0/"


def photo(size: tuple[int, int] = (640, 360), **options: Any) -> bytes:
    width, height = size
    shades = np.linspace(0, 255, width * height * 3).astype(np.uint8).reshape(height, width, 3)
    held = io.BytesIO()
    Image.fromarray(shades).save(held, "JPEG", **options)
    return held.getvalue()


def words(**changed: Any) -> dict[str, Any]:
    """The data of a notice, in words that say where they stand."""
    shown = {
        "role": "Entry",
        "camera": "Lane in",
        "time": "2 March 2026, 09:00:12 GMT",
        "picture": "p0",
        "picture_alt": "Entry: the vehicle",
        "width": 78.0,
        "crop": "c0",
        "crop_alt": "Entry: the plate",
        "crop_width": 20.0,
        "note": "",
    }
    labels = (
        "to number issued page vehicle happened to_pay overleaf pictures missing why looked pay "
        "link qr appeal digest"
    )
    return {
        "lang": "en",
        "draft": "",
        "title": "Parking charge notice",
        "number": "2026-000123",
        "issuer": ["City of Northam", "1 Market Square"],
        "address": ["Jana Nováková", "Dlouhá 12"],
        "issued": "5 March 2026",
        "plate": "AB12CDE",
        "t": {name: f"label {name}" for name in labels.split()},
        "verdict": "The vehicle stayed longer.",
        "facts": [["Place", "Civic Centre"]],
        "presence": "A camera measures presence.",
        "money": [["Reduced", "£35.00", True], ["Full", "£70.00", False]],
        "table": [["When", "Amount"], ["Early", "£35.00"], ["Later", "£70.00"]],
        "sightings": [shown, shown | {"role": "Exit", "picture": "", "crop": ""}],
        "confirmed": "A person looked.",
        "explanation": ["Payment: it had ended."],
        "rules": "Judged by judge/1.",
        "pay": ["By transfer."],
        "reference": "Give the number.",
        "link": LINK,
        "appeal_by": "Until 2 April.",
        "appeal": ["Write to us."],
        "privacy": "Kept for this case.",
        "digests": [["Entry", "00" * 32]],
    } | changed


def made(**changed: Any) -> Document:
    pictures = {"p0": photo(), "c0": photo((120, 40))}
    return document_make("notice", words(**changed), pictures, at=AT, link=LINK)


def read(document: Document) -> PdfReader:
    return PdfReader(io.BytesIO(document.pdf))


def text_of(document: Document) -> str:
    return "\n".join(page.extract_text() for page in read(document).pages)


def tags(node: Any, found: list[str] | None = None) -> list[str]:
    """The structure of a document: the kinds of its elements, in reading order."""
    found = [] if found is None else found
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        for one in node:
            tags(one, found)
    elif isinstance(node, dict):
        if "/S" in node:
            found.append(str(node["/S"]))
        if "/K" in node:
            tags(node["/K"], found)
    return found


def test_it_is_tagged_and_says_its_language_title_and_standard() -> None:
    reader = read(made())
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == "Parking charge notice"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    structure = tags(root["/StructTreeRoot"])
    assert {"/H1", "/H2", "/H3", "/Figure", "/P", "/L", "/Table", "/TH", "/Link"} <= set(structure)
    assert structure.index("/H1") < structure.index("/H2") < structure.index("/Figure")
    xmp = root["/Metadata"].get_object().get_data().decode()
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert "<pdfaid:part>2</pdfaid:part>" in xmp


def test_every_picture_says_what_it_shows() -> None:
    found: list[str] = []

    def walk(node: Any) -> None:
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, list):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            if node.get("/S") == "/Figure":
                found.append(str(node.get("/Alt", "")))
            if "/K" in node:
                walk(node["/K"])

    walk(read(made()).trailer["/Root"]["/StructTreeRoot"])
    assert found == ["Entry: the vehicle", "Entry: the plate", "label qr"]


def test_two_pages_the_second_says_what_to_do() -> None:
    document = made()
    first, second = (page.extract_text() for page in read(document).pages)
    assert document.pages == 2
    for shown in ("AB12CDE", "2026-000123", "Jana Nováková", "£35.00", "it had ended"):
        assert shown in first
    for shown in (LINK, "By transfer.", "Until 2 April.", "£70.00", "Write to us."):
        assert shown in second


def test_the_same_data_makes_the_same_bytes_in_another_process() -> None:
    mine = hashlib.sha256(made().pdf).hexdigest()
    code = (
        "import django, hashlib; django.setup()\n"
        "from tests.unit.notices.test_document import made\n"
        "print(hashlib.sha256(made().pdf).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert mine == other


def test_the_time_of_creation_is_that_of_issue() -> None:
    metadata = read(made()).metadata
    assert metadata is not None
    assert metadata.creation_date == AT


def test_a_time_of_the_clock_is_taken_to_the_second() -> None:
    """As a clock tells it: with a fraction of a second, and in any zone."""
    pictures = {"p0": photo(), "c0": photo((120, 40))}
    for at in (AT.replace(microsecond=873_726), AT.astimezone(ZoneInfo("Europe/Prague"))):
        document = document_make("notice", words(), pictures, at=at, link=LINK)
        assert document.pdf == made().pdf
        assert documents_join([document], at=at) == documents_join([document], at=AT)


INJECTIONS = (
    '#import "secret.typ"',
    "#sys.inputs",
    "*bold* _it_ $x^2$ `raw`",
    "</script><b>",
    'quote " and \\ backslash',
    "= no heading",
    "@cite <label>",
    "{{ django }} {% now %}",
    "https://example.org/x",
    "A -- B --- C ... ~",
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_is_read_as_markup(text: str) -> None:
    document = made(
        address=[text, "Street 1"], title=text, plate=text, pay=[text], facts=[[text, text]]
    )
    flat = text_of(document).replace("\n", " ")
    assert flat.count(text) >= 3


def test_czech_german_and_cyrillic_are_printed() -> None:
    for text in ("Příliš žluťoučký kůň úpěl ďábelské ódy", "Größe übermäßig", "М123АВ 77 Київ"):
        assert text in text_of(made(address=[text, "x"]))


def test_a_plate_no_font_has_is_written_by_its_code_points() -> None:
    """None of it may be left out unseen, and none of it may stop the notice."""
    document = made(plate="京A12345", address=["北京", "x"])
    assert "[U+4EAC]A12345" in text_of(document).replace("\n", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AB12CDE", "AB12CDE"),
        ("ČŘŽ", "ČŘŽ"),
        ("C\N{COMBINING CARON}", "Č"),
        ("a\x00b\tc\nd", "a b c d"),
        ("\ufeffAB\u202e12\u200b", "AB12"),
        ("\ud800x", "x"),
        ("🚗", "[U+1F697]"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_each_of_many_strange_characters_is_known_for_what_it_is() -> None:
    """Fonts are asked for all at once: a long letter must not take long."""
    strange = "".join(chr(code) for code in range(0x4E00, 0x4F00)) + "\ue000\U0001f697"
    shown = printable(f"Č{strange}я")
    assert shown == "Č" + "".join(f"[U+{ord(one):04X}]" for one in strange) + "я"
    assert printable(shown) == shown


def test_a_draft_says_so_on_every_page() -> None:
    document = made(draft="Draft – not issued")
    assert all("Draft – not issued" in page.extract_text() for page in read(document).pages)
    assert "Draft" not in text_of(made())


def test_a_picture_is_shown_upright_small_and_without_what_the_camera_noted() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "a camera's maker"
    fitted = picture_fit(photo((2400, 1200), exif=exif.tobytes()))
    assert fitted is not None
    assert (fitted.width, fitted.height) == (500, 1000)
    assert b"a camera's maker" not in fitted.data
    with Image.open(io.BytesIO(fitted.data)) as opened:
        assert not opened.getexif()


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8 a picture of the vehicle", b"%PDF-1.7", b"\0" * 999]
)
def test_what_is_no_picture_is_left_out(data: bytes) -> None:
    assert picture_fit(data) is None


def test_a_picture_that_breaks_off_is_left_out() -> None:
    assert picture_fit(photo()[:2000]) is None


def test_broken_notes_of_a_camera_do_not_cost_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    # the resolution is given out as the width, which is no fraction
    broken = exif.tobytes().replace(b"\x01\x1a\x00\x05", b"\x01\x00\x00\x05")
    assert broken != exif.tobytes()
    fitted = picture_fit(photo((200, 100), exif=broken))
    assert fitted is not None
    assert (fitted.width, fitted.height) == (200, 100)  # unturned, but there


def test_a_png_with_transparency_is_a_picture_too() -> None:
    held = io.BytesIO()
    Image.new("RGBA", (40, 20), (10, 20, 30, 128)).save(held, "PNG")
    fitted = picture_fit(held.getvalue())
    assert fitted is not None
    assert (fitted.width, fitted.height) == (40, 20)


def test_letters_for_the_printer_each_begin_on_a_front() -> None:
    one = made()
    odd = document_make(
        "notice", words(address=["Second"], link=""), {"p0": photo(), "c0": photo()}, at=AT
    )
    letters = [one, Document(odd.pdf, 1), one]
    joined = documents_join(letters, at=AT)
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(joined)).pages]
    assert len(pages) == 6  # 2, then 1 and an empty back, then 2… the last begins on a front
    assert "Jana Nováková" in pages[0]
    assert "Second" in pages[2]
    assert pages[3].strip() == ""
    assert "Jana Nováková" in pages[4]
    assert joined == documents_join(letters, at=AT)


def test_data_is_json_so_that_it_can_be_kept() -> None:
    assert json.loads(json.dumps(words())) == words()
