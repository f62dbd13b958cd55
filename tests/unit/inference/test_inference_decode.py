"""Decoding on probability matrices made by hand."""

import math
from itertools import product

import numpy as np
import pytest

from inference.decode import beam_search, character_scores, decode
from inference.results import ALPHABET
from inference.syntaxes import grammar_for
from tests.unit.inference.drawnplates import emissions_of

WORLD = grammar_for()


def sure(text: str) -> list[dict[str, float] | str]:
    return list(text)


def text_of(*steps: dict[str, float] | str, regions: tuple[str, ...] = ()) -> str | None:
    found = decode([emissions_of(*steps)], grammar_for(regions))
    return found.text if found else None


ZERO_SEEN = {"0": 0.75, "O": 0.2}
LETTER_O_SEEN = {"O": 0.75, "0": 0.2}


@pytest.mark.parametrize(
    ("steps", "regions", "text"),
    [
        (sure("RK708AI"), (), "RK708AI"),
        # Position decides, against what the reader preferred.
        (["R", "K", "7", LETTER_O_SEEN, "8", "A", "I"], (), "RK708AI"),
        (["R", "K", "7", "0", "8", "A", {"1": 0.8, "I": 0.15}], (), "RK708AI"),
        (["N", "Z", ZERO_SEEN, "6", "2", "7", "6"], ("BR",), "NZO6276"),
        (["A", {"8": 0.7, "B": 0.25}, "C", "1", "2", "3", "4"], ("BR",), "ABC1234"),
        (["A", "B", "1", {"Z": 0.7, "2": 0.2}, "C", "D", "E"], ("GB",), "AB12CDE"),
        (["A", "B", {"S": 0.7, "5": 0.2}, "2", "C", "D", "E"], ("GB",), "AB52CDE"),
        # The reader gave the twin no chance at all, but only the twin fits.
        (["1", "A", "2", "3", "4", "5", "O"], ("CZ",), "1A23450"),
        # Where both fit, the reader is believed.
        (["A", "B", "C", "1", "2", "3", ZERO_SEEN], (), "ABC1230"),
        # Free text: no syntax fits and none is forced on it.
        (sure("LOVE4U2"), (), "LOVE4U2"),
        (sure("HLOKTY1"), (), "HLOKTY1"),
        # A clear character is never exchanged for one that is no look-alike.
        (sure("RK7K8AI"), ("SK",), "RK7K8AI"),
        # Twice the same character, with a blank between.
        (sure("AA1122BB"), (), "AA1122BB"),
        # Too short, too long, nothing.
        (sure("A"), (), None),
        (sure("ABCDEFGHIJKLM"), (), None),
        ([{}], (), None),
    ],
)
def test_decode(
    steps: list[dict[str, float] | str], regions: tuple[str, ...], text: str | None
) -> None:
    assert text_of(*steps, regions=regions) == text


def test_the_same_shape_is_read_by_the_country_that_is_expected() -> None:
    matrix = emissions_of("A", "B", "C", {"0": 0.5, "O": 0.45}, "1", "2", "3")
    for region, text in (("BR", "ABC0123"), ("HU", "ABCO123")):
        found = decode([matrix], grammar_for((region,), strict=True))
        assert found is not None
        assert (found.text, found.region) == (text, region)


def test_repeats_without_a_blank_are_one_character() -> None:
    matrix = emissions_of(*"AB12CD")
    smeared = np.repeat(matrix, 3, axis=0)
    found = decode([smeared], WORLD)
    assert found is not None
    assert found.text == "AB12CD"


def test_beam_search_sums_all_alignments() -> None:
    """Against the definition of CTC: every path of a short matrix, collapsed and added up."""
    rng = np.random.default_rng(3)
    matrix = np.zeros((4, 37))
    matrix[:, [0, 1, 2]] = rng.dirichlet([1, 1, 1], size=4)
    expected: dict[str, float] = {}
    for path in product((0, 1, 2), repeat=4):
        text, last = "", 0
        for column in path:
            if column and column != last:
                text += ALPHABET[column - 1]
            last = column
        p = math.prod(float(matrix[step, column]) for step, column in enumerate(path))
        expected[text] = expected.get(text, 0.0) + p
    found = beam_search(matrix, None, beam=100)
    assert found.keys() == expected.keys()
    for text, p in expected.items():
        assert math.exp(found[text]) == pytest.approx(p)


def test_the_search_held_to_a_grammar_finds_only_texts_that_fit() -> None:
    grammar = grammar_for(("BR",), strict=True)
    found = beam_search(emissions_of("A", "B", "C", LETTER_O_SEEN, "1", "2", "3"), grammar)
    assert list(found) == ["ABC0123"]


def test_scores_are_kept_apart() -> None:
    found = decode([emissions_of("R", "K", {"7": 0.6, "1": 0.3}, "0", "8", "A", "I")], WORLD)
    assert found is not None
    assert found.chars == pytest.approx((0.97, 0.97, 0.6, 0.97, 0.97, 0.97, 0.97), abs=1e-3)
    assert found.score <= min(found.chars)
    assert found.candidates[0].text == found.text
    assert found.candidates[0].score == found.score
    assert "RK108AI" in [other.text for other in found.candidates[1:]]
    scores = [other.score for other in found.candidates]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1


def test_a_look_alike_the_syntax_rules_out_counts_for_the_character() -> None:
    matrix = emissions_of("R", "K", "7", LETTER_O_SEEN, "8", "A", "I")
    digits = frozenset("0123456789")
    letters = frozenset(ALPHABET[:26])
    allowed = (letters, letters, digits, digits, digits, letters, letters)
    assert character_scores(matrix, "RK708AI", allowed)[3] == pytest.approx(0.95)
    assert character_scores(matrix, "RK708AI")[3] == pytest.approx(0.2)
    either = (*allowed[:3], letters | digits, *allowed[4:])
    assert character_scores(matrix, "RK708AI", either)[3] == pytest.approx(0.2)


def test_a_character_nobody_saw_scores_nothing() -> None:
    assert character_scores(emissions_of(*"ABC123"), "ABC1239")[-1] == pytest.approx(0, abs=0.01)


def test_several_readings_of_a_place_are_weighed_together() -> None:
    clear, wrong = emissions_of(*"AB12CDE"), emissions_of("A", "8", "1", "2", "C", "D", "E")
    blurred = emissions_of("A", {"B": 0.55, "E": 0.4}, "1", "2", "C", "D", "E")
    found = decode([blurred, clear, wrong], grammar_for(("GB",)))
    alone = decode([clear], grammar_for(("GB",)))
    assert found is not None
    assert alone is not None
    assert found.text == "AB12CDE"
    assert found.score < alone.score
    assert found.region == "GB"
