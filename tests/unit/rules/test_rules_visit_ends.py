"""When a visit ends, which is when a shared permit's place is free and a payment's vehicle gone."""

from datetime import UTC, datetime, timedelta

import pytest

from enforcement.rights.facts import Reading
from enforcement.rights.outcomes import Role, VisitStatus
from enforcement.visits.pairing import Passage, Visit, pair

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def passage(id: str, role: Role, hours: float, text: str = "AB12CDE") -> Passage:
    return Passage(id, role.value, role, START + hours * HOUR, Reading(text, "GB", 0.9))


def paired(*passages: Passage, longest: timedelta = 24 * HOUR, **more: tuple[str, ...]) -> Visit:
    return pair(passages, now=START + 48 * HOUR, max_stay=longest, **more)[0]


IN, OUT = passage("in", Role.ENTRY, 0), passage("out", Role.EXIT, 2)
AGAIN = passage("again", Role.ENTRY, 3)
NEAR = passage("out", Role.EXIT, 2, "AB12CDF")
ROAD = passage("road", Role.PASSING, 1)


@pytest.mark.parametrize(
    ("passages", "longest", "status", "hours"),
    [
        pytest.param((IN, OUT), 24, VisitStatus.COMPLETE, 2, id="at its exit"),
        pytest.param((OUT,), 24, VisitStatus.ENTRY_MISSED, 2, id="an orphan at its exit"),
        pytest.param((IN, AGAIN), 24, VisitStatus.EXIT_MISSED, 3, id="when it came again"),
        pytest.param((IN, AGAIN), 1, VisitStatus.EXPIRED, 1, id="after the longest at most"),
        pytest.param((IN, AGAIN), 3, VisitStatus.EXIT_MISSED, 3, id="exactly the longest"),
        pytest.param((IN,), 1, VisitStatus.EXPIRED, 1, id="never seen again"),
        pytest.param((IN, OUT), 1, VisitStatus.EXPIRED, 1, id="seen too late to end it"),
        pytest.param((IN, NEAR), 24, VisitStatus.COMPLETE, 2, id="at an exit that nearly fits"),
        pytest.param((IN, ROAD, OUT), 24, VisitStatus.COMPLETE, 2, id="though seen outside"),
    ],
)
def test_a_visit_ends(
    passages: tuple[Passage, ...], longest: int, status: VisitStatus, hours: float
) -> None:
    visit = paired(*passages, longest=longest * HOUR)
    assert visit.status is status
    assert visit.end == START + hours * HOUR
    assert visit.presence().end == visit.end


@pytest.mark.parametrize(("entry", "exit_"), [("GB12CGX", "CB12CCX"), ("CB12CCX", "GB12CGX")])
def test_a_sites_own_classes_pair_either_way_round(entry: str, exit_: str) -> None:
    two = passage("in", Role.ENTRY, 0, entry), passage("out", Role.EXIT, 2, exit_)
    assert paired(*two).exit is None
    assert paired(*two, classes=("GC",)).exit == two[1]


def test_the_nearest_text_takes_an_exit_before_the_nearest_time() -> None:
    slip = passage("slip", Role.ENTRY, 1, "AB12CDF")
    alike = passage("alike", Role.ENTRY, 0, "A812CDE")
    visits = pair([slip, alike, OUT], now=START + 4 * HOUR, max_stay=24 * HOUR)
    assert [(visit.id, visit.exit) for visit in visits] == [("alike", OUT), ("slip", None)]


def test_of_texts_equally_near_the_later_entry_takes_the_exit() -> None:
    early, late = (
        passage("early", Role.ENTRY, 0, "AB12CDF"),
        passage("late", Role.ENTRY, 1, "AB12CDG"),
    )
    visits = pair([early, late, OUT], now=START + 4 * HOUR, max_stay=24 * HOUR)
    assert [(visit.id, visit.exit) for visit in visits] == [("early", None), ("late", OUT)]
