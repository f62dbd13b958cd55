"""What is made unrecognisable stays so: nothing of a character is left to sharpen."""

from typing import Any

import cv2
import numpy as np
import pytest

from edge.blur import CELLS_HIGH, blurred, grown
from inference.engine import default_engine
from inference.geometry import box_of
from inference.results import Picture
from tests.unit.inference.drawnplates import plate_face, scene_with

CORNERS = [(300.0, 200.0), (520.0, 205.0), (518.0, 255.0), (298.0, 250.0)]


@pytest.fixture(scope="module")
def street() -> tuple[Picture, Any]:
    picture = scene_with(plate_face("1AB2345"), CORNERS)
    return picture, box_of(CORNERS, 800, 500)


def test_none_is_the_very_picture(street: tuple[Picture, Any]) -> None:
    picture, box = street
    assert blurred(picture, [box], "none") is picture


def test_plates_are_gone_and_all_else_is_untouched(street: tuple[Picture, Any]) -> None:
    picture, box = street
    before = picture.copy()
    shown = blurred(picture, [box], "plates")
    assert np.array_equal(picture, before)
    x1, y1, x2, y2 = grown(box, 800, 500)
    outside = np.ones(picture.shape[:2], bool)
    outside[y1:y2, x1:x2] = False
    assert np.array_equal(shown[outside], picture[outside])
    # what is left of the plate is fewer values than a character has strokes
    colours = len(np.unique(shown[y1:y2, x1:x2].reshape(-1, 3), axis=0))
    assert colours <= CELLS_HIGH * round((x2 - x1) / ((y2 - y1) / CELLS_HIGH))
    assert colours < 40


def test_what_is_blurred_is_not_read_any_more(street: tuple[Picture, Any]) -> None:
    picture, box = street
    engine = default_engine()
    assert [plate.text for plate in engine.read(picture).plates] == ["1AB2345"]
    assert engine.read(blurred(picture, [box], "plates")).plates == ()
    kept = engine.read(blurred(picture, [box], "surroundings")).plates
    assert [plate.text for plate in kept] == ["1AB2345"]


def test_surroundings_lose_a_face_and_keep_the_plate(street: tuple[Picture, Any]) -> None:
    picture, box = street
    picture = picture.copy()
    cv2.circle(picture, (650, 120), 12, (200, 220, 240), -1)
    shown = blurred(picture, [box], "surroundings")
    x1, y1, x2, y2 = box
    assert np.array_equal(shown[y1:y2, x1:x2], picture[y1:y2, x1:x2])
    around = shown[100:140, 630:670]
    assert len(np.unique(around.reshape(-1, 3), axis=0)) <= 9


@pytest.mark.parametrize(
    "place", [(-20.0, -5.0, 30.0, 12.0), (780, 490, 900, 600), (790, 10, 790, 10), (-9, -9, -5, -5)]
)
@pytest.mark.parametrize("what", ["plates", "surroundings"])
def test_a_place_at_or_beyond_the_edge_will_do(place: Any, what: Any) -> None:
    picture = np.full((500, 800, 3), 90, np.uint8)
    assert blurred(picture, [place], what).shape == picture.shape
