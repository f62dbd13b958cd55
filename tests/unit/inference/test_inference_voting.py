import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.voting import (
    CORRELATION,
    Consensus,
    Seen,
    aligned,
    consensus,
    effective,
    likeness,
    objection,
)
from tests.unit.inference.readers import vehicle


def chars(text: str, weak: dict[int, float] | None = None) -> tuple[float, ...]:
    return tuple((weak or {}).get(i, 0.99) for i in range(len(text)))


untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
unit = st.floats(0, 1, allow_nan=False)
texts = st.text("AB08O", min_size=1, max_size=7)


@st.composite
def frames(draw: st.DrawFn) -> Seen:
    text = draw(texts)
    scores = draw(st.none() | st.lists(unit, min_size=len(text), max_size=len(text)))
    candidates = draw(st.lists(st.tuples(texts, unit), max_size=3, unique_by=lambda one: one[0]))
    return Seen(text, draw(unit), tuple(scores or ()), tuple(candidates))


crowds = st.lists(frames(), min_size=1, max_size=6)


# --- what is guaranteed ---------------------------------------------------------------------------
@untimed
@given(frames())
def test_one_frame_is_its_own_consensus(only: Seen) -> None:
    agreed = consensus([only])
    assert (agreed.text, agreed.confidence) == (only.text, only.score)
    assert agreed.char_scores == only.char_scores
    assert agreed.candidates[0] == (only.text, only.score)


@untimed
@given(crowds, st.randoms(use_true_random=False))
def test_the_order_of_frames_does_not_matter(seen: list[Seen], rng: random.Random) -> None:
    other = list(seen)
    rng.shuffle(other)
    assert consensus(other) == consensus(seen)


@untimed
@given(crowds)
def test_the_result_is_well_formed_and_never_made_up(seen: list[Seen]) -> None:
    agreed = consensus(seen)
    named = {text for one in seen for text in (one.text, *(t for t, _ in one.candidates))}
    assert agreed.text in named
    assert 0 <= agreed.confidence <= 1
    assert agreed.candidates[0] == (agreed.text, agreed.confidence)
    scores = [score for _, score in agreed.candidates]
    assert scores == sorted(scores, reverse=True)
    assert len(agreed.char_scores) in {0, len(agreed.text)}
    assert all(0 <= score <= 1 for score in agreed.char_scores)


@untimed
@given(crowds, frames())
def test_a_further_frame_of_the_winning_text_keeps_it(seen: list[Seen], more: Seen) -> None:
    """Also with any scores of its own; only its candidates must be none that are new."""
    winner = consensus(seen).text
    scores = chars(winner, dict(enumerate(more.char_scores[: len(winner)])))
    assert consensus([*seen, Seen(winner, more.score, scores)]).text == winner


@untimed
@given(crowds, st.integers(1, 12))
def test_copies_of_the_best_frame_keep_its_text(seen: list[Seen], copies: int) -> None:
    best = max(seen, key=lambda one: one.score)
    if consensus(seen).text == best.text:
        assert consensus([*seen, *[best] * copies]).text == best.text


@untimed
@given(crowds)
def test_the_best_frame_loses_only_to_less_objection(seen: list[Seen]) -> None:
    """Of frames that all read different texts: then nothing is discounted, and the sum is plain."""
    alone = list({one.text: one for one in seen}.values())
    best = max(alone, key=lambda one: one.score)
    winner = consensus(alone).text
    against = {text: sum(objection(one, text) for one in alone) for text in (winner, best.text)}
    assert winner == best.text or against[winner] <= against[best.text] + 1e-5


@untimed
@given(frames(), texts)
def test_a_frame_objects_to_every_text_but_its_own(one: Seen, text: str) -> None:
    assert objection(one, one.text) == 0
    assert objection(one, text) >= 0


def test_no_frames_is_an_error() -> None:
    with pytest.raises(ValueError, match="no frames"):
        consensus([])


# --- what it is for -------------------------------------------------------------------------------
@pytest.mark.parametrize(("seed", "least", "most"), [(1, 2, 9), (2, 2, 3), (3, 10, 20)])
def test_voting_beats_the_best_single_frame(seed: int, least: int, most: int) -> None:
    rng = random.Random(seed)
    seen = [vehicle(rng, least, most) for _ in range(800)]
    single = sum(one.best.text == one.truth for one in seen)
    agreed = [(consensus(one.frames), one.truth) for one in seen]
    voted = sum(vote.text == truth for vote, truth in agreed)
    assert voted >= single + 0.02 * len(seen)
    sure = [vote.text == truth for vote, truth in agreed if vote.confidence >= 0.9]
    assert len(sure) > 100
    assert sum(sure) >= 0.98 * len(sure)


def test_a_clear_character_outweighs_a_better_frame_that_was_unsure_of_it() -> None:
    best = Seen("AB12CD8", 0.8, chars("AB12CD8", {6: 0.55}))
    other = Seen("AB12CDB", 0.7, chars("AB12CDB", {0: 0.75}))
    assert consensus([best, other]).text == "AB12CDB"
    sure = Seen("AB12CD8", 0.9, chars("AB12CD8"))
    assert consensus([sure, other]).text == "AB12CD8"


def test_a_missing_character_is_a_vote_too() -> None:
    short = Seen("B12CDE", 0.7, chars("B12CDE"))
    long = Seen("AB12CDE", 0.8, chars("AB12CDE"))
    assert consensus([long, short, long]).text == "AB12CDE"
    stray = Seen("1B12CDE", 0.6, chars("1B12CDE", {0: 0.5}))
    assert consensus([stray, short, short]).text == "B12CDE"


def test_a_shifted_text_is_aligned_by_what_it_shares() -> None:
    cost, places = aligned(Seen("B12CDEF", 0.9, chars("B12CDEF", {6: 0.5})), "AB12CDE")
    assert places == (None, 0, 1, 2, 3, 4, 5)
    assert 0 < cost < objection(Seen("B12CDEF", 1.0, chars("B12CDEF")), "AB12CDE")


def test_copies_of_a_bad_frame_never_become_certainty() -> None:
    bad = Seen("A812CDE", 0.6, chars("A812CDE", {1: 0.6}))
    crowd = consensus([bad] * 10)
    assert 0.6 < crowd.confidence < 0.9
    assert consensus([bad] * 500).confidence < 0.91
    good = Seen("AB12CDE", 0.97, chars("AB12CDE"))
    assert consensus([*[bad] * 10, good]).text == "AB12CDE"


def test_frames_that_agree_count_less_each_and_no_more_than_the_bound() -> None:
    assert effective(1) == 1
    gains = [effective(n + 1) - effective(n) for n in range(1, 50)]
    assert gains == sorted(gains, reverse=True)
    assert effective(10_000) < 1 / CORRELATION


def test_agreement_raises_confidence_and_dissent_lowers_it() -> None:
    one = consensus([Seen("1AB2345", 0.9)]).confidence
    two = consensus([Seen("1AB2345", 0.9), Seen("1AB2345", 0.9)]).confidence
    torn = consensus([Seen("1AB2345", 0.9), Seen("1AC2345", 0.85)]).confidence
    assert torn < one < two < 1.0


def test_a_disputed_character_is_less_sure_than_the_others() -> None:
    agreed = consensus(
        [
            Seen("AB12CDE", 0.9, chars("AB12CDE")),
            Seen("AB12CDE", 0.9, chars("AB12CDE")),
            Seen("A812CDE", 0.7, chars("A812CDE", {1: 0.7})),
        ]
    )
    assert agreed.text == "AB12CDE"
    assert agreed.char_scores[1] < 0.6 < 0.98 < min(agreed.char_scores[:1] + agreed.char_scores[2:])


def test_a_read_is_never_overruled_by_its_own_candidate() -> None:
    odd = Seen("1AB2345", 0.5, (), (("1AB2346", 0.9), ("1AB2345", 0.5)))
    assert consensus([odd]).text == "1AB2345"
    assert consensus([odd, Seen("1AB2346", 0.6)]).text == "1AB2346"


def test_a_text_two_reads_name_second_beats_two_different_firsts() -> None:
    reads = [
        Seen("AB12CDE", 0.5, (), (("AB12CDE", 0.5), ("AB12CDF", 0.45))),
        Seen("AB12CDG", 0.5, (), (("AB12CDG", 0.5), ("AB12CDF", 0.45))),
    ]
    agreed = consensus(reads)
    assert agreed.text == "AB12CDF"
    assert agreed.confidence <= 0.5


def test_what_the_frames_proposed_besides_stays_named() -> None:
    """A judge asks whether the reader itself named a text near a right."""
    one = Seen("1AB2345", 0.9, chars("1AB2345"), (("1AB2345", 0.9), ("IAB2345", 0.05)))
    agreed = consensus([one, one, one])
    assert [name for name, _ in agreed.candidates] == ["1AB2345", "IAB2345"]


@pytest.mark.parametrize(
    ("regions", "agreed"),
    [(("CZ", "CZ"), "CZ"), (("CZ", None), "CZ"), (("CZ", "SK"), None), ((None, None), None)],
)
def test_the_region_is_what_the_frames_agree_on(
    regions: tuple[str | None, ...], agreed: str | None
) -> None:
    seen = [Seen("1AB2345", 0.9, region=region) for region in regions]
    assert consensus([*seen, Seen("1AC2345", 0.2, region="HU")]).region == agreed


def test_equal_evidence_is_decided_alike_in_any_order() -> None:
    reads = [Seen("ABC123", 0.7), Seen("ABC123", 0.4), Seen("A8C123", 0.9), Seen("ABC128", 0.2)]
    found: set[Consensus] = {consensus(order) for order in itertools.permutations(reads)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [("AB12", "AB12", 1.0), ("A80", "ABO", 1.0), ("AB12", "AB1", 0.75), ("AB", "XY", 0.0)],
)
def test_likeness(one: str, other: str, alike: float) -> None:
    assert likeness(one, other) == likeness(other, one) == pytest.approx(alike)
    assert likeness(one, "") == 0
