"""Corners, cuts, and which lines belong together."""

from itertools import permutations

import cv2
import numpy as np
import pytest

from inference.decode import decode
from inference.detector import lines_from_map
from inference.geometry import (
    as_quad,
    box_of,
    enclose,
    grow,
    light_share,
    order_corners,
    overlap,
    rectify,
    side_lengths,
    slope,
)
from inference.lines import Line, best_of_place, joined, likeness, may_stack, refusal, stacked
from inference.results import Corners
from inference.syntaxes import grammar_for
from tests.unit.inference.drawnplates import emissions_of, plate_face, scene_with


def box(x: float, y: float, width: float, height: float) -> Corners:
    return np.array(
        [[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float32
    )


def turned(corners: Corners, degrees: float) -> Corners:
    centre = corners.mean(axis=0)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((corners - centre) @ turn + centre, dtype=np.float32)


@pytest.mark.parametrize("degrees", [-44, -20, 0, 20, 44])
@pytest.mark.parametrize("size", [(90, 20), (30, 30), (20, 60)])
def test_corners_come_clockwise_from_top_left(degrees: float, size: tuple[int, int]) -> None:
    expected = turned(box(10, 20, *size), degrees)
    for points in permutations(expected):
        assert np.allclose(order_corners(points), expected, atol=1e-3)


def test_slope_and_sides_are_the_lines_own() -> None:
    quad = turned(box(0, 0, 100, 20), 15)
    assert slope(quad) == pytest.approx(15, abs=0.01)
    assert side_lengths(quad) == pytest.approx((100, 20), abs=0.01)


def test_box_is_cut_to_the_picture() -> None:
    assert box_of(box(-5, 10.4, 50, 20), 40, 25) == (0, 10, 40, 25)


def test_grow_moves_each_side_by_a_share_of_the_height() -> None:
    assert np.allclose(grow(box(10, 10, 100, 20), 0.5, 0.1), box(0, 8, 120, 24))
    assert np.allclose(grow(box(10, 10, 100, 20), 0, -0.25), box(10, 15, 100, 10))


def test_overlap_is_the_share_of_the_smaller() -> None:
    assert overlap(box(0, 0, 100, 20), box(0, 0, 50, 20)) == pytest.approx(1)
    assert overlap(box(0, 0, 100, 20), box(90, 0, 100, 20)) == pytest.approx(0.1)
    assert overlap(box(0, 0, 10, 10), box(50, 50, 10, 10)) == 0
    assert overlap(box(0, 0, 10, 10), box(5, 5, 0, 0)) == 0


def test_rectify_undoes_a_perspective() -> None:
    face = cv2.resize(plate_face("AB12 CDE"), (260, 60), interpolation=cv2.INTER_AREA)
    corners = [(200.0, 150.0), (470.0, 190.0), (460.0, 262.0), (195.0, 208.0)]
    cut = rectify(scene_with(face, corners), corners, 260, 60)
    assert cut.shape == (60, 260, 3)
    alike = np.corrcoef(cut[4:-4, 4:-4].ravel(), face[4:-4, 4:-4].ravel())[0, 1]
    assert alike > 0.9
    mirrored = [corners[1], corners[0], corners[3], corners[2]]
    wrong = rectify(scene_with(face, corners), mirrored, 260, 60)
    assert np.corrcoef(wrong[4:-4, 4:-4].ravel(), face[4:-4, 4:-4].ravel())[0, 1] < 0.7


def test_rectify_averages_a_large_plate_down() -> None:
    stripes = np.zeros((400, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = rectify(stripes, box(0, 0, 800, 400), 96, 48)
    assert 110 < cut.mean() < 145
    assert cut[4:-4, 4:-4].std() < 30  # sampled instead of averaged, it would be black and white


def test_light_writing_is_told_from_dark() -> None:
    dark_on_light = plate_face("AB12 CDE")
    high, wide = dark_on_light.shape[:2]
    assert light_share(dark_on_light, box(0, 0, wide, high)) > 0.5
    assert light_share(255 - dark_on_light, box(0, 0, wide, high)) < 0.4


def test_lines_come_out_of_a_probability_map() -> None:
    drawn = np.zeros((160, 320), np.float32)
    core = turned(box(80, 60, 120, 16), 10)
    cv2.fillPoly(drawn, [core.astype(np.int32)], 0.9)
    cv2.fillPoly(drawn, [box(10, 10, 40, 8).astype(np.int32)], 0.35)  # too faint
    drawn[120, 200] = 1.0  # a speck
    (line,) = lines_from_map(drawn, 640, 320)
    assert line.score == pytest.approx(0.9, abs=0.1)
    quad = np.array(line.quad, np.float32)
    assert slope(quad) == pytest.approx(10, abs=2)
    wide, high = side_lengths(quad)
    assert np.allclose(quad.mean(axis=0), core.mean(axis=0) * 2, atol=4)
    # grown on each side by core area × 1.6 / perimeter ≈ 11 pixels of the map, 22 of the picture;
    # drawing and dilating add a pixel or two
    assert wide == pytest.approx(240 + 45, abs=14)
    assert high == pytest.approx(32 + 45, abs=14)


@pytest.mark.parametrize(
    ("quad", "reason"),
    [
        (box(0, 0, 100, 20), None),
        (box(0, 0, 40, 30), None),
        (box(0, 0, 30, 5), "too-small"),
        (box(0, 0, 400, 20), "shape"),
        (box(0, 0, 20, 60), "shape"),
        (turned(box(0, 0, 100, 20), 42), "shape"),
    ],
)
def test_lines_no_plate_can_have(quad: Corners, reason: str | None) -> None:
    assert refusal(Line(quad, 0.9)) == reason


def test_neighbours_in_a_row_are_joined() -> None:
    left, middle, right = (Line(box(x, 50, 60, 30), 0.9 - x / 1000) for x in (0, 80, 160))
    below = Line(box(80, 120, 60, 30), 0.9)
    far = Line(box(300, 50, 60, 30), 0.9)
    small = Line(box(225, 55, 20, 10), 0.9)
    made = {
        tuple(box_of(line.quad, 999, 999))
        for line in joined([far, small, right, below, middle, left])
    }
    assert made == {(0, 50, 140, 80), (80, 50, 220, 80), (0, 50, 220, 80)}
    assert min(line.score for line in joined([left, right, middle])) == right.score


def test_joining_follows_a_tilt() -> None:
    whole = turned(box(100, 100, 200, 30), 12)
    left, right = turned_halves(whole)
    (made,) = joined([Line(right, 0.8), Line(left, 0.9)])
    assert overlap(made.quad, whole) > 0.98
    assert slope(made.quad) == pytest.approx(12, abs=1)


def turned_halves(whole: Corners) -> tuple[Corners, Corners]:
    a, b, c, d = whole
    at = (a + (b - a) * 0.45, d + (c - d) * 0.45)
    to = (a + (b - a) * 0.55, d + (c - d) * 0.55)
    return np.array([a, at[0], at[1], d]), np.array([to[0], b, c, to[1]])


def read_line(quad: Corners, text: str, score: float = 0.9) -> Line:
    readings = (emissions_of(*text),)
    return Line(quad, score, readings=readings, decoded=decode(readings, grammar_for()))


def test_two_rows_become_one_plate() -> None:
    top, bottom = read_line(box(20, 0, 80, 40), "ABC"), read_line(box(10, 48, 100, 40), "1234")
    assert may_stack(top, bottom)
    assert not may_stack(bottom, top)
    whole = stacked(top, bottom)
    found = decode(whole.readings, grammar_for(("BR",)))
    assert found is not None
    assert found.text == "ABC1234"
    assert tuple(box_of(whole.quad, 999, 999)) == (10, 0, 110, 88)


@pytest.mark.parametrize(
    ("top", "bottom"),
    [
        (box(0, 0, 80, 40), box(200, 48, 80, 40)),  # beside
        (box(0, 0, 80, 40), box(0, 120, 80, 40)),  # far below
        (box(0, 0, 80, 15), box(0, 18, 80, 40)),  # writing on the frame
        (box(0, 0, 300, 40), box(0, 48, 300, 40)),  # two long lines
    ],
)
def test_rows_that_are_not_one_plate(top: Corners, bottom: Corners) -> None:
    assert not may_stack(Line(top, 0.9), Line(bottom, 0.9))


def test_the_best_reading_of_each_place_is_kept() -> None:
    whole = read_line(box(0, 0, 200, 30), "AB12CDE")
    part = read_line(box(0, 0, 90, 30), "AB12")
    word = read_line(box(0, 200, 200, 30), "RENAULT")
    silent = Line(box(0, 300, 200, 30), 0.9)
    kept, covered = best_of_place([word, part, whole])
    assert kept == [whole, word]
    assert covered == [part]
    assert likeness(silent) == -np.inf


def test_a_quad_is_plain_numbers() -> None:
    assert as_quad(box(0.04, 1, 10, 5)) == ((0.0, 1.0), (10.0, 1.0), (10.0, 6.0), (0.0, 6.0))
    assert np.allclose(enclose(box(0, 0, 10, 5), box(20, 0, 10, 5)), box(0, 0, 30, 5), atol=0.01)
