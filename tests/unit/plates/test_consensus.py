import itertools

import pytest

from plates.consensus import Seen, consensus, same_vehicle


def chars(text: str, weak: dict[int, float] | None = None) -> tuple[float, ...]:
    return tuple((weak or {}).get(i, 0.99) for i in range(len(text)))


def test_a_single_read_is_its_own_consensus() -> None:
    only = Seen("1AB2345", 0.93, chars("1AB2345"), (("1AB2345", 0.93), ("IAB2345", 0.05)))
    agreed = consensus([only])
    assert agreed.text == "1AB2345"
    assert agreed.confidence == pytest.approx(0.93)
    assert agreed.char_scores == only.char_scores


def test_a_read_is_never_overruled_by_its_own_candidate() -> None:
    odd = Seen("1AB2345", 0.5, (), (("1AB2346", 0.9), ("1AB2345", 0.5)))
    assert consensus([odd]).text == "1AB2345"
    assert consensus([odd, Seen("1AB2346", 0.6)]).text == "1AB2346"


def test_two_agreeing_reads_outvote_one_blurred_one() -> None:
    agreed = consensus([Seen("1AB2345", 0.9), Seen("1A82345", 0.6), Seen("1AB2345", 0.8)])
    assert agreed.text == "1AB2345"


def test_agreement_raises_confidence_and_dissent_lowers_it() -> None:
    one = consensus([Seen("1AB2345", 0.9)]).confidence
    two = consensus([Seen("1AB2345", 0.9), Seen("1AB2345", 0.9)]).confidence
    torn = consensus([Seen("1AB2345", 0.9), Seen("1AC2345", 0.85)]).confidence
    assert torn < one < two < 1.0


def test_a_text_two_reads_name_second_beats_two_different_firsts() -> None:
    reads = [
        Seen("AB12CDE", 0.5, (), (("AB12CDE", 0.5), ("AB12CDF", 0.45))),
        Seen("AB12CDG", 0.5, (), (("AB12CDG", 0.5), ("AB12CDF", 0.45))),
    ]
    assert consensus(reads).text == "AB12CDF"


def test_never_invents_a_text() -> None:
    reads = [Seen("ABC123", 0.7), Seen("ABD124", 0.7), Seen("ABE123", 0.6)]
    assert consensus(reads).text in {read.text for read in reads}


def test_the_order_of_reads_does_not_matter() -> None:
    reads = [Seen("ABC123", 0.7), Seen("ABC123", 0.4), Seen("A8C123", 0.9), Seen("ABC128", 0.2)]
    assert len({consensus(order) for order in itertools.permutations(reads)}) == 1


def test_no_reads_is_an_error() -> None:
    with pytest.raises(ValueError):
        consensus([])


@pytest.mark.parametrize(
    ("one", "other", "same", "why"),
    [
        (Seen("AB12CDE", 0.9), Seen("AB12CDE", 0.9), True, "equal"),
        (Seen("AB12CDO", 0.9), Seen("AB12CD0", 0.9), True, "equal up to OCR classes"),
        (
            Seen("AB12CDE", 0.9, chars("AB12CDE")),
            Seen("AB12CDF", 0.9, chars("AB12CDF")),
            False,
            "two surely read neighbours of one fleet are two vehicles",
        ),
        (
            Seen("AB12CDE", 0.6, chars("AB12CDE", {6: 0.6})),
            Seen("AB12CDF", 0.9, chars("AB12CDF")),
            True,
            "the reader was unsure of the character",
        ),
        (
            Seen("AB12CDE", 0.6, (), (("AB12CDE", 0.6), ("AB12CDF", 0.3))),
            Seen("AB12CDF", 0.9),
            True,
            "the reader named the other text itself",
        ),
        (
            Seen("XAB12CDE", 0.6, chars("XAB12CDE", {0: 0.4})),
            Seen("AB12CDE", 0.9),
            True,
            "an unsure extra character at the edge",
        ),
        (
            Seen("XAB12CDE", 0.9, chars("XAB12CDE")),
            Seen("AB12CDE", 0.9),
            False,
            "a sure extra character",
        ),
        (
            Seen("AB12CDE", 0.5, chars("AB12CDE", {5: 0.5, 6: 0.5})),
            Seen("AB12CFG", 0.9),
            False,
            "two characters apart",
        ),
    ],
)
def test_same_vehicle(one: Seen, other: Seen, same: bool, why: str) -> None:
    assert same_vehicle(one, other) is same, why
    assert same_vehicle(other, one) is same, why
