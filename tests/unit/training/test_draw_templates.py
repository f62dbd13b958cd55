"""Templates of drawn plates: what they letter is what the place issues. No fonts needed."""

from dataclasses import replace

import numpy as np
import pytest

from inference.results import PROVINCES
from inference.syntaxes import load_book
from training.synthesis.templates import (
    LOOK_ALIKES,
    Lettering,
    Piece,
    Template,
    TemplateError,
    choose,
    compose,
    load_catalogue,
)

CATALOGUE = load_catalogue()
SYNTAXES = {syntax.code: syntax for syntax in load_book().syntaxes}
EU = load_book().codes(["EU"])


def lettered(template: Template, form: str, seed: int = 0) -> Lettering:
    """One text of one format, never an owner's own."""
    return compose(
        np.random.default_rng(seed),
        replace(template, formats=(form,), look={**template.look, "free": 0.0}),
    )


def test_the_places_promised_have_templates() -> None:
    regions = set(CATALOGUE.regions)
    assert regions <= set(SYNTAXES)
    assert len(regions) >= 60
    assert regions >= EU | {"GB", "NO", "CH", "TR", "UA", "BR", "AR", "MX", "CN", "IN", "VN"}
    assert sum(code.startswith("US-") for code in regions) >= 45


@pytest.mark.parametrize("region", CATALOGUE.regions)
def test_every_format_letters_a_text_of_its_place(region: str) -> None:
    for template in CATALOGUE.of(region):
        for form in template.formats:
            for seed in range(12):
                lettering = lettered(template, form, seed)
                if not lettering.free:
                    assert SYNTAXES[region].fits(lettering.text), (form, lettering.text)
                assert len(lettering.rows) == len(template.look["spans"]) == template.rows
                assert len(lettering.rows) <= 2


@pytest.mark.parametrize("region", CATALOGUE.regions)
def test_only_letters_of_the_place(region: str) -> None:
    for template in CATALOGUE.of(region):
        drawn = "".join(compose(np.random.default_rng(s), template).text for s in range(30))
        assert set(drawn) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + PROVINCES)
        if region in ("CN", "NL", "RU"):
            assert "I" not in drawn
            assert "O" not in drawn or region == "RU"


def test_all_provinces_come_up_about_as_often() -> None:
    rng = np.random.default_rng(3)
    counts = dict.fromkeys(PROVINCES, 0)
    for _ in range(31 * 60):
        counts[compose(rng, choose(rng, "CN")).text[0]] += 1
    assert min(counts.values()) >= 30
    assert max(counts.values()) <= 100


def test_look_alikes_are_frequent_and_no_character_is_rare() -> None:
    rng = np.random.default_rng(4)
    text = "".join(compose(rng, choose(rng)).text for _ in range(4000))
    share = {char: text.count(char) / len(text) for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}
    assert min(share.values()) > 0.004
    assert sum(share[char] for char in LOOK_ALIKES) > 0.55


def test_the_upper_row_comes_first_and_marks_are_no_text() -> None:
    template = CATALOGUE.of("BR")[0]
    one = lettered(template, "LLL-9999", 7)
    assert [piece.mark for piece in one.rows[0]] == ["text", "hyphen", "text"]
    two = lettered(template, "LLL|9L99", 7)
    upper, lower = two.rows
    assert two.text == upper[0].text + lower[0].text
    assert len(two.text) == 7
    small = lettered(template, "<LL>~99(9)", 7)
    assert [piece.mark for piece in small.rows[0]] == ["stack", "half", "text", "small"]
    assert (
        Lettering(((Piece("text", "A1"), Piece("dot"), Piece("text", "2")),), False).text == "A12"
    )


def test_the_same_seed_letters_the_same_plate() -> None:
    def letter(seed: int) -> tuple[str, str]:
        rng = np.random.default_rng(seed)
        template = choose(rng)
        return template.code, compose(rng, template).text

    assert [letter(seed) for seed in range(40)] == [letter(seed) for seed in range(40)]
    assert len({letter(seed) for seed in range(40)}) > 35


def test_a_country_stands_for_its_states() -> None:
    assert all(template.code.startswith("US-") for template in CATALOGUE.of("US"))
    with pytest.raises(TemplateError, match="No template of 'QQ'"):
        CATALOGUE.of("QQ")


def test_a_format_of_no_meaning_is_refused() -> None:
    with pytest.raises(TemplateError, match="means nothing"):
        lettered(CATALOGUE.of("BR")[0], "LLL_99")
