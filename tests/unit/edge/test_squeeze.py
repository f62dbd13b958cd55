"""Pictures made small: what they measure, how they look, how many bytes they take."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.settings import Settings
from edge.squeeze import Squeeze, fitted, jpeg, squeezed
from inference.results import Picture


def scene(width: int = 480, height: int = 270) -> Picture:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def decoded(data: bytes) -> Picture:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def test_the_squeeze_of_old_is_one_of_settings() -> None:
    how = Squeeze.of(
        Settings(squeeze_width=416, squeeze_grey=True, squeeze_cut_top=0.45, squeeze_quality=30)
    )
    small = decoded(squeezed(scene(), how))
    assert small.shape == (128, 416)  # grey; 148 of 270 rows, scaled by 416/480


def test_by_default_nothing_is_lost_but_bytes() -> None:
    picture = scene()
    small = decoded(squeezed(picture, Squeeze(quality=95)))
    assert small.shape == picture.shape
    assert float(np.abs(small.astype(int) - picture).mean()) < 4


def test_what_is_cut_is_the_top() -> None:
    picture = np.zeros((100, 60, 3), np.uint8)
    picture[50:] = 200
    small = decoded(squeezed(picture, Squeeze(cut_top=0.5)))
    assert small.shape[:2] == (50, 60)
    assert small.min() > 180


def test_nothing_is_enlarged() -> None:
    assert decoded(squeezed(scene(100, 80), Squeeze(width=416))).shape == (80, 100, 3)
    assert Squeeze(width=416).scale(100) == 1.0
    assert Squeeze(width=416).scale(832) == 0.5
    assert Squeeze().scale(832) == 1.0


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 700), st.integers(1, 500), st.integers(0, 8192), st.floats(0, 0.9))
def test_any_squeeze_of_any_picture_is_a_picture(
    width: int, height: int, wanted: int, cut: float
) -> None:
    how = Squeeze(wanted, True, cut, 1)
    small = decoded(squeezed(scene(width, height), how))
    assert small.shape[1] == (min(width, wanted) if wanted else width)
    assert small.shape[0] >= 1


@pytest.mark.parametrize("most", [1_000, 1_800, 3_000, 40_000])
def test_fitted_keeps_to_its_bytes(most: int) -> None:
    data, scale = fitted(scene(), most)
    assert len(data) <= most
    small = decoded(data)
    assert small.shape[1] == pytest.approx(480 * scale, abs=4)
    assert (scale == 1.0) == (most == 40_000)


def test_fitted_takes_the_best_quality_that_fits() -> None:
    picture = scene(96, 48)
    best = jpeg(picture, 85)
    assert fitted(picture, len(best)) == (best, 1.0)
    assert len(fitted(picture, len(best) - 1)[0]) < len(best)


def test_what_cannot_fit_comes_as_small_as_it_gets() -> None:
    data, scale = fitted(scene(64, 32), 10)
    assert scale < 1.0
    assert min(decoded(data).shape[:2]) < 16
