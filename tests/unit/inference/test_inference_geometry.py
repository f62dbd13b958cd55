"""Corners, boxes, cuts, and how sharp a cut is."""

from itertools import permutations

import cv2
import numpy as np
import pytest

from inference.geometry import (
    as_quad,
    box_of,
    enclose,
    grow,
    order_corners,
    overlap,
    rectify,
    sharpness,
    side_lengths,
)
from inference.results import Corners
from tests.unit.inference.drawnplates import plate_face, scene_with


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


def test_sides_are_the_plates_own() -> None:
    quad = turned(box(0, 0, 100, 20), 15)
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


@pytest.mark.parametrize("contrast", [1.0, 0.3])
def test_sharpness_falls_with_blur_and_not_with_contrast(contrast: float) -> None:
    face = cv2.resize(plate_face("AB12 CDE"), (160, 64), interpolation=cv2.INTER_AREA)
    face = np.asarray(face * contrast + 40, np.uint8)
    blurred = [
        np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8) for sigma in (1, 2, 3, 5)
    ]
    values = [sharpness(one) for one in (face, *blurred)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 3 * values[-1]
    assert values[0] > 0.35
    assert values[-1] < 0.12


def test_a_motion_along_the_text_blurs_it_too() -> None:
    face = cv2.resize(plate_face("AB12 CDE"), (160, 64), interpolation=cv2.INTER_AREA)
    moved = cv2.blur(face, (9, 1))
    assert sharpness(np.asarray(moved, np.uint8)) < 0.5 * sharpness(np.asarray(face, np.uint8))


def test_what_has_no_contrast_has_no_edges() -> None:
    noise = np.random.default_rng(2).integers(100, 108, (64, 160, 3), dtype=np.uint8)
    assert sharpness(noise) == 0.0


def test_a_quad_is_plain_numbers() -> None:
    assert as_quad(box(0.04, 1, 10, 5)) == ((0.0, 1.0), (10.0, 1.0), (10.0, 6.0), (0.0, 6.0))
    assert np.allclose(enclose(box(0, 0, 10, 5), box(20, 0, 10, 5)), box(0, 0, 30, 5), atol=0.01)
