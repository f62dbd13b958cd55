"""Texts of notices: every language says the same, and writes numbers and days as its people do."""

import re
import string
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.errors import BadInput
from enforcement.notices.languages import CODES, NO_BREAK, language
from enforcement.rights.charges import money
from enforcement.rights.explain import SENTENCES
from enforcement.rights.outcomes import RightKind

ROOT = Path(__file__).resolve().parents[3]
USERS = ("enforcement/notices", "dashboard/views")
BY_KIND = {
    "titles",
    "roles",
    "verdicts",
    "reasons",
    "kinds",
    "states",
    "channels",
    "page_states",
    "explanations",
    "units",
    "formats",
    "page",
}
"""Tables whose names are looked up by what they are of, not written in the code."""


def texts(code: str) -> Iterator[tuple[str, str]]:
    for table, found in language(code).texts.items():
        if isinstance(found, dict):
            yield from ((f"{table}.{name}", text) for name, text in found.items())


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_every_language_says_the_same_with_the_same_places(code: str) -> None:
    english, other = (
        {name: text for name, text in texts(one) if not name.startswith("explanations.")}
        for one in ("en", code)
    )
    assert set(other) == set(english)
    differing = {
        name
        for name in english
        if places(english[name]) != places(other[name]) and not name.startswith("formats.")
    }
    assert differing == set()


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_every_sentence_of_the_judge_is_translated_with_its_numbers(code: str) -> None:
    """English needs no table: the judge's own sentences are it."""
    translated = language(code).texts["explanations"]
    assert {name: places(text) for name, text in translated.items()} == {
        name: places(text) for name, text in SENTENCES.items()
    }


def test_every_text_is_used() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder in USERS
        for path in (ROOT / folder).rglob("*.py")
    )
    page = (ROOT / "templates/dashboard/notice_page.html").read_text(encoding="utf-8")
    unused = [
        name
        for name, _ in texts("en")
        if name not in source
        and name.split(".")[0] not in BY_KIND
        and not (name.startswith("pack.") and f'"{name.removeprefix("pack.")}"' in source)
        and not (name.startswith("money.") and f'"{name.removeprefix("money.")}"' in source)
    ]
    unused += [
        name
        for name, _ in texts("en")
        if name.startswith("page.")
        and name not in source
        and f"t.{name.removeprefix('page.')} " not in page
    ]
    assert unused == []


def test_kinds_of_rights_have_a_word() -> None:
    assert {kind.value for kind in RightKind} <= set(language("en").texts["kinds"])


@pytest.mark.parametrize(
    ("code", "minor", "currency", "written"),
    [
        ("en", 7_000, "GBP", "£70.00"),
        ("en", 150_000, "CZK", "CZK 1,500.00"),
        ("cs", 150_000, "CZK", "1 500,00 Kč"),
        ("cs", 0, "CZK", "0,00 Kč"),
        ("de", 123_456_789, "EUR", "1.234.567,89 €"),
        ("de", 5, "EUR", "0,05 €"),
        ("en", 500, "JPY", "JPY 500"),
    ],
)
def test_amounts(code: str, minor: int, currency: str, written: str) -> None:
    assert language(code).money(minor, currency).replace(NO_BREAK, " ") == written


@pytest.mark.parametrize(
    ("code", "written"), [("en", "2 March 2026"), ("cs", "2. března 2026"), ("de", "2. März 2026")]
)
def test_days(code: str, written: str) -> None:
    assert language(code).day(date(2026, 3, 2)).replace(NO_BREAK, " ") == written


def test_an_instant_names_its_zone_on_both_sides_of_the_change_to_winter_time() -> None:
    """The same clock time twice in one night must be told apart."""
    czech, prague = language("cs"), ZoneInfo("Europe/Prague")
    before = czech.moment(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), prague)
    after = czech.moment(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), prague)
    assert (before, after) == ("25. října 2026 02:30:00 CEST", "25. října 2026 02:30:00 CET")


@pytest.mark.parametrize(
    ("minutes", "written"),
    [
        (0, "0 min"),
        (59, "59 min"),
        (60, "1 h 0 min"),
        (1439, "23 h 59 min"),
        (1440, "1 d 0 h 0 min"),
    ],
)
def test_durations(minutes: int, written: str) -> None:
    assert language("en").duration(minutes).replace(NO_BREAK, " ") == written


def test_the_numbers_of_a_sentence_survive_translation() -> None:
    line: dict[str, Any] = {
        "code": "overstayed",
        "sentence": SENTENCES["overstayed"].format(unpaid=47, allowed=15),
    }
    assert (
        language("de").explained(line) == "47 Min. unbezahlt, über die Toleranz von 15 Min. hinaus."
    )
    assert language("en").explained(line) == line["sentence"]


def test_an_amount_in_a_sentence_is_written_as_the_language_does() -> None:
    line = {"code": "owed", "sentence": SENTENCES["owed"].format(amount=money(1250, "EUR"))}
    shown = language("de").explained(line).replace(NO_BREAK, " ")
    assert shown == "Die Zeit ohne Recht kostet nach dem Tarif 12,50 €."


def test_a_line_nobody_translated_keeps_its_words() -> None:
    line = {"code": "brand-new", "sentence": "Something new was looked at."}
    assert language("cs").explained(line) == "Something new was looked at."
    changed = {"code": "overstayed", "sentence": "Worded otherwise by an older version."}
    assert language("cs").explained(changed) == "Worded otherwise by an older version."


def test_a_language_without_texts_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        language("../en")
    assert (refused.value.code, refused.value.field) == ("language_unknown", "language")


def test_no_text_is_markup() -> None:
    """A notice is plain words: nothing that a page or typst would take for more."""
    assert not [
        name for code in CODES for name, text in texts(code) if re.search(r"[<>#*_$]", text)
    ]
