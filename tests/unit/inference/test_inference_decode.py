"""Decoding on probability matrices made by hand."""

import math
from functools import partial
from itertools import product

import numpy as np
import pytest

from inference import search as searching
from inference.decode import character_scores, clearness, decode, doubted
from inference.results import ALPHABET, Emissions
from inference.search import HOPELESS, NEGLIGIBLE, beam_search, condense
from inference.syntaxes import Grammar, grammar_for
from tests.unit.inference.drawnplates import emissions_of

WORLD = grammar_for()


def sure(text: str) -> list[dict[str, float] | str]:
    return list(text)


def text_of(*steps: dict[str, float] | str, regions: tuple[str, ...] = ()) -> str | None:
    found = decode([emissions_of(*steps)], grammar_for(regions))
    return found.text if found else None


ZERO_SEEN = {"0": 0.55, "O": 0.4}
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
        (["1", "A", "2", "3", "4", "5", {"O": 0.8, "0": 0.15}], ("CZ",), "1A23450"),
        # The reader knows positions itself: what it is sure of stands, though no syntax has it.
        (["R", "K", "7", "O", "8", "A", "I"], ("SK",), "RK7O8AI"),
        (["1", "A", "2", "3", "4", "5", "O"], ("CZ",), "1A2345O"),
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
    matrix = np.zeros((4, 1 + len(ALPHABET)))
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
    found = beam_search(matrix, WORLD, beam=100)
    assert found.keys() == expected.keys()
    for text, p in expected.items():
        assert math.exp(found[text].log_p) == pytest.approx(p)


def test_the_search_keeps_texts_that_fit_beside_the_likeliest() -> None:
    grammar = grammar_for(("BR",), strict=True)
    matrix = emissions_of("A", "B", "C", LETTER_O_SEEN, "1", "2", "3").astype(np.float64)
    found = beam_search(matrix, grammar, beam=1)
    assert list(found) == ["ABCO123", "ABC0123"]
    assert found["ABC0123"].steps == (0, 2, 4, 6, 8, 10, 12)


def searched_plainly(matrix: Emissions, grammar: Grammar, beam: int) -> dict[str, float]:
    """A prefix beam search without shortcuts: every beginning grows by every character."""
    beams = {"": (1.0, 0.0, grammar.every)}  # text → P(ends in blank), P(ends in character), alive
    for row in matrix:
        best = max(blank + char for blank, char, _ in beams.values())
        grown: dict[str, tuple[float, float, int]] = {}
        for text, (blank, char, alive) in beams.items():
            before = grown.get(text, (0.0, 0.0, alive))
            stays = char * row[1 + ALPHABET.index(text[-1])] if text else 0.0
            grown[text] = ((blank + char) * row[0], before[1] + stays, alive)
            for share, added in zip(row[1:], ALPHABET, strict=True):
                whole = blank + char
                p = (blank if text[-1:] == added else whole) * share
                if share > NEGLIGIBLE and whole * share >= HOPELESS * best and p:
                    left = grammar.follow(alive, len(text), added)
                    known = grown.get(text + added, (0.0, 0.0, left))
                    grown[text + added] = (known[0], known[1] + p, left)
        ranked = sorted(grown, key=lambda text: -sum(grown[text][:2]))
        fitting = [text for text in ranked if grown[text][2]]
        beams = {text: grown[text] for text in ranked[:beam] + fitting[:beam]}
    return {
        text: blank + char
        for number, (text, (blank, char, _)) in enumerate(beams.items())
        if number < beam or grammar.fitting(text)
    }


@pytest.mark.parametrize("seed", range(6))
def test_shortcuts_of_the_search_lose_nothing(seed: int) -> None:
    """Noise, in which many beginnings are about as likely, blanks, and the same character twice."""
    rng = np.random.default_rng(seed)
    matrix = np.zeros((14, 1 + len(ALPHABET)))
    for step in range(14):
        columns = rng.choice(np.arange(1, 37), size=6, replace=False)
        matrix[step, [0, *columns]] = rng.dirichlet([1.5, 2, 1, 1, 0.5, 0.5, 0.5])
    matrix[5] = matrix[7] = matrix[3]
    grammar = grammar_for(("BR", "DE"), strict=True)
    found = beam_search(matrix, grammar, beam=5)
    expected = searched_plainly(matrix, grammar, beam=5)
    assert len(found) > 5
    for text, p in expected.items():
        assert math.exp(found[text].log_p) == pytest.approx(p)
    assert found.keys() == expected.keys()


def drawn_emissions(seed: int) -> Emissions:
    """A clear plate as a network shows it: characters over one to three steps of 80, none quite
    sure, a little of another character in some."""
    rng = np.random.default_rng(seed)
    texts = ["RK708AI", "ABC1230", "AB12CDE", "1A23456", "京A8B012", "7ABC123", "AA1122BB"]
    matrix = np.zeros((80, 1 + len(ALPHABET)), np.float32)
    step = int(rng.integers(2, 8))
    for char in texts[seed % len(texts)]:
        for _ in range(int(rng.integers(1, 4))):
            other = int(rng.integers(1, len(ALPHABET)))
            matrix[step, other] += rng.uniform(0, 0.01)
            matrix[step, 1 + ALPHABET.index(char)] += rng.uniform(0.96, 0.985)
            step += 1
        step += int(rng.integers(1, 4))
    matrix[:, 0] = 1 - matrix.sum(axis=1)
    return matrix


@pytest.mark.parametrize("regions", [(), ("CZ",), ("US", "BR")])
@pytest.mark.parametrize("seed", range(14))
def test_a_clear_plate_needs_no_search(
    seed: int, regions: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick way gives the text, the scores and the candidates that the whole search gives."""
    grammar = grammar_for(regions)
    emissions = drawn_emissions(seed)
    with monkeypatch.context() as patch:
        patch.setattr(searching, "beam_search", None)  # it would fail if it were called
        quick = decode([emissions], grammar)
    monkeypatch.setattr(searching, "_clear", lambda *_: None)
    monkeypatch.setattr(searching, "beam_search", partial(beam_search, beam=60))
    searched = decode([emissions], grammar)
    assert quick is not None
    assert searched is not None
    assert (quick.text, quick.region) == (searched.text, searched.region)
    assert quick.score == pytest.approx(searched.score, abs=0.03)
    assert quick.chars == pytest.approx(searched.chars, abs=0.01)
    likely = [other.text for other in searched.candidates if other.score > 0.02]
    assert set(likely) <= {other.text for other in quick.candidates}


def test_condensing_keeps_what_is_said() -> None:
    matrix = emissions_of("A", "A", {"B": 0.6, "E": 0.35}, "1")
    smeared = np.repeat(matrix, [3, 3, 3, 3, 1, 3, 3, 3], axis=0)
    assert condense(smeared) == [0, 3, 6, 9, 12, 13, 16, 19]
    found = decode([smeared], WORLD)
    assert found is not None
    assert found.text == "AAB1"


def test_the_region_head_settles_a_text_of_many_places() -> None:
    matrix = emissions_of(*"ABC1234")
    plain = decode([matrix], WORLD)
    shown = decode([matrix], WORLD, regions={"US-NY": 0.98, "US-PA": 0.01})
    free = decode([emissions_of(*"LOVE4U2")], WORLD, regions={"US-NY": 0.95})
    assert plain is not None
    assert shown is not None
    assert free is not None
    assert (plain.region, shown.region, free.region) == (None, "US-NY", "US-NY")


def test_a_chinese_plate() -> None:
    found = decode([emissions_of("粤", "B", "D", "1", "2", "3", LETTER_O_SEEN, "5")], WORLD)
    assert found is not None
    assert (found.text, found.region) == ("粤BD12305", "CN")


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
    found = decode([blurred, clear, wrong], grammar_for(("GB",)), regions={"GB": 0.9})
    alone = decode([clear], grammar_for(("GB",)), regions={"GB": 0.9})
    assert found is not None
    assert alone is not None
    assert found.text == "AB12CDE"
    assert found.score < alone.score
    assert found.region == "GB"


def test_a_doubted_text_keeps_its_candidates_in_proportion() -> None:
    found = decode([emissions_of("R", "K", {"7": 0.6, "1": 0.3}, "0", "8", "A", "I")], WORLD)
    assert found is not None
    less = doubted(found, 0.1)
    assert less.score == less.candidates[0].score == 0.1
    for before, after in zip(found.candidates, less.candidates, strict=True):
        assert after.score / 0.1 == pytest.approx(before.score / found.score, abs=0.01)
    assert doubted(found, 0.99) is found


def test_clearness_is_the_product_of_the_peaks() -> None:
    matrix = emissions_of("A", "A", {"B": 0.6, "E": 0.35}, "1", "2")
    assert clearness(np.repeat(matrix, 3, axis=0)) == pytest.approx(0.97**4 * 0.6)
    assert clearness(emissions_of(*"AB1")) == 0
    assert clearness(emissions_of({})) == 0
