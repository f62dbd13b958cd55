"""The syntaxes file holds what it claims, and the grammar made from it behaves."""

import math

import pytest

from inference.results import LATIN, PROVINCES
from inference.syntaxes import (
    FREE_SHARE,
    MAX_LENGTH,
    MIN_LENGTH,
    Grammar,
    Syntax,
    SyntaxFileError,
    expand,
    grammar_for,
    is_date,
    load_book,
)

BOOK = load_book()


def test_the_book_covers_the_places_promised() -> None:
    codes = {syntax.code for syntax in BOOK.syntaxes}
    assert len({syntax.country for syntax in BOOK.syntaxes}) >= 40
    assert len(BOOK.codes(["EU"])) == 27
    assert BOOK.codes(["EU"]) <= codes
    assert BOOK.codes(["EUROPE"]) <= codes
    assert len(BOOK.codes(["US"])) == 51


def test_no_place_is_listed_twice() -> None:
    codes = [syntax.code for syntax in BOOK.syntaxes]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("syntax", BOOK.syntaxes, ids=lambda syntax: syntax.code)
def test_each_syntax_is_sound_and_its_examples_fit(syntax: Syntax) -> None:
    assert syntax.examples
    assert all(syntax.fits(example) for example in syntax.examples)
    assert all(MIN_LENGTH <= len(pattern) <= MAX_LENGTH for pattern in syntax.patterns)
    assert all(allowed for pattern in syntax.patterns for allowed in pattern)
    assert len(syntax.patterns) == len(set(syntax.patterns))
    assert 0 < syntax.vehicles < 400


@pytest.mark.parametrize(
    ("code", "text", "fits"),
    [
        ("BR", "ABC1234", True),
        ("BR", "ABC1D23", True),
        ("BR", "ABCD123", False),
        ("CZ", "1A23456", True),
        ("CZ", "1AB2345", True),
        ("CZ", "1O23456", False),  # Czech plates use no O: it would be a zero
        ("DE", "BMX1234", True),
        ("DE", "B1", False),
        ("ES", "1234BCD", True),
        ("ES", "1234ABC", False),  # no vowels
        ("FR", "AB123CD", True),
        ("FR", "AO123CD", False),  # no I, O, U
        ("GB", "AB12CDE", True),
        ("GB", "A8B2CDE", False),
        ("US-CA", "7ABC123", True),
        ("US-CA", "0ABC123", False),
        ("US-MO", "AB1C2D", True),
        ("SK", "BA123CD", True),
        ("IT", "AB123CD", True),
        ("IT", "AI123CD", False),
        ("CN", "京A12345", True),
        ("CN", "粤BD12345", True),  # new energy: one more
        ("CN", "京O12345", False),  # neither I nor O
        ("CN", "AB12345", False),
    ],
)
def test_known_plates(code: str, text: str, fits: bool) -> None:
    (syntax,) = [syntax for syntax in BOOK.syntaxes if syntax.code == code]
    assert syntax.fits(text) is fits


def test_expand_multiplies_repeats_out() -> None:
    patterns = expand("[AB]L{1,2}9", frozenset("XY"))
    assert [len(pattern) for pattern in patterns] == [3, 4]
    assert patterns[1] == (
        frozenset("AB"),
        frozenset("XY"),
        frozenset("XY"),
        frozenset(LATIN[26:]),
    )


@pytest.mark.parametrize("notation", ["L9?", "(AB)", "l9", "L{x}", "[]9"])
def test_expand_refuses_what_it_cannot_read(notation: str) -> None:
    with pytest.raises(SyntaxFileError):
        expand(notation)


@pytest.mark.parametrize("region", ["Germany", "", "D", "E U", "US-CALI"])
def test_a_region_that_can_be_no_code_is_refused(region: str) -> None:
    with pytest.raises(SyntaxFileError):
        Grammar([region])


def test_a_place_without_syntaxes_gives_no_hint() -> None:
    assert BOOK.codes(["JP"]) == frozenset()
    assert Grammar(["JP"]).fit("ABC1234") == grammar_for().fit("ABC1234")


def test_following_a_text_agrees_with_the_syntaxes() -> None:
    grammar = Grammar(["BR"], strict=True)
    assert grammar.fitting("ABC1234").bit_count() == 1
    assert grammar.fitting("ABC12345") == 0
    assert grammar.fitting("1234ABC") == 0
    assert grammar.follow(grammar.every, 0, "7") == 0
    assert grammar.follow(grammar.every, MAX_LENGTH, "A") == 0


@pytest.mark.parametrize(
    ("text", "regions", "region"),
    [
        ("1A23456", ("CZ",), "CZ"),
        ("ABC1234", ("BR",), "BR"),
        ("ABC1234", (), None),  # Brazil, Greece, half of the United States
        ("7ABC123", ("US",), "US-CA"),
        ("ABC1234", ("US",), "US"),  # some state or other
        ("AB1C2D", (), "US-MO"),
        ("QQQQ", (), None),
    ],
)
def test_region_is_named_only_where_it_is_clear(
    text: str, regions: tuple[str, ...], region: str | None
) -> None:
    assert grammar_for(regions).fit(text).region == region


def test_strict_regions_leave_no_other_syntax() -> None:
    assert grammar_for(("BR",), strict=True).fit("1A23456").region is None
    assert not grammar_for(("BR",), strict=True).fit("1A23456").in_syntax
    assert grammar_for(("BR",)).fit("1A23456").in_syntax


@pytest.mark.parametrize("other", ["CALIFORNIA", "SPORT", "20140430", "0800123456"])
def test_words_dates_and_numbers_are_less_like_plates_than_plates_are(other: str) -> None:
    grammar = grammar_for()
    for plate in ("ABC1234", "RK708AI", "AB12CDE", "AB1C2D", "4B21875"):
        assert grammar.fit(plate).odds > grammar.fit(other).odds + 1


@pytest.mark.parametrize(
    ("digits", "date"),
    [
        ("20200522", True),
        ("22052020", True),
        ("05222020", True),
        ("20201322", False),  # no month, and no year behind day and month
        ("12345678", False),
        ("2020052", False),
    ],
)
def test_what_a_camera_stamps_is_known_for_a_date(digits: str, date: bool) -> None:
    assert is_date(digits) is date


def test_a_hint_raises_the_odds_of_its_own_plates_only() -> None:
    plain, hinted = grammar_for(), grammar_for(("US-MO",))
    assert hinted.fit("AB1C2D").odds > plain.fit("AB1C2D").odds + 1
    assert hinted.fit("AB12CDE").odds < plain.fit("AB12CDE").odds


def test_every_province_has_plates_and_only_china_has_provinces() -> None:
    assert len(set(PROVINCES)) == 31
    for province in PROVINCES:
        assert grammar_for().fit(f"{province}AB12C3").region == "CN"
    assert grammar_for().fit("京1234").bonus < grammar_for().fit("X1234").bonus


def test_what_the_picture_says_of_the_place_weighs_on_its_texts() -> None:
    grammar = grammar_for()
    shown = grammar.prior({"BR": 0.9, "GR": 0.05, "JP": 0.05})
    assert grammar.fit("ABC1234").region is None
    assert grammar.fit("ABC1234", shown).region == "BR"
    assert grammar.fit("ABC1234", shown).bonus > grammar.fit("ABC1234").bonus
    assert grammar.fit("1A23456", shown).bonus < grammar.fit("1A23456").bonus
    assert grammar.fit("QQQQ", shown) == grammar.fit("QQQQ")
    assert grammar.prior({"JP": 1.0}) is grammar.prior({})
    strict = grammar_for(("BR",), strict=True)
    assert strict.prior({"CZ": 1.0}) is strict.prior({})


def test_a_prior_only_moves_probability_between_places() -> None:
    grammar = grammar_for()
    prior = grammar.prior({"US-MO": 0.6, "US-KS": 0.3})
    shares = grammar_for()._shares
    assert sum(share * prior.of(code) for code, share in shares.items()) == pytest.approx(1)


@pytest.mark.parametrize("text", ["ABC1234", "1A23456", "AB1C2D", "京AB12C3", "QQQQ", "Q", "京1"])
@pytest.mark.parametrize("regions", [{}, {"BR": 0.9, "US-MO": 0.05, "JP": 0.05}, {"CN": 1.0}])
def test_the_bonus_is_of_the_places_a_text_fits(text: str, regions: dict[str, float]) -> None:
    grammar = grammar_for(("US",))
    fit = grammar.fit(text, grammar.prior(regions))
    free = math.exp(fit.bonus) - sum(fit.shares.values())
    assert 0 < free < 20 * FREE_SHARE
    assert fit.in_syntax or not fit.shares
    assert fit.allowed == grammar.allowed(text)


def test_free_texts_are_words_and_numbers_not_a_jumble() -> None:
    bonus = grammar_for().bonus
    assert bonus("QQWORD") > bonus("QQWRD7") > bonus("QQW7RD")
    assert bonus("QQ") == pytest.approx(bonus("QX"))
    assert math.exp(bonus("1234567890")) == pytest.approx(0.0005)  # digits: no likelier than chance
