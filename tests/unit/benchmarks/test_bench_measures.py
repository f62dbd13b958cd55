"""The arithmetic behind the benchmark's figures, on made-up boxes with known results."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures import (
    Box,
    Found,
    at_plate,
    average_precision,
    folded,
    height_class,
    height_classes,
    iou,
    recall,
    reliability,
    right_above,
    share,
)

WHOLE: Box = (0, 0, 100, 40)
FAR: Box = (500, 500, 600, 540)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (WHOLE, 1.0),
        ((0, 0, 50, 40), 0.5),
        ((50, 0, 150, 40), 1 / 3),
        ((100, 0, 200, 40), 0.0),
        (FAR, 0.0),
        ((20, 20, 10, 10), 0.0),
    ],
)
def test_overlap(other: Box, expected: float) -> None:
    assert iou(WHOLE, other) == pytest.approx(expected)
    assert iou(other, WHOLE) == pytest.approx(expected)


def test_an_empty_box_overlaps_nothing() -> None:
    assert iou((5, 5, 5, 5), (5, 5, 5, 5)) == 0.0
    assert not at_plate((5, 5, 5, 5), WHOLE)


def test_a_line_of_a_plate_is_at_it_and_a_neighbour_is_not() -> None:
    assert at_plate((10, 5, 90, 30), WHOLE)
    assert at_plate((-40, -20, 140, 60), WHOLE)
    assert not at_plate((60, 30, 160, 70), WHOLE)


def test_recall_counts_each_true_box_once() -> None:
    pictures = [
        ([WHOLE], [(0, 0, 100, 39), (0, 0, 99, 40)]),
        ([WHOLE, FAR], [(0, 0, 41, 40)]),
        ([], [WHOLE]),
    ]
    assert recall(pictures, 0.4) == pytest.approx(2 / 3)
    assert recall(pictures, 0.5) == pytest.approx(1 / 3)
    assert recall([([], [WHOLE])], 0.4) is None


def test_average_precision_of_a_worked_example() -> None:
    """Ranked: hit, miss, hit, miss, hit, and one plate never found, so of four true plates
    recall ¼, ½, ¾ come at precision 1, ⅔, ⅗: (1 + ⅔ + ⅗) / 4."""
    rows: list[tuple[list[Box], list[Found]]] = [
        ([WHOLE], [Found(WHOLE, 0.9), Found(FAR, 0.8)]),
        ([WHOLE], [Found(WHOLE, 0.7), Found(FAR, 0.6)]),
        ([WHOLE, FAR], [Found(WHOLE, 0.5)]),
    ]
    assert average_precision(rows) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_average_precision_takes_the_best_precision_from_there_on() -> None:
    """Miss, hit, hit: precision ½ at the first hit is lifted to the ⅔ of the second."""
    rows = [([WHOLE, FAR], [Found((300, 0, 400, 40), 0.9), Found(WHOLE, 0.8), Found(FAR, 0.7)])]
    assert average_precision(rows) == pytest.approx(2 / 3)


def test_a_second_mark_on_a_plate_is_a_false_one() -> None:
    twice = [([WHOLE], [Found(WHOLE, 0.9), Found((0, 0, 99, 40), 0.8)])]
    assert average_precision(twice) == 1.0
    before = [([WHOLE], [Found((0, 0, 99, 40), 0.9)]), ([WHOLE], [Found(FAR, 0.95)])]
    assert average_precision(before) == pytest.approx(0.25)


def test_average_precision_without_marks_or_without_plates() -> None:
    assert average_precision([([WHOLE], [])]) == 0.0
    assert average_precision([([], [Found(WHOLE, 0.5)])]) is None


@given(st.lists(st.tuples(st.floats(0.01, 1), st.booleans()), min_size=1, max_size=30))
def test_average_precision_stays_a_share(marks: list[tuple[float, bool]]) -> None:
    rows = [([WHOLE], [Found(WHOLE if hit else FAR, score)]) for score, hit in marks]
    value = average_precision(rows)
    assert value is not None
    assert 0 <= value <= sum(hit for _, hit in marks) / len(marks) + 1e-9


def test_look_alikes_fold_to_one() -> None:
    assert folded("OQD0I1B8") == "000011B8"


@pytest.mark.parametrize(
    ("height", "name"),
    [(1, "<15"), (14.9, "<15"), (15, "15–20"), (29.9, "20–30"), (30, "30–45"), (45, "≥45")],
)
def test_classes_of_height(height: float, name: str) -> None:
    assert height_class((0, 10, 100, 10 + height)) == name
    assert name in height_classes()


def test_classes_of_height_are_in_order() -> None:
    assert height_classes() == ["<15", "15–20", "20–30", "30–45", "≥45"]


def test_reliability_sorts_scores_into_bins() -> None:
    bins = reliability([(0.91, True), (0.99, True), (1.0, False), (0.25, False)])
    assert [(one.low, one.count) for one in bins] == [(0.2, 1), (0.9, 3)]
    assert bins[1].right == pytest.approx(2 / 3)
    assert bins[1].mean_score == pytest.approx((0.91 + 0.99 + 1.0) / 3)
    assert reliability([]) == []


def test_what_a_threshold_buys() -> None:
    rows = right_above([(0.95, True), (0.9, False), (0.5, True)], floors=(0.5, 0.9, 0.99))
    assert [(one.count, one.right) for one in rows] == [(3, 2 / 3), (2, 0.5), (0, None)]


def test_share_of_values() -> None:
    assert share([3, 1, 2], 0.5) == 2
    assert share([1, 2], 1.0) == 2
    assert share([], 0.5) is None
