"""Corners of real plates: the slant that a detector sees, in the box that a label says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.geometry import as_quad
from inference.results import Corners, Detection, Picture
from training.detector.corners import LEAST, ROOM, corners_of, inscribed

SLANTS = st.floats(-0.3, 0.3)


@given(wide=st.floats(20, 400), shape=st.floats(0.15, 0.9), slope=SLANTS, lean=SLANTS)
def test_a_slanted_plate_fills_its_box(
    wide: float, shape: float, slope: float, lean: float
) -> None:
    box = np.array([7, 11, 7 + wide, 11 + wide * shape], np.float32)
    corners = inscribed(box, slope, lean)
    assume(corners is not None)
    assert corners is not None
    assert [*corners.min(axis=0), *corners.max(axis=0)] == pytest.approx(box.tolist(), abs=1e-3)
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    assert right[1] / right[0] == pytest.approx(slope, abs=1e-3)
    assert down[0] / down[1] == pytest.approx(lean, abs=1e-3)
    assert corners[2] == pytest.approx(corners[1] + down, abs=1e-3)


def test_no_plate_of_much_slant_fits_a_flat_box() -> None:
    box = np.array([0, 0, 200, 40], np.float32)
    assert inscribed(box, (1 - LEAST) * 0.2 - 0.01, 0.0) is not None
    assert inscribed(box, (1 - LEAST) * 0.2 + 0.01, 0.0) is None


@dataclass
class Sees:
    """A detector that sees these quads, the second time in the mirror image."""

    quads: Sequence[Corners]
    runs: int = 0

    def detect(self, picture: Picture, *, long_side: int | None = None) -> tuple[Detection, ...]:
        quad = self.quads[self.runs]
        self.runs += 1
        return (Detection(quad=as_quad(quad), score=0.9),)


def falling(by: float, middle: tuple[float, float]) -> Corners:
    """A plate of 100 × 30 that falls by so much from left to right."""
    corners = np.array([[-50, -15], [50, -15], [50, 15], [-50, 15]], np.float32)
    corners[:, 1] += corners[:, 0] / 100 * by
    return np.asarray(corners + middle, np.float32)


PICTURE: NDArray[np.uint8] = np.zeros((300, 400, 3), np.uint8)
BOX = np.array([150, 100, 250, 142], np.float32)
MIDDLE = (ROOM * 100 + 50, ROOM * 100 + 21)


def test_the_slant_is_what_both_looks_agree_on() -> None:
    detector = Sees([falling(12, MIDDLE), falling(-10, MIDDLE)])
    corners = corners_of(detector, PICTURE, BOX)
    assert corners is not None
    assert corners[1, 1] - corners[0, 1] == pytest.approx(11, abs=0.01)
    assert [*corners.min(axis=0), *corners.max(axis=0)] == pytest.approx(BOX.tolist(), abs=0.01)


def test_looks_that_differ_tell_nothing() -> None:
    detector = Sees([falling(12, MIDDLE), falling(12, MIDDLE)])
    assert corners_of(detector, PICTURE, BOX) is None


def test_another_plate_beside_it_tells_nothing() -> None:
    beside = falling(0, (MIDDLE[0], MIDDLE[1] + 60))
    assert corners_of(Sees([beside, beside]), PICTURE, BOX) is None
