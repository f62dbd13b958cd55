"""Painting plates out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measures import Box
from benchmarks.paint import paint_out
from inference.results import Picture


@pytest.fixture
def street() -> Picture:
    """A grey slope with a plate of sharp black bars on white at (200–280, 100–120)."""
    slope = np.linspace(60, 160, 400, dtype=np.float32)[None, :, None]
    picture = np.repeat(np.repeat(slope, 240, axis=0), 3, axis=2).astype(np.uint8)
    picture[100:120, 200:280] = 250
    picture[103:117, 204:276:6] = 5
    picture[103:117, 205:276:6] = 5
    return picture


def sharpest(picture: Picture) -> int:
    """The largest step between neighbouring pixels of a row, where the plate is or was."""
    around = picture[95:125, 190:290].astype(np.int16)
    return int(np.abs(np.diff(around, axis=1)).max())


PLATE: Box = (200, 100, 280, 120)


def test_nothing_of_the_plate_is_left(street: Picture) -> None:
    painted = paint_out(street, [PLATE])
    assert sharpest(street) > 200
    assert sharpest(painted) < 20
    expected = np.linspace(60, 160, 400)[200:280].mean()
    assert painted[100:120, 200:280].mean() == pytest.approx(expected, abs=12)


def test_a_plate_that_fills_the_picture_goes_too(street: Picture) -> None:
    painted = paint_out(street, [(0, 0, 400, 240)])
    assert (painted == painted[0, 0]).all()


def test_the_rest_and_the_given_picture_stay(street: Picture) -> None:
    before = street.copy()
    painted = paint_out(street, [PLATE])
    assert (street == before).all()
    far = np.ones(street.shape[:2], bool)
    far[90:130, 190:290] = False
    assert (painted[far] == street[far]).all()


def test_the_same_picture_is_painted_the_same_way(street: Picture) -> None:
    assert (paint_out(street, [PLATE]) == paint_out(street, [PLATE])).all()


@pytest.mark.parametrize(
    "box",
    [
        (-30, -10, 40, 15),
        (380, 220, 460, 260),
        (0, 0, 400, 240),
        (500, 500, 580, 520),
        (5, 5, 5, 5),
    ],
)
def test_boxes_at_and_beyond_the_edge(street: Picture, box: Box) -> None:
    painted = paint_out(street, [box])
    assert painted.shape == street.shape
    assert painted.dtype == np.uint8
