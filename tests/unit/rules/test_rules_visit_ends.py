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


@pytest.mark.parametrize(
    ("visit", "status", "hours"),
    [
        pytest.param(paired(IN, OUT), VisitStatus.COMPLETE, 2, id="at its exit"),
        pytest.param(paired(OUT), VisitStatus.ENTRY_MISSED, 2, id="an orphan at its exit"),
        pytest.param(paired(IN, AGAIN), VisitStatus.EXIT_MISSED, 3, id="when it came again"),
        pytest.param(
            paired(IN, AGAIN, longest=HOUR), VisitStatus.EXPIRED, 1, id="at most after the longest"
        ),
        pytest.param(
            paired(IN, AGAIN, longest=3 * HOUR),
            VisitStatus.EXIT_MISSED,
            3,
            id="having come again after exactly the longest",
        ),
        pytest.param(paired(IN, longest=HOUR), VisitStatus.EXPIRED, 1, id="never seen again"),
        pytest.param(
            paired(IN, OUT, longest=HOUR), VisitStatus.EXPIRED, 1, id="seen too late to end it"
        ),
        pytest.param(
            paired(IN, passage("out", Role.EXIT, 2, "AB12CDF")),
            VisitStatus.COMPLETE,
            2,
            id="at an exit that nearly fits",
        ),
        pytest.param(
            paired(IN, passage("road", Role.PASSING, 1), OUT),
            VisitStatus.COMPLETE,
            2,
            id="at its exit though it was seen outside",
        ),
    ],
)
def test_a_visit_ends(visit: Visit, status: VisitStatus, hours: float) -> None:
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
