"""From answers to figures, on answers written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import scores
from benchmarks.datasets import Labelled
from benchmarks.measures import Box, Found
from benchmarks.systems import Answer, Read, as_answer

PLATE: Box = (100, 100, 180, 120)
OTHER: Box = (400, 100, 480, 120)
ELSEWHERE: Box = (700, 300, 780, 320)


def picture(text: str = "AB12CD", others: tuple[Box, ...] = ()) -> Labelled:
    return Labelled("x", Path("x.jpg"), "eu", (PLATE,), (text,), others)


def answer(*plates: tuple[str, Box, float], found: tuple[Found, ...] = ()) -> Answer:
    ms = {"decode": 1.0, "detect": 2.0, "read": 3.0, "text": 0.5}
    return Answer(tuple(Read(*plate) for plate in plates), ms, 6.5, 6.0, found, 0.25)


def test_exact_and_folded() -> None:
    seen = [
        (picture("AB12CD"), answer(("AB12CD", PLATE, 0.9))),
        (picture("AB10CO"), answer(("AB1OC0", PLATE, 0.9))),
        (picture("AB12CD"), answer()),
        (picture("AB12CD"), answer(("AB12C", PLATE, 0.9), ("AB12CD", OTHER, 0.3))),
    ]
    figures = scores.recognition(seen)
    assert figures["exact"] == 0.5
    assert figures["folded"] == 0.75
    assert figures["pictures"] == 4


def test_a_second_reading_of_a_plate_is_one_too_many() -> None:
    twice = (picture(), answer(("AB12CD", PLATE, 0.9), ("FRAME", (100, 112, 170, 121), 0.5)))
    assert [plate.text for plate in scores.extra_plates(twice)] == ["FRAME"]


def test_a_plate_nobody_wrote_down_is_neither_extra_nor_judged() -> None:
    plates = (("AB12CD", PLATE, 0.9), ("ZZ9", OTHER, 0.8), ("SIGN", ELSEWHERE, 0.7))
    known = (picture(others=(OTHER,)), answer(*plates))
    assert [plate.text for plate in scores.extra_plates(known)] == ["SIGN"]
    assert scores.judged([known]) == [(0.9, True), (0.7, False)]
    assert len(scores.extra_plates((picture(), answer(*plates)))) == 2


def test_detection_ignores_marks_on_plates_without_a_label() -> None:
    marks = (Found(OTHER, 0.9), Found(PLATE, 0.8), Found(ELSEWHERE, 0.1))
    with_other = scores.detection([(picture(others=(OTHER,)), answer(found=marks))])
    assert with_other == {"recall": 1.0, "ap50": 1.0}
    assert scores.detection([(picture(), answer(found=marks))])["ap50"] == 0.5


def test_recall_is_of_boxes_that_are_read() -> None:
    below_the_floor = (Found(PLATE, 0.2),)
    figures = scores.detection([(picture(), answer(found=below_the_floor))])
    assert figures == {"recall": 0.0, "ap50": 1.0}


def test_by_height() -> None:
    figures = scores.by_height([(picture(), answer(("AB12CD", PLATE, 0.9)))])
    assert figures["20–30"] == {"plates": 1, "exact": 1.0}
    assert figures["<15"] == {"plates": 0, "exact": None}


def test_false_reads_count_pictures_and_readings() -> None:
    bare = Labelled("x", Path("x.jpg"), "eu", ())
    seen = [(bare, answer()), (bare, answer(("A", PLATE, 0.95), ("B", OTHER, 0.4)))]
    assert scores.false_reads(seen) == {
        "pictures": 2,
        "with_false_read": 1,
        "reads": 2,
        "reads_at_0.9": 1,
    }


def test_provinces() -> None:
    def crop(text: str) -> Labelled:
        return Labelled("x", Path("x.png"), text[0], (), (text,))

    seen = [
        (crop("皖A12345"), answer(("皖A12345", PLATE, 0.9))),
        (crop("皖B12345"), answer(("沪B12345", PLATE, 0.9))),
        (crop("沪C12345"), answer(("C12345", PLATE, 0.9))),
    ]
    figures = scores.crops(seen)
    assert figures["exact"] == pytest.approx(1 / 3)
    assert figures["exact_without_province"] == 1.0
    assert figures["provinces"]["皖"] == {"crops": 2, "exact": 0.5}


def test_times_are_medians_by_stage() -> None:
    figures = scores.times([answer(), answer()])
    assert (figures["detect"], figures["all_p50"], figures["cpu_p50"]) == (2.0, 6.5, 6.0)


def test_a_line_of_the_protocol_becomes_an_answer() -> None:
    line = {
        "plates": [{"text": "A1", "box": [1, 2, 3, 4], "score": 1}],
        "ms": {"decode": 1.0},
        "all_ms": 2.0,
        "cpu_ms": 1.5,
        "found": [[1, 2, 3, 4, 0.5]],
        "floor": 0.25,
    }
    made = as_answer(line)
    assert made.plates == (Read("A1", (1.0, 2.0, 3.0, 4.0), 1.0),)
    assert made.found == (Found((1.0, 2.0, 3.0, 4.0), 0.5),)
    assert as_answer({**line, "found": []}).found == ()
