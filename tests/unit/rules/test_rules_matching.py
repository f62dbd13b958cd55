"""The matcher: how far texts lie apart, and the opposite strictness of excusing and accusing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement.rights.facts import Reading, Right
from enforcement.rights.matching import FAR, accuse, cost, matches
from enforcement.rights.outcomes import Certainty, RightKind
from enforcement.rights.syntax import SYNTAXES, breaks_syntax

PLATES = st.text(alphabet="ABCD0O1I2Z5S8BXÜ京", min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("AB12CDE", "AB12CDE", 0),
        ("AB12CDE", "A812CDE", 0),
        ("O0QD", "0OD0", 0),
        ("1IL2Z5S8B", "LI1Z2S5B8", 0),
        ("AB12CDE", "AB12CDF", 1),  # one wrong
        ("AB12CDE", "AB12CD", 1),  # one missing
        ("AB12CDE", "AB12CDEX", 1),  # one extra
        ("AB12CDE", "XAB12CDE", 1),
        ("AB12CDE", "AB21CDE", 1),  # a swap
        ("AB12CDE", "BA12CDE", 1),
        ("AB12CDE", "AB12CED", 1),
        ("ABXCDE", "A8CXDE", 1),  # a swap beside a confusion
        ("AB12CDE", "AB13CDF", 2),
        ("AB12CDE", "AB12C", 2),
        ("AB12CDE", "BA21CDE", 2),  # two swaps
        ("AC", "CXA", FAR),  # a swap with something between is no swap of neighbours
        ("AB12CDE", "XY12CDF", 3),
        ("AB12CDE", "ZZ99ZZZ", 3),
        ("AB12CDE", "A", 3),
        ("A", "X", 1),
        ("MÜAB12", "MUAB12", 1),  # an umlaut is a character of its own
        ("京A12345", "沪A12345", 1),
        ("АВ1234", "AB1234", 2),  # Cyrillic is not Latin, unless the site says so
    ],
)
def test_cost(one: str, other: str, slips: int) -> None:
    assert cost(one, other) == slips


def test_extra_classes_cost_nothing() -> None:
    assert cost("АВ1234", "AB1234", ("AА", "BВ")) == 0


@given(PLATES, PLATES)
def test_cost_is_symmetric_and_bounded(one: str, other: str) -> None:
    assert cost(one, other) == cost(other, one)
    assert 0 <= cost(one, other) <= FAR


@given(PLATES)
def test_cost_of_itself_is_nothing(plate: str) -> None:
    assert cost(plate, plate) == 0


@given(PLATES, st.data())
def test_a_slip_costs_at_most_one(plate: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(plate) - 1))
    slipped = data.draw(
        st.sampled_from(
            [
                plate[:index] + "W" + plate[index + 1 :],
                plate[:index] + plate[index + 1 :],
                plate[:index] + "W" + plate[index:],
                plate[:index] + plate[index : index + 2][::-1] + plate[index + 2 :],
            ]
        )
    )
    assert cost(plate, slipped) <= 1


def brute_force(one: str, other: str) -> int:
    """Fewest slips by searching outwards, one slip at a time, never touching a place twice."""

    def search(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        best = min(
            search(a[1:], b[1:]) + (a[0] != b[0]), search(a[1:], b) + 1, search(a, b[1:]) + 1
        )
        if len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0]:
            best = min(best, search(a[2:], b[2:]) + 1)
        return best

    return min(search(one, other), FAR)


def test_cost_is_the_fewest_slips_there_can_be() -> None:
    texts = ["".join(letters) for n in range(1, 5) for letters in itertools.product("AX", repeat=n)]
    for one, other in itertools.product(texts, texts):
        assert cost(one, other) == brute_force(one, other), (one, other)


def seen(text: str, country: str | None = "GB", confidence: float = 0.9, **more: object) -> Reading:
    return Reading(text, country, confidence, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reading", "listed", "certainty"),
    [
        pytest.param(seen("ST0LEN1"), "GB", Certainty.EXACT, id="the very plate"),
        pytest.param(seen("ST0LEN1", confidence=0.8), "GB", Certainty.EXACT, id="at the floor"),
        pytest.param(seen("STOLEN1"), "GB", Certainty.POSSIBLE, id="an equivalent is not exact"),
        pytest.param(seen("STOLENI"), "GB", Certainty.POSSIBLE, id="two equivalents neither"),
        pytest.param(seen("ST0LEN1", confidence=0.79), "GB", Certainty.POSSIBLE, id="a poor read"),
        pytest.param(seen("ST0LEN1", None), "GB", Certainty.POSSIBLE, id="country unknown"),
        pytest.param(seen("ST0LEN1", "FR"), "GB", Certainty.POSSIBLE, id="country differs"),
        pytest.param(seen("ST0LEN1"), None, Certainty.POSSIBLE, id="list without a country"),
        pytest.param(seen("ST0LEN1", None), None, Certainty.POSSIBLE, id="neither knows"),
        pytest.param(
            seen("ST0LEN1", agreed=False), "GB", Certainty.POSSIBLE, id="frames disagreed"
        ),
        pytest.param(seen("ST0LEN"), "GB", None, id="a missing character accuses nobody"),
        pytest.param(seen("ST0LEN2"), "GB", None, id="one edit accuses nobody"),
        pytest.param(seen("TS0LEN1"), "GB", None, id="a swap accuses nobody"),
    ],
)
def test_accusing_is_strict(
    reading: Reading, listed: str | None, certainty: Certainty | None
) -> None:
    assert accuse(reading, "ST0LEN1", listed, floor=0.8) is certainty


def test_no_value_a_traceback_may_show_holds_a_plate() -> None:
    reading = seen("AB12CDE", candidates=("AB12CDF",))
    (match,) = matches([reading], Right("r", RightKind.PAYMENT, ("AB12CDX",)))
    assert "AB12" not in repr(reading) + repr(match)


def test_the_nearest_of_two_readings_and_of_several_plates_counts() -> None:
    right = Right("r", RightKind.PERMIT, ("AB12CXX", "AB12CDF"))
    both = [seen("AB12CXF"), seen("AB12CDE")]
    assert [match.cost for match in matches(both, right)] == [1, 1]
    assert [match.plate for match in matches(both[1:], right)] == ["AB12CDF", "AB12CXX"]
    (exact,) = matches([*both, seen("AB12CDF")], right)
    assert exact.exact


def test_a_sites_own_classes_make_possible_hits() -> None:
    assert accuse(seen("G1"), "C1", "GB", floor=0.8) is None
    assert accuse(seen("G1"), "C1", "GB", floor=0.8, classes=("GC",)) is Certainty.POSSIBLE


@pytest.mark.parametrize(
    ("text", "country", "breaks"),
    [
        ("1A23456", "CZ", False),
        ("1AB2345", "CZ", False),
        ("IA23456", "CZ", True),
        ("IAB2345", "CZ", True),  # no district of the old series begins with I
        ("1A2345O", "CZ", True),
        ("OVA1234", "CZ", False),  # the old series
        ("EL123AB", "CZ", False),
        ("PRAHA007", "CZ", False),  # personalised
        ("PRAGUEXX", "CZ", True),  # …which has a digit and no G
        ("BA123CD", "SK", False),
        ("BAI23CD", "SK", True),
        ("W12345A", "AT", False),
        ("ABC123", "HU", False),
        ("AABC123", "HU", False),
        ("A8C123", "HU", True),
        ("AB12CDE", "GB", False),
        ("ABI2CDE", "GB", True),
        ("MÜAB123", "DE", False),
        ("MÜAB0123", "DE", True),
        ("ANYTHING", None, False),
        ("ANYTHING", "XX", False),
    ],
)
def test_only_what_its_country_never_issues_breaks_syntax(
    text: str, country: str | None, breaks: bool
) -> None:
    assert breaks_syntax(text, country) is breaks


def test_every_country_of_the_shipped_schemes_has_a_syntax() -> None:
    assert {"AT", "CZ", "HU", "SK"} <= set(SYNTAXES)
    assert all(breaks_syntax("????", country) for country in SYNTAXES)
