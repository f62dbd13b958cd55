"""Whether a picture is worth looking at."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.motion import LONGEST_STILL, MotionGate

Grey = NDArray[np.int16]


def road(seed: int = 0, *, noise: float = 4, light: int = 0, size: tuple[int, int] = (1280, 720)):  # type: ignore[no-untyped-def]
    """A road with a sensor's noise, anew for each seed."""
    width, height = size
    coarse = np.random.default_rng(99).integers(40, 160, (height // 40, width // 40, 3))
    scene = cv2.resize(coarse.astype(np.float32), size)
    grain = np.random.default_rng(seed).normal(0, noise, scene.shape)
    return np.clip(scene + grain + light, 0, 255).astype(np.uint8)


def with_car(picture, x: int, wide: int = 120, y: int = 300):  # type: ignore[no-untyped-def]
    shown = picture.copy()
    cv2.rectangle(shown, (x, y), (x + wide, y + wide * 2 // 3), (30, 30, 200), -1)
    return shown


def test_the_first_frame_is_looked_at_and_noise_is_not() -> None:
    gate = MotionGate()
    assert gate.moved(road(0), 0.0)
    assert not any(gate.moved(road(n, noise=8), n / 20) for n in range(1, 20))


def test_a_car_is_seen_coming_going_and_standing_for_the_first_time() -> None:
    gate = MotionGate()
    gate.moved(road(0), 0.0)
    assert gate.moved(with_car(road(1), 100), 0.1)
    assert gate.moved(with_car(road(2), 130), 0.2)
    assert not gate.moved(with_car(road(3), 130), 0.3)
    assert gate.moved(road(4), 0.4)


def test_slow_movement_adds_up() -> None:
    """Two pixels a frame: hardly a change, but soon one from the last frame looked at."""
    gate = MotionGate()
    gate.moved(with_car(road(0), 100), 0.0)
    looked = [n for n in range(1, 20) if gate.moved(with_car(road(n), 100 + 2 * n), n / 20)]
    assert 3 <= len(looked) <= 19


def test_a_cloud_is_no_movement() -> None:
    gate = MotionGate()
    gate.moved(road(0), 0.0)
    assert not any(gate.moved(road(n, light=-3 * n), n / 20) for n in range(1, 12))


def test_a_still_picture_is_looked_at_now_and_then() -> None:
    gate = MotionGate()
    looked = [n / 10 for n in range(100) if gate.moved(road(0, noise=0), n / 10)]
    assert looked == pytest.approx([0.0, 2.0, 4.0, 6.0, 8.0])
    assert LONGEST_STILL == 2.0


def test_what_moves_outside_the_region_of_interest_does_not_matter() -> None:
    left = ((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0))
    gate = MotionGate()
    gate.moved(road(0), 0.0, left)
    assert not gate.moved(with_car(road(1), 900), 0.1, left)
    assert gate.moved(with_car(road(2), 100), 0.2, left)


@pytest.mark.parametrize("size", [(320, 180), (720, 1280), (3840, 2160)])
def test_any_size_of_picture_will_do_and_a_change_of_size_is_movement(
    size: tuple[int, int],
) -> None:
    gate = MotionGate()
    assert gate.moved(road(0), 0.0)
    assert gate.moved(road(1, size=size), 0.1)
    assert not gate.moved(road(2, size=size), 0.2)
    wide = size[0] // 5
    assert gate.moved(with_car(road(3, size=size), 20, wide, size[1] // 3), 0.3)
