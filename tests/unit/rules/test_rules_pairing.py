"""Pairing: which entry belongs to which exit, and what is never enforced."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcement.rights.facts import Reading
from enforcement.rights.outcomes import Role, VisitStatus
from enforcement.visits.orphans import OrphanRate, orphan_rates
from enforcement.visits.pairing import Passage, Visit, pair
from enforcement.visits.passages import consensus, debounce
from tests.unit.rules.ruleplay import car_park, payment, read

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
LATER = START + timedelta(days=3)
DAY = timedelta(hours=24)
ROLES = {"in": Role.ENTRY, "out": Role.EXIT, "road": Role.PASSING}


def passage(
    id: str,
    camera: str,
    minute: float,
    text: str = "AB12CDE",
    country: str | None = "GB",
    confidence: float = 0.9,
    quarantined: bool = False,
) -> Passage:
    return Passage(
        id,
        camera,
        ROLES[camera],
        START + timedelta(minutes=minute),
        Reading(text, country, confidence),
        quarantined,
    )


def told(visits: list[Visit]) -> list[tuple[str | None, str | None, str]]:
    return [
        (
            visit.entry.id if visit.entry else None,
            visit.exit.id if visit.exit else None,
            visit.status.value
            + ("~" if visit.fuzzy else "")
            + ("!" if visit.contradictions else ""),
        )
        for visit in visits
    ]


@pytest.mark.parametrize(
    ("passages", "visits"),
    [
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60)], [("a", "b", "complete")],
            id="there and away",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 30),
             passage("c", "in", 300), passage("d", "out", 330)],
            [("a", "b", "complete"), ("c", "d", "complete")],
            id="double dip: two short visits are not one long one",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 300), passage("d", "out", 330)],
            [("a", None, "exit-missed"), ("c", "d", "complete")],
            id="re-entry means the exit was missed",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 30), passage("d", "out", 330)],
            [("a", "b", "complete")], id="a second exit is ignored",
        ),
        pytest.param(
            [passage("b", "out", 30)], [(None, "b", "entry-missed")], id="an orphan exit",
        ),
        pytest.param(
            [passage("b", "out", 30), passage("d", "out", 330)], [(None, "b", "entry-missed")],
            id="an orphan exit once",
        ),
        pytest.param(
            [passage("b", "out", 30), passage("c", "in", 60), passage("d", "out", 90)],
            [(None, "b", "entry-missed"), ("c", "d", "complete")],
            id="an orphan exit takes no later entry",
        ),
        pytest.param(
            [passage("a", "in", 0)], [("a", None, "expired")], id="who never leaves expires",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 1440)], [("a", "b", "complete")],
            id="exactly the maximum stay is a stay",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 1441)], [("a", "b", "expired")],
            id="a real exit after the maximum stay leaves it expired",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 2000), passage("d", "out", 2030)],
            [("a", None, "expired"), ("c", "d", "complete")],
            id="re-entry after the maximum leaves the first expired",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, quarantined=True)],
            [("a", None, "expired")], id="a read of a wrong clock pairs with nothing",
        ),
        # countries
        pytest.param(
            [passage("a", "in", 0, country=None), passage("b", "out", 60)],
            [("a", "b", "complete")], id="an unknown country is compatible",
        ),
        pytest.param(
            [passage("a", "in", 0, country="FR"), passage("c", "in", 10),
             passage("b", "out", 60, country="FR"), passage("d", "out", 70)],
            [("a", "b", "complete"), ("c", "d", "complete")],
            id="one text of two countries is two vehicles",
        ),
        pytest.param(
            [passage("a", "in", 0, country="FR"), passage("c", "in", 10),
             passage("b", "out", 60, country=None), passage("d", "out", 70)],
            [("a", "b", "complete~"), ("c", "d", "complete")],
            id="an exit that may be either's is nobody's exactly",
        ),
        pytest.param(
            [passage("a", "in", 0, country=None), passage("c", "in", 10, country=None),
             passage("b", "out", 60)],
            [("a", None, "exit-missed"), ("c", "b", "complete")],
            id="an unknown country comes again like any other",
        ),
        pytest.param(
            [passage("a", "in", 0, country="FR"), passage("b", "out", 60)],
            [("a", "b", "complete~")], id="a country misread pairs, but not to accuse",
        ),
        pytest.param(
            [passage("a", "in", 0, country="FR"), passage("b", "out", 60, "AB12CDF")],
            [("a", None, "expired"), (None, "b", "entry-missed")],
            id="another text of another country does not",
        ),
        # fuzzy
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, "AB12CDF")],
            [("a", "b", "complete~")], id="a misread exit pairs, but not to accuse",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, "AB12CFD")],
            [("a", None, "expired"), (None, "b", "entry-missed")],
            id="two slips are another vehicle",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, "AB12CDF"), passage("c", "out", 90)],
            [("a", "c", "complete"), (None, "b", "entry-missed")],
            id="exact comes before near, though near came first",
        ),
        pytest.param(
            [passage("b", "out", 0, "AB12CDF"), passage("a", "in", 60)],
            [(None, "b", "entry-missed"), ("a", None, "expired")],
            id="nobody leaves before coming",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 1441, "AB12CDF")],
            [("a", None, "expired"), (None, "b", "entry-missed")],
            id="a near exit beyond the maximum stay is another's",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 1440, "AB12CDF")],
            [("a", "b", "complete~")], id="a near exit at the maximum stay pairs",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, "AB12CDF"), passage("c", "in", 200),
             passage("d", "out", 260)],
            [("a", "b", "complete~"), ("c", "d", "complete")],
            id="a misread exit between two visits is the first's",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 200), passage("b", "out", 260, "AB12CDF")],
            [("a", None, "exit-missed"), ("c", "b", "complete~")],
            id="a misread exit after re-entry is the second's",
        ),
        pytest.param(
            [passage("x", "in", 5, "AB12CDF"), passage("y", "out", 30, "AB12CDF"),
             passage("a", "in", 0), passage("b", "out", 60, "AB12CDF")],
            [("a", "b", "complete~"), ("x", "y", "complete")],
            id="a second exit of one vehicle may be a near one's only exit",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 10, "A812CDE"),
             passage("b", "out", 60, "AB12CDF"), passage("d", "out", 70, "A812CDE")],
            [("a", "b", "complete~"), ("c", "d", "complete")],
            id="an equivalent text of its own is exact",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 10, "AB12CDX"),
             passage("b", "out", 60, "AB12CDF")],
            [("a", None, "expired"), ("c", "b", "complete~")],
            id="of two near entries the latest leaves first: the shorter stay is presumed",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 10, "AB12CDX"),
             passage("b", "out", 60, "A812CDE")],
            [("a", "b", "complete~"), ("c", None, "expired")],
            id="but the nearest text first",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 200), passage("d", "out", 260),
             passage("b", "out", 300, "AB12CDF")],
            [("a", None, "exit-missed"), ("c", "d", "complete"), (None, "b", "entry-missed")],
            id="who came again had left before: a later near exit is another's",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, "AB12CD")],
            [("a", "b", "complete~")], id="a missing character pairs",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, "AB12CXDE")],
            [("a", "b", "complete~")], id="an extra character pairs",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60, "AB12DCE")],
            [("a", "b", "complete~")], id="a swap pairs",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 0, "AB12CDF")],
            [("a", None, "expired"), (None, "b", "entry-missed")],
            id="nobody leaves under another text the instant they come",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60),
             passage("f", "out", 90, country="FR")],
            [("a", "b", "complete"), (None, "f", "entry-missed")],
            id="another country's exit repeats nothing",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("c", "in", 1440), passage("d", "out", 1500)],
            [("a", None, "exit-missed"), ("c", "d", "complete")],
            id="coming again at the maximum stay is not beyond it",
        ),
        # contradictions
        pytest.param(
            [passage("a", "in", 0), passage("r", "road", 30), passage("b", "out", 60)],
            [("a", "b", "complete!")], id="seen outside meanwhile",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("r", "road", 30, "A812CDE"), passage("b", "out", 60)],
            [("a", "b", "complete!")], id="an equivalent text outside is a contradiction",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("r", "road", 30, "AB12CDF"), passage("b", "out", 60)],
            [("a", "b", "complete")], id="a near one outside is another vehicle",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("r", "road", 30, country="FR"),
             passage("b", "out", 60)],
            [("a", "b", "complete")], id="so is one of another country",
        ),
        pytest.param(
            [passage("r", "road", -1), passage("a", "in", 0), passage("b", "out", 60),
             passage("s", "road", 61)],
            [("a", "b", "complete")], id="passing by before and after contradicts nothing",
        ),
        pytest.param(
            [passage("r", "road", 0), passage("a", "in", 0), passage("b", "out", 60)],
            [("a", "b", "complete!")], id="two places at once, at the start",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60), passage("r", "road", 60)],
            [("a", "b", "complete!")], id="two places at once, at the end",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("r", "road", 30, quarantined=True),
             passage("b", "out", 60)],
            [("a", "b", "complete")], id="a wrong clock contradicts nothing",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("r", "road", 30, "AB12CDF"),
             passage("b", "out", 60, "AB12CDF")],
            [("a", "b", "complete~!")], id="a fuzzy visit is contradicted by either text",
        ),
        pytest.param(
            [passage("a", "in", 0), passage("b", "out", 60), passage("a", "in", 0)],
            [("a", "b", "complete")], id="a passage delivered twice is one",
        ),
    ],
)  # fmt: skip
def test_pairing(passages: list[Passage], visits: list[tuple[str | None, str | None, str]]) -> None:
    assert told(pair(passages, now=LATER, max_stay=DAY)) == visits


def test_a_visit_is_open_until_the_maximum_stay_is_over() -> None:
    inside = [passage("a", "in", 0)]
    at_limit = pair(inside, now=START + DAY, max_stay=DAY)
    assert told(at_limit) == [("a", None, "open")]
    assert at_limit[0].end is None
    beyond = pair(inside, now=START + DAY + timedelta(seconds=1), max_stay=DAY)
    assert told(beyond) == [("a", None, "expired")]
    assert beyond[0].end == START + DAY


def test_a_near_exit_closes_a_visit_that_is_still_open() -> None:
    two = [passage("a", "in", 0), passage("b", "out", 60, "AB12CDF")]
    visits = pair(two, now=START + timedelta(hours=2), max_stay=DAY)
    assert told(visits) == [("a", "b", "complete~")]


def test_inferred_ends() -> None:
    visits = pair(
        [passage("a", "in", 0), passage("c", "in", 300), passage("d", "out", 2000)],
        now=LATER,
        max_stay=DAY,
    )
    assert [visit.end for visit in visits] == [
        START + timedelta(minutes=300),
        START + timedelta(minutes=300) + DAY,
    ]


def test_a_sites_own_classes_count_when_pairing() -> None:
    two = [passage("a", "in", 0, "GB12CGX"), passage("b", "out", 60, "CB12CCX")]
    assert told(pair(two, now=LATER, max_stay=DAY))[0][1] is None
    assert told(pair(two, now=LATER, max_stay=DAY, classes=("GC",))) == [("a", "b", "complete~")]
    seen = [*two[:1], passage("b", "out", 60, "GB12CGX"), passage("r", "road", 30, "CB12CCX")]
    assert told(pair(seen, now=LATER, max_stay=DAY)) == [("a", "b", "complete")]
    assert told(pair(seen, now=LATER, max_stay=DAY, classes=("GC",))) == [("a", "b", "complete!")]


TEXTS = st.sampled_from(["AB12CDE", "AB12CDF", "A812CDE", "AB12CFD", "ZZ99ZZZ"])
PASSAGES = st.lists(
    st.builds(
        passage,
        id=st.uuids().map(str),
        camera=st.sampled_from(["in", "in", "out", "out", "road"]),
        minute=st.integers(0, 3000).map(lambda n: n / 2),
        text=TEXTS,
        country=st.sampled_from(["GB", "GB", "FR", None]),
        quarantined=st.sampled_from([False, False, False, True]),
    ),
    max_size=14,
)


@given(PASSAGES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_arrival_changes_nothing(
    passages: list[Passage], shuffler: random.Random
) -> None:
    shuffled = list(passages)
    shuffler.shuffle(shuffled)
    assert pair(passages, now=LATER, max_stay=DAY) == pair(shuffled, now=LATER, max_stay=DAY)
    assert debounce(passages) == debounce(shuffled)


@given(PASSAGES)
@settings(deadline=None)
def test_what_always_holds(passages: list[Passage]) -> None:
    visits = pair(passages, now=LATER, max_stay=timedelta(hours=12))
    used = [one.id for visit in visits for one in visit.passages]
    assert len(used) == len(set(used)), "no passage belongs to two visits"
    entries = {one.id for one in passages if one.role is Role.ENTRY and not one.quarantined}
    assert {visit.entry.id for visit in visits if visit.entry} == entries, "no entry is lost"
    for visit in visits:
        if visit.entry is not None and visit.exit is not None:
            assert visit.entry.at <= visit.exit.at
        if visit.status is VisitStatus.COMPLETE:
            assert visit.exit is not None
            assert visit.exit.at - visit.start <= timedelta(hours=12)
            texts = {one.reading.text for one in visit.passages}
            assert visit.fuzzy or len(texts) == 1
            # the classic wrongful charge: an exact visit spans no other sight of the vehicle
            if not visit.fuzzy:
                between = [
                    one
                    for one in passages
                    if one.role is not Role.PASSING
                    and not one.quarantined
                    and one.reading.text == visit.text
                    and visit.start < one.at < visit.exit.at
                    and one.reading.country
                    == visit.passages[0].reading.country
                    == visit.exit.reading.country
                ]
                assert not between


class TestDebounce:
    def gathered(self, *reads: Passage) -> list[tuple[str, ...]]:
        return [one.reads for one in debounce(reads)]

    def test_a_gap_of_45_seconds_is_the_same_passage(self) -> None:
        assert self.gathered(passage("a", "in", 0), passage("b", "in", 0.75)) == [("a", "b")]

    def test_a_second_more_is_another(self) -> None:
        assert self.gathered(passage("a", "in", 0), passage("b", "in", 46 / 60)) == [
            ("a",),
            ("b",),
        ]

    def test_a_vehicle_that_stands_long_passes_once(self) -> None:
        reads = [passage(f"{n:02}", "in", n * 0.75) for n in range(20)]
        assert len(self.gathered(*reads)) == 1

    def test_two_cameras_are_two_passages(self) -> None:
        assert len(self.gathered(passage("a", "in", 0), passage("b", "out", 0.1))) == 2

    def test_two_vehicles_are_two_passages(self) -> None:
        two = self.gathered(
            passage("a", "in", 0), passage("b", "in", 0.1, "ZZ99ZZZ"), passage("c", "in", 0.2)
        )
        assert two == [("a", "c"), ("b",)]

    def test_two_countries_are_two_vehicles(self) -> None:
        assert len(self.gathered(passage("a", "in", 0), passage("b", "in", 0.1, country="FR"))) == 2

    def test_an_unknown_country_joins(self) -> None:
        (one,) = debounce([passage("a", "in", 0, country=None), passage("b", "in", 0.1)])
        assert one.reading.country == "GB"

    def test_a_wrong_clock_stands_apart(self) -> None:
        apart = self.gathered(passage("a", "in", 0), passage("b", "in", 0.1, quarantined=True))
        assert len(apart) == 2

    def test_the_text_is_what_most_frames_say(self) -> None:
        (one,) = debounce(
            [
                passage("a", "in", 0, "AB12CDF", confidence=0.99),
                passage("b", "in", 0.1, confidence=0.6),
                passage("c", "in", 0.2, confidence=0.7),
            ]
        )
        assert one.reading.text == "AB12CDE"
        assert one.reading.confidence == 0.7
        assert one.reading.agreed
        assert one.reading.candidates == ("AB12CDF",)
        assert (one.id, one.at) == ("a", START)

    def test_an_equivalent_text_joins_the_nearer_passage(self) -> None:
        two = self.gathered(
            passage("a", "in", 0, "AB12CDE"),
            passage("b", "in", 0, "ABI2CFF"),
            passage("c", "in", 0.1, "ABI2CDE"),
            passage("d", "in", 0.2, "ABI2CFF"),
        )
        assert two == [("a", "c"), ("b", "d")]

    def test_of_two_near_passages_the_nearest_text_is_joined(self) -> None:
        british = passage("a", "in", 0)
        for text in ("A812CDE", "AB12CDF"):
            french = passage("b", "in", 0.1, text, country="FR")
            unknown = passage("c", "in", 0.2, country=None)
            assert self.gathered(british, french, unknown) == [("a", "c"), ("b",)]
        french = passage("b", "in", 0.1, "AB12CDF", country="FR")
        equivalent = passage("c", "in", 0.2, "A812CDE", country=None)
        assert self.gathered(british, french, equivalent) == [("a", "c"), ("b",)]

    def test_a_frame_near_any_frame_of_a_passage_joins_it(self) -> None:
        chain = [
            passage("a", "in", 0),
            passage("b", "in", 0.1, "AB12CDF"),
            passage("c", "in", 0.2, "AB12CXF"),
        ]
        assert self.gathered(*chain) == [("a", "b", "c")]

    def test_two_frames_that_differ_agree_on_nothing(self) -> None:
        (one,) = debounce(
            [passage("a", "in", 0, "AB12CDF", confidence=0.8), passage("b", "in", 0.1)]
        )
        assert one.reading.text == "AB12CDE"  # the surer
        assert not one.reading.agreed

    def test_conflicting_countries_of_agreeing_frames_are_unknown(self) -> None:
        one = consensus(
            [Reading("A1", "GB", 0.9), Reading("A1", "FR", 0.9), Reading("A1", "GB", 1)]
        )
        assert one.country is None


def test_frames_that_disagree_accuse_nobody_but_excuse() -> None:
    reads = [
        read("r1", "in", "09:00:00", "AB12CDE"),
        read("r2", "in", "09:00:02", "AB12CDF", confidence=0.9),
        read("r3", "out", "10:30:00", "AB12CDE"),
    ]
    assert car_park(reads).visit()["reason"] == "low-confidence"
    paid = car_park(reads, [payment("p1", "AB12CDE", "09:00", "11:00")])
    assert paid.visit()["verdict"] == "paid"


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        pytest.param(
            [read("a", "in", "09:00", "AB12CDE"), read("r", "road", "09:30", "AB12CDE"),
             read("b", "out", "12:00", "AB12CDE")],
            ("complete", False, "review", "contradiction"), id="seen outside meanwhile",
        ),
        pytest.param(
            [read("a", "in", "09:00", "AB12CDE"), read("b", "out", "12:00", "AB12CDF")],
            ("complete", False, "review", "fuzzy-pairing"), id="paired by a near text",
        ),
        pytest.param(
            [read("a", "in", "09:00", "AB12CDE"), read("r", "road", "09:30", "AB12CDE"),
             read("b", "out", "12:00", "AB12CDF")],
            ("complete", False, "review", "contradiction"), id="both: the first gives the reason",
        ),
        pytest.param(
            [read("a", "in", "09:00", "AB12CDE"), read("c", "in", "12:00", "AB12CDE"),
             read("d", "out", "13:00", "AB12CDE")],
            ("exit-missed", False, "none", "inferred-end"), id="an inferred end",
        ),
        pytest.param(
            [read("b", "out", "12:00", "AB12CDE")],
            ("entry-missed", False, "none", "inferred-end"), id="an orphan exit is no charge",
        ),
        pytest.param(
            [read("a", "in", "09:00", "AB12CDE"),
             read("b", "out", "2026-03-03T09:00:01+00:00", "AB12CDE")],
            ("expired", False, "none", "inferred-end"), id="a real exit after the maximum stay",
        ),
        pytest.param(
            [read("a", "in", "09:00", "AB12CDE"), read("b", "out", "12:00", "AB12CDE")],
            ("complete", True, "unpaid", "no-right"), id="nothing in doubt",
        ),
    ],
)  # fmt: skip
def test_what_is_never_a_candidate(
    reads: list[dict[str, Any]], expected: tuple[str, bool, str, str]
) -> None:
    visit = car_park(reads).visit()
    assert tuple(visit[key] for key in ("status", "enforceable", "verdict", "reason")) == expected
    assert (visit["case"] == "candidate") == (expected[3] == "no-right")


@pytest.mark.parametrize("paid", ["AB12CDE", "AB12CDF"])
def test_a_fuzzy_visit_is_paid_by_the_right_of_either_text(paid: str) -> None:
    reads = [read("a", "in", "09:00", "AB12CDE"), read("b", "out", "10:30", "AB12CDF")]
    visit = car_park(reads, [payment("p1", paid, "09:00", "11:00")]).visit()
    assert (visit["verdict"], visit["reason"]) == ("paid", "payment")
    assert visit["plate"] == "AB12CDE"


def test_separate_payments_are_not_enforceable() -> None:
    reads = [read("a", "in", "09:00", "AB12CDE"), read("b", "out", "17:00", "AB12CDE")]
    rights = [
        payment("p1", "AB12CDE", "09:00", "10:00"),
        payment("p2", "AB12CDE", "15:00", "17:00"),
    ]
    assert car_park(reads, rights).visit()["enforceable"] is False


def test_a_late_read_pairs_and_judges_again() -> None:
    late = {"received_at": "2026-03-03T00:00:00+00:00"}
    reads = [
        read("a", "in", "09:00", "AB12CDE"),
        read("b", "out", "09:04", "AB12CDE", **late),
        read("c", "in", "15:00", "AB12CDE", **late),
        read("d", "out", "15:30", "AB12CDE"),
    ]
    before = car_park(reads, now="2026-03-02T23:00:00+00:00")
    assert told(before.visits) == [("a", "d", "complete")]
    assert before.visit()["verdict"] == "unpaid"
    after = car_park(reads)
    assert told(after.visits) == [("a", "b", "complete"), ("c", "d", "complete")]
    assert after.visit(0)["verdict"] == "excused"


class TestOrphanRates:
    def test_every_settled_passage_counts_once(self) -> None:
        passages = [
            passage("a", "in", 0), passage("b", "out", 60),  # a pair
            passage("c", "out", 120),  # ignored
            passage("d", "in", 0, "ZZ99ZZZ"), passage("e", "in", 100, "ZZ99ZZZ"),  # missed, open
            passage("f", "out", 0, "YY88YYY"),  # orphan
            passage("g", "in", 30, quarantined=True), passage("h", "road", 30),
        ]  # fmt: skip
        visits = pair(passages, now=START + timedelta(hours=3), max_stay=DAY)
        assert orphan_rates(passages, visits) == {"in": OrphanRate(2, 1), "out": OrphanRate(3, 2)}

    @pytest.mark.parametrize(
        ("rate", "suspends"),
        [
            (OrphanRate(50, 10), False),  # exactly 20 %
            (OrphanRate(50, 11), True),
            (OrphanRate(49, 49), False),  # too few to tell
        ],
    )
    def test_above_a_fifth_of_fifty(self, rate: OrphanRate, suspends: bool) -> None:
        assert rate.suspends() is suspends
