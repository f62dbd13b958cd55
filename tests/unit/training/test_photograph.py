"""What a camera does to a plate, and where its corners are afterwards."""

import cv2
import numpy as np
import pytest

from training.synthesis import photograph as camera


def striped(height: int = 96, width: int = 320) -> np.ndarray:
    plate = np.full((height, width, 3), 230, np.uint8)
    plate[:, : width // 2] = (20, 20, 200)
    return plate


@pytest.mark.parametrize("seed", range(25))
def test_a_photograph_is_the_readers_crop_and_repeats_by_seed(seed: int) -> None:
    first = camera.photograph(np.random.default_rng(seed), striped())
    again = camera.photograph(np.random.default_rng(seed), striped())
    assert first.shape == (camera.CROP_HEIGHT, camera.CROP_WIDTH, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)


def test_an_easy_photograph_keeps_the_plates_halves_apart() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        crop = camera.photograph(rng, striped(), hard=0.0).astype(int)
        left, right = crop[28:36, 30:60].mean(axis=(0, 1)), crop[28:36, 100:130].mean(axis=(0, 1))
        assert left[2] - left[0] > 80  # red
        assert abs(right[2] - right[0]) < 60  # white, or as near as light makes it


def test_a_plate_is_placed_on_its_corners() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    corners = np.array([[60, 50], [240, 70], [235, 130], [55, 110]], np.float32)
    camera.place(picture, np.full((96, 300, 3), 255, np.uint8), corners)
    mask = np.zeros((200, 300), np.uint8)
    cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    inside = cv2.erode(mask, np.ones((5, 5))) > 0
    outside = cv2.dilate(mask, np.ones((5, 5))) == 0
    assert picture[inside].min() > 200
    assert picture[outside].max() == 0


def test_a_plate_beyond_the_edge_is_cut_by_it() -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    corners = np.array([[40, 20], [100, 20], [100, 40], [40, 40]], np.float32)
    camera.place(picture, np.full((96, 300, 3), 255, np.uint8), corners)
    assert picture[30, 50].min() > 200
    assert picture[30, 30].max() == 0
    before = picture.copy()
    camera.place(picture, np.full((96, 300, 3), 255, np.uint8), corners + 500)
    assert np.array_equal(picture, before)


def test_a_pose_runs_clockwise_from_the_top_left() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        corners = camera.pose(rng, 200, 50)
        around = np.roll(corners, -1, axis=0) - corners
        turns = around[:, 0] * np.roll(around, -1, axis=0)[:, 1]
        turns -= around[:, 1] * np.roll(around, -1, axis=0)[:, 0]
        assert (turns > 0).all()
        assert corners[0, 0] < corners[1, 0]


@pytest.mark.parametrize("step", ["light", "shade", "noise", "compress", "rain", "sensor"])
def test_every_step_keeps_the_size_and_changes_the_picture(step: str) -> None:
    rng = np.random.default_rng(4)
    picture = striped(60, 150)
    changed = [getattr(camera, step)(rng, picture) for _ in range(8)]
    assert all(other.shape == picture.shape and other.dtype == np.uint8 for other in changed)
    assert any(not np.array_equal(other, picture) for other in changed)
