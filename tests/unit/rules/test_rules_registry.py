"""What matches say of themselves, and how a registry's rights are sorted for one read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement.rights.facts import Reading, Right
from enforcement.rights.matching import (
    FAR,
    Match,
    Registry,
    accuse,
    cost,
    excuse_few,
    excuse_registry,
    matches,
    several,
    shortened,
    two_countries,
)
from enforcement.rights.outcomes import Certainty, RightKind

UV = ("UV",)
"""A class that a site configures beside the five."""


def seen(text: str, country: str | None = "CZ", **more: Any) -> Reading:
    return Reading(text, country, 0.95, **more)


def right(*plates: str, id: str = "v", country: str | None = "CZ", **more: Any) -> Right:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    return Right(id, RightKind.VIGNETTE, plates, country, start, end, **more)


def sort(reading: Reading, *rights: Right, at: int = 0, **more: Any) -> Registry:
    settings: dict[str, Any] = {
        "position": lambda right: at,
        "same_category": lambda category: category == "car",
        "scope": None,
        "floor": 0.8,
    }
    return excuse_registry(reading, rights, **(settings | more))


@pytest.mark.parametrize(("one", "other"), [("1AU2345", "1AV2345"), ("1AV2345", "1AU2345")])
def test_a_sites_own_class_counts_on_both_sides(one: str, other: str) -> None:
    assert cost(one, other) == 1
    assert cost(one, other, UV) == 0
    assert accuse(seen(one), other, "CZ", floor=0.8) is None
    assert accuse(seen(one), other, "CZ", floor=0.8, classes=UV) is Certainty.POSSIBLE
    assert matches((seen(one),), right(other))[0].cost == 1
    assert matches((seen(one),), right(other), UV)[0].cost == 0


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("ABCD", "A", FAR),  # three missing
        ("ABC", "A", 2),
        ("A", "ABC", 2),
        ("ABCDEF", "UVWDEF", FAR),  # three wrong
        ("ABCDEF", "UVCDEF", 2),
        ("UVCDEF", "ABCDEF", 2),
        ("AB", "BA", 1),
        ("XAB", "BAX", 2),  # not neighbours
        ("ABAB", "BABA", 2),
    ],
)
def test_cost_at_its_edges(one: str, other: str, slips: int) -> None:
    assert cost(one, other) == slips


def test_a_match_says_which_text_of_the_right_it_fits() -> None:
    shared = right("1AB2345", "2BC3456")
    assert matches((seen("2BC3456"),), shared) == [Match(shared, "2BC3456", 0, exact=True)]
    assert matches((seen("2BC3457"),), shared) == [Match(shared, "2BC3456", 1, exact=False)]
    assert matches((seen("9XX9999"),), shared) == []


def test_the_nearest_of_a_rights_plates_comes_first_and_decides() -> None:
    shared = right("1AB2399", "IAB2345", "1AB2346")
    assert [match.cost for match in matches((seen("1AB2345"),), shared)] == [0, 1, 2]
    registry = sort(seen("1AB2345"), shared)
    assert [match.plate for match in registry.excusing] == ["IAB2345"]
    assert registry.near == ()


def test_a_registry_uses_the_sites_own_classes() -> None:
    written = right("UU12345")  # fits no Czech series
    assert sort(seen("VU12345"), written) == Registry(
        near=(Match(written, "UU12345", 1, exact=False),)
    )
    assert sort(seen("VU12345"), written, classes=UV) == Registry(
        excusing=(Match(written, "UU12345", 0, exact=False),)
    )


@pytest.mark.parametrize(
    ("more", "at", "place"),
    [
        ({}, 0, "exact"),
        ({}, -1, "ended"),
        ({}, 1, "not_started"),
        ({"country": "SK"}, 0, "other_country"),
        ({"country": "SK"}, -1, None),
        ({"country": "SK"}, 1, None),
        ({"country": None}, 0, "exact"),
        ({"category": "car"}, 0, "exact"),
        ({"category": "trailer"}, 0, "other_category"),
        ({"category": "trailer"}, 1, None),
        ({"scope": "north"}, 0, "other_scope"),
        ({"scope": "north"}, -1, None),
        ({"scope": "north", "category": "trailer"}, 0, "other_scope"),
        ({"scope": "north", "country": "SK"}, 0, "other_country"),
    ],
)
def test_where_the_very_text_is_sorted(more: dict[str, Any], at: int, place: str | None) -> None:
    one = right("1AB2345", **more)
    found = {place: (Match(one, "1AB2345", 0, exact=True),)} if place else {}
    assert sort(seen("1AB2345"), one, at=at) == Registry(**found)


def test_a_right_for_the_cameras_part_of_the_network_is_exact() -> None:
    assert sort(seen("1AB2345"), right("1AB2345", scope="north"), scope="north").exact
    assert sort(seen("1AB2345"), right("1AB2345"), scope="north").exact
    assert sort(seen("1AB2345"), right("1AB2345", scope="south"), scope="north").other_scope


@pytest.mark.parametrize("at", [-1, 1])
def test_a_near_right_of_another_time_says_nothing(at: int) -> None:
    assert sort(seen("1AB2345"), right("IAB2345"), at=at) == Registry()


@pytest.mark.parametrize("more", [{"country": "SK"}, {"category": "trailer"}, {"scope": "north"}])
def test_a_near_right_of_another_country_category_or_scope_says_nothing(
    more: dict[str, Any],
) -> None:
    assert sort(seen("1AB2345"), right("IAB2345", **more)) == Registry()


@pytest.mark.parametrize(
    ("scores", "place"),
    [
        # 1A82345 is a plate of its own: it excuses only where the reader was unsure of the B
        ((0.9, 0.9, 0.79, 0.9, 0.9, 0.9, 0.9), "excusing"),
        ((0.9, 0.9, 0.80, 0.9, 0.9, 0.9, 0.9), "near"),
        ((0.1, 0.1, 0.90, 0.1, 0.1, 0.1, 0.1), "near"),
        ((0.1, 0.1, 0.1), "near"),  # scores that don't belong to the text say nothing
        ((), "near"),
    ],
)
def test_the_readers_doubt_of_just_that_character_excuses(
    scores: tuple[float, ...], place: str
) -> None:
    one = right("1A82345")
    found = {place: (Match(one, "1A82345", 0, exact=False),)}
    assert sort(seen("1AB2345", char_scores=scores), one) == Registry(**found)


def test_every_differing_character_must_have_been_doubted() -> None:
    one = right("1A8234S")
    both = (0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.5)
    first_only = (0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.9)
    syntax_of_nobody = Right("v", one.kind, one.plates, "XX", one.start, one.end)
    assert sort(seen("1AB2345", "XX", char_scores=both), syntax_of_nobody).excusing
    assert sort(seen("1AB2345", "XX", char_scores=first_only), syntax_of_nobody).near


def test_a_near_right_the_reader_named_is_for_a_human() -> None:
    one = right("1AB2346")
    assert sort(seen("1AB2345", candidates=("1AB2346",)), one).named
    assert sort(seen("1AB2345", candidates=("1AB2347",)), one).near


def test_few_rights_are_sorted_by_cost_and_country() -> None:
    exact, other = right("1AB2345"), right("1AB2345", country="SK")
    slips = [right("IAB2345"), right("1AB2346"), right("1AB2356")]
    foreign = right("1AB2346", country="SK")
    found = [match for one in (exact, other, *slips, foreign) for match in matches(
        (seen("1AB2345"),), one
    )]  # fmt: skip
    few = excuse_few(found, "CZ")
    assert [match.right for match in few.exact] == [exact]
    assert [match.right for match in few.other_country] == [other]
    assert [[match.right for match in tier] for tier in few.candidates] == [[one] for one in slips]


def test_several_means_several_vehicles() -> None:
    one = Match(right("1AB2346"), "1AB2346", 1, exact=False)
    again = Match(right("1AB2346", id="w"), "1AB2346", 1, exact=False)
    other = Match(right("1AB2347"), "1AB2347", 1, exact=False)
    foreign = Match(right("1AB2346", country="SK"), "1AB2346", 1, exact=False)
    anywhere = Match(right("1AB2346", country=None), "1AB2346", 1, exact=False)
    assert not several([one])
    assert not several([one, again])
    assert several([one, other])
    assert several([one, foreign])
    assert not two_countries([one, anywhere])
    assert two_countries([one, anywhere, foreign])


def test_what_is_left_of_a_text_without_one_or_two_characters() -> None:
    assert shortened("XYW") == {"XYW", "YW", "XW", "XY", "X", "Y", "W"}
    assert shortened("X") == {"X", ""}
    assert shortened("VUX", UV) == shortened("UVX", UV)
    assert shortened("8X") == shortened("BX")
    assert len(shortened("1AC2345")) == 1 + 7 + 21


@given(st.text("ABU8", min_size=1, max_size=6), st.text("ABU8", min_size=1, max_size=6))
def test_what_is_near_shares_something_left_of_it(one: str, other: str) -> None:
    if cost(one, other) < FAR:
        assert shortened(one) & shortened(other)
