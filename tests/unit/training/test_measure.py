"""Average precision, and what is left after suppression."""

import numpy as np
import pytest

from training.detector.measure import average_precision, letterbox, measure, suppress


def plate(score: float, x: float, y: float, w: float = 40, h: float = 10) -> np.ndarray:
    return np.array([score, x, y, x + w, y + h, *[0] * 8], np.float32)


def test_average_precision_of_a_known_ranking() -> None:
    # Right, wrong, right of two: 1/2 × 1 + 1/2 × 2/3.
    assert average_precision([0.9, 0.8, 0.7], [True, False, True], 2) == pytest.approx(
        0.8333, abs=1e-4
    )
    assert average_precision([0.9], [True], 4) == pytest.approx(0.25)
    assert average_precision([], [], 3) == 0.0


def test_of_two_that_overlap_the_better_stays() -> None:
    found = np.stack([plate(0.6, 2, 1), plate(0.9, 0, 0), plate(0.5, 200, 0), plate(0.001, 90, 90)])
    kept = suppress(found)
    assert kept[:, 0].tolist() == pytest.approx([0.9, 0.5])


def test_a_letterboxed_picture_has_the_long_side_and_whole_strides() -> None:
    small, scale = letterbox(np.full((720, 1280, 3), 9, np.uint8), 512)
    assert small.shape == (288, 512, 3)
    assert scale == pytest.approx(0.4)
    tall, _ = letterbox(np.full((500, 300, 3), 9, np.uint8), 512)
    assert tall.shape[0] == 512
    assert tall.shape[1] % 32 == 0
    assert (tall[:, -1] == 114).all()


def test_measure_counts_what_is_found_missed_and_invented() -> None:
    picture = np.zeros((288, 512, 3), np.uint8)
    truth = np.array([[10, 10, 50, 20], [100, 100, 140, 110]], np.float32)
    found = np.stack([plate(0.9, 10, 10), plate(0.8, 300, 200)])
    measured = measure(lambda _: found, [(picture, truth)], 512)
    assert measured["recall"] == 0.5
    assert measured["extra_at_0.3"] == 1.0
    assert measured["ap"] == pytest.approx(0.5)
