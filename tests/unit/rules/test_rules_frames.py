"""Frames into passages, where several passages would do; and what frames amount to."""

from datetime import UTC, datetime, timedelta

import pytest

from enforcement.rights.facts import Reading
from enforcement.rights.outcomes import Role
from enforcement.visits.pairing import Passage
from enforcement.visits.passages import consensus, debounce

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def frame(id: str, second: float, text: str) -> Passage:
    at = START + timedelta(seconds=second)
    return Passage(id, "in", Role.ENTRY, at, Reading(text, "GB", 0.9))


def test_a_frame_as_near_to_one_as_to_the_other_joins_the_later() -> None:
    two = debounce([frame("a", 0, "AB12CDE"), frame("b", 1, "AB12CXF"), frame("c", 2, "AB12CDF")])
    assert [one.reads for one in two] == [("a",), ("b", "c")]


def test_a_sites_own_classes_join_frames() -> None:
    two = [frame("a", 0, "GG12CDE"), frame("b", 1, "CC12CDE")]
    assert len(debounce(two)) == 2
    assert len(debounce(two, classes=("GC",))) == 1


@pytest.mark.parametrize(
    ("readings", "text"),
    [
        # two votes each: the sum of confidences decides, not the best and not the last
        ([("A1", 0.6), ("A1", 0.6), ("B1", 0.1), ("B1", 0.9)], "A1"),
        ([("B1", 0.9), ("B1", 0.1), ("A1", 0.6), ("A1", 0.6)], "A1"),
        ([("A1", 0.5), ("B1", 0.5)], "A1"),  # the earlier
        ([("A1", 0.9), ("B1", 0.1), ("B1", 0.1)], "B1"),
    ],
)
def test_the_text_of_several_frames(readings: list[tuple[str, float]], text: str) -> None:
    one = consensus([Reading(text, "GB", confidence) for text, confidence in readings])
    assert one.text == text
