"""Canonical plates and OCR classes: the foundation nobody may disagree about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.platetext import (
    CLASSES,
    MOST_ALIKE,
    PlateTextError,
    alike,
    canonical,
    ocr_class,
)


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        pytest.param("ab12 cde", "AB12CDE", id="lower case and spaces do not make another vehicle"),
        pytest.param("1A2-34.56", "1A23456", id="hyphens and dots do not make another vehicle"),
        pytest.param("W–12345—A−1", "W12345A1", id="any dash is a hyphen"),
        pytest.param("\u00a0AB\u202f12\tCDE\n", "AB12CDE", id="any white space is a space"),
        pytest.param("ＡＢ１２", "AB12", id="full-width typing is the same plate"),
        pytest.param("mü ab 12", "MÜAB12", id="an umlaut is kept"),
        pytest.param("MU\u0308 AB 12", "MÜAB12", id="a composed umlaut is the same umlaut"),
        pytest.param("京A·12345", "京A12345", id="Chinese is kept, its middle dot is a dot"),
        pytest.param("АВ1234", "АВ1234", id="Cyrillic look-alikes stay Cyrillic"),
        pytest.param("AB\u200b12\ufeff", "AB12", id="invisible characters are not a difference"),
        pytest.param("O0I1", "O0I1", id="no character is corrected"),
        pytest.param("A" * 16, "A" * 16, id="the longest allowed"),
        pytest.param(" - " * 50 + "A1", "A1", id="only canonical characters count to the length"),
    ],
)
def test_canonical(typed: str, plate: str) -> None:
    assert canonical(typed) == plate


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "plate-empty"),
        (" - . \u200b", "plate-empty"),
        ("A" * 17, "plate-too-long"),
        ("ﷺ" * 3, "plate-too-long"),  # one character that NFKC makes eighteen of
        ("AB\x0012", "plate-not-text"),
        ("AB\ud80012", "plate-not-text"),
    ],
)
def test_what_cannot_be_a_plate_is_refused_without_quoting_it(typed: str, code: str) -> None:
    with pytest.raises(PlateTextError) as refused:
        canonical(typed)
    assert refused.value.code == code
    assert isinstance(refused.value, BadInput)
    assert not typed.strip(" -.\u200b") or typed not in str(refused.value)


@given(st.text(max_size=20))
def test_canonical_is_idempotent(typed: str) -> None:
    try:
        once = canonical(typed)
    except PlateTextError:
        return
    assert canonical(once) == once


def test_canonical_is_idempotent_for_every_character_inside_a_plate() -> None:
    """Also for the marks that NFKC sets on a space of their own, which then goes."""
    for point in range(0x3000):
        test_canonical_is_idempotent.hypothesis.inner_test(f"A{chr(point)}B")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("one", "other"),
    [("O", "0"), ("Q", "D"), ("I", "L"), ("1", "I"), ("Z", "2"), ("S", "5"), ("B", "8")],
)
def test_confusable_characters_share_a_class(one: str, other: str) -> None:
    assert ocr_class(f"A{one}C") == ocr_class(f"A{other}C")


def test_nothing_else_shares_a_class() -> None:
    everything = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ京А"
    confused = sum(len(one) - 1 for one in CLASSES)
    assert len(set(ocr_class(everything))) == len(everything) - confused
    assert ocr_class("0122588") == "0122588"  # the representative is the digit


def test_a_site_can_add_classes_and_join_them() -> None:
    assert ocr_class("G", ["GC"]) == ocr_class("C", ["GC"])
    assert ocr_class("G", ["GC"]) != ocr_class("0", ["GC"])
    assert ocr_class("G", ["G0"]) == ocr_class("O", ["G0"])
    assert ocr_class("А", ["AА"]) == ocr_class("A", ["AА"])  # Cyrillic and Latin
    assert len({ocr_class(one, ["OB"]) for one in "0OQD8B"}) == 1
    assert ocr_class("G") != ocr_class("C")


@given(st.text("VU8BMN1", max_size=6), st.text("VU8BMN1", max_size=6))
def test_what_a_site_takes_for_one_another_is_found_by_plain_classes(one: str, other: str) -> None:
    extra = ("VU", "MN8")
    equivalent = ocr_class(one, extra) == ocr_class(other, extra)
    assert (ocr_class(other) in alike(one, extra)) == equivalent
    assert alike(one) == {ocr_class(one)}


def test_a_plate_of_look_alikes_alone_is_looked_up_by_its_own_class_at_least() -> None:
    found = alike("VUVUVUVUVUVU", ("VU",))
    assert len(found) == MOST_ALIKE
    assert "VUVUVUVUVUVU" in found
