"""Scaling, tiles and overlaps of the plate detector, with a network that sees white rectangles."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from inference.detector import (
    STRIDE,
    TILE,
    TILE_OVERLAP,
    Network,
    PlateDetector,
    cut_by_tile,
    fitted,
    suppress,
    tiles_of,
)
from inference.models import ModelFile
from inference.results import Picture

SIDE = 512


class SeesWhite:
    """Answers one row for all that is white, if it is at least `least` pixels wide."""

    def __init__(self, least: int = 8) -> None:
        self.least = least
        self.shapes: list[tuple[int, ...]] = []

    def run(self, names: list[str], given: dict[str, Any]) -> list[Any]:
        assert names == ["plates"]
        (pixels,) = given["picture"]
        self.shapes.append(pixels.shape)
        ys, xs = np.nonzero(pixels.min(axis=2) > 200)
        if not len(xs) or np.ptp(xs) + 1 < self.least:
            return [np.zeros((0, 13), np.float32)]
        x1, x2, y1, y2 = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
        row = [0.9, x1, y1, x2, y2, x1, y1, x2, y1, x2, y2, x1, y2]
        faint = [0.1, *row[1:]]
        return [np.array([row, faint], np.float32)]


def detector(session: SeesWhite, **options: Any) -> PlateDetector:
    made = PlateDetector(ModelFile("fake", "", "", "0" * 64), **options)
    made.__dict__["_network"] = Network(session, SIDE)
    return made


def picture(width: int, height: int, *plate: int) -> Picture:
    drawn = np.full((height, width, 3), 60, np.uint8)
    if plate:
        x1, y1, x2, y2 = plate
        drawn[y1:y2, x1:x2] = 255
    return drawn


@pytest.mark.parametrize(
    ("width", "height"), [(1280, 720), (512, 512), (300, 200), (1000, 1999), (701, 333), (40, 3)]
)
def test_finds_come_back_in_the_pictures_own_pixels(width: int, height: int) -> None:
    plate = (width // 2, height // 3, width // 2 + width // 5, height // 3 + max(2, height // 8))
    session = SeesWhite()
    (found,) = detector(session).detect(picture(width, height, *plate))
    shape = session.shapes[0]
    assert 0 <= max(shape[:2]) - min(SIDE, max(width, height)) < STRIDE
    assert shape[0] % STRIDE == shape[1] % STRIDE == 0
    (x1, y1), _, (x2, y2), _ = found.quad
    assert (x1, y1, x2, y2) == pytest.approx(plate, abs=max(1, max(width, height) / SIDE) + 0.5)
    assert found.score == pytest.approx(0.9)


def test_the_longer_side_can_be_chosen() -> None:
    session = SeesWhite()
    white = picture(640, 480, 100, 100, 260, 180)
    detector(session, long_side=320).detect(white)  # what stands in the file gives way
    detector(session).detect(white, long_side=256)
    assert [max(shape[:2]) for shape in session.shapes] == [SIDE, 256]


def test_a_picture_keeps_its_shape_and_its_mean() -> None:
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 255, (721, 1283, 3), dtype=np.uint8)
    pixels, scale_x, scale_y = fitted(noise, SIDE)
    assert pixels.shape == (288, 512, 3)
    assert (scale_x, scale_y) == pytest.approx((512 / 1283, 288 / 721), rel=0.01)
    assert pixels.std() < 0.6 * noise.std()  # averaged, not sampled
    small, scale_x, _ = fitted(noise[:100, :200], SIDE)
    assert (small.shape, scale_x) == ((256, 512, 3), 2.56)
    tall, _, _ = fitted(np.full((900, 3, 3), 9, np.uint8), SIDE)
    assert tall.shape == (512, 32, 3)
    assert tall[0, 0, 0] == 9
    assert tall[0, -1, 0] == 114


def row(score: float, x1: float, y1: float, x2: float, y2: float) -> list[float]:
    return [score, x1, y1, x2, y2, x1, y1, x2, y1, x2, y2, x1, y2]


def test_of_what_overlaps_the_best_is_kept() -> None:
    rows = np.array(
        [
            row(0.5, 2, 0, 102, 30),
            row(0.9, 0, 0, 100, 30),
            row(0.6, 200, 0, 300, 30),
            row(0.7, 0, 25, 100, 55),
            row(0.3, 4, 0, 104, 30),
        ],
        np.float32,
    )
    assert suppress(rows)[:, 0].tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert suppress(rows[:0]).shape == (0, 13)


@pytest.mark.parametrize(("width", "height"), [(3840, 2160), (2001, 100), (1280, 4000), (2560, 99)])
def test_tiles_cover_the_picture_and_overlap(width: int, height: int) -> None:
    tiles = list(tiles_of(width, height))
    covered = np.zeros((height, width), np.uint8)
    for x1, y1, x2, y2 in tiles:
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert max(x2 - x1, y2 - y1) <= TILE
        covered[y1:y2, x1:x2] = 1
    assert covered.all()
    columns = sorted({(x1, x2) for x1, _, x2, _ in tiles})
    for (_, end), (start, _) in pairwise(columns):
        assert end - start >= TILE_OVERLAP


def test_a_plate_too_small_in_the_whole_picture_is_found_in_a_tile() -> None:
    plate = (2500, 1500, 2550, 1512)
    large = picture(3840, 2160, *plate)
    assert detector(SeesWhite(), tiles="never").detect(large) == ()
    (found,) = detector(SeesWhite()).detect(large)
    (x1, y1), _, (x2, y2), _ = found.quad
    assert (x1, y1, x2, y2) == pytest.approx(plate, abs=4)


def test_a_plate_on_a_border_of_tiles_is_found_once_and_whole() -> None:
    edge = next(x2 for _, _, x2, _ in tiles_of(3840, 2160))
    plate = (edge - 60, 900, edge + 60, 930)
    (found,) = detector(SeesWhite()).detect(picture(3840, 2160, *plate))
    (x1, _), _, (x2, _), _ = found.quad
    assert (x1, x2) == pytest.approx((plate[0], plate[2]), abs=8)


def test_what_the_edge_of_the_picture_cuts_is_kept() -> None:
    rows = np.array([row(0.9, 0, 50, 90, 80), row(0.9, 1200, 50, 1280, 80)], np.float32)
    assert cut_by_tile(rows, (0, 0, 1280, 1280), 3840, 2160).tolist() == [False, True]
    assert cut_by_tile(rows, (2560, 0, 3840, 1280), 3840, 2160).tolist() == [True, False]


class OnlyAtFirst(SeesWhite):
    """Sees the plate in the whole picture and not when looking closer."""

    def run(self, names: list[str], given: dict[str, Any]) -> list[Any]:
        answer = super().run(names, given)
        return answer if len(self.shapes) == 1 else [np.zeros((0, 13), np.float32)]


def test_a_small_plate_of_a_large_picture_is_looked_at_from_closer() -> None:
    session = SeesWhite()
    (found,) = detector(session).detect(picture(1280, 720, 701, 303, 760, 322))
    assert [max(shape[:2]) for shape in session.shapes] == [SIDE, 224]
    # A pixel of the first look is 2.5 of the picture; of the second, less than 0.6.
    assert np.ravel(found.quad) == pytest.approx([701, 303, 760, 303, 760, 322, 701, 322], abs=0.6)


def test_what_is_not_seen_again_from_closer_is_doubted() -> None:
    (found,) = detector(OnlyAtFirst()).detect(picture(1280, 720, 701, 303, 760, 322))
    assert found.score == pytest.approx(0.45)


class WithoutTheFirst(SeesWhite):
    """Leaves out the first character of a plate that is large in its eyes."""

    def run(self, names: list[str], given: dict[str, Any]) -> list[Any]:
        (rows,) = super().run(names, given)
        wide = rows[:, 3] - rows[:, 1]
        rows[wide > 160, 1] += wide[wide > 160] * 0.2
        rows[:, [5, 11]] = rows[:, [1]]
        return [rows]


def test_a_large_plate_is_looked_at_from_further_away() -> None:
    session = WithoutTheFirst()
    (found,) = detector(session).detect(picture(720, 540, 100, 100, 470, 180))
    assert [max(shape[:2]) for shape in session.shapes] == [SIDE, 224]
    assert np.ravel(found.quad)[[0, 2]] == pytest.approx([100, 470], abs=4)


@pytest.mark.parametrize("size", [(640, 360), (512, 512), (1280, 720)])
def test_there_is_nothing_more_to_see_of_a_large_plate_or_in_a_small_picture(
    size: tuple[int, int],
) -> None:
    session = SeesWhite()
    wide = 60 if size[0] < 1000 else 400
    detector(session).detect(picture(*size, 100, 100, 100 + wide, 130))
    assert len(session.shapes) == 1


def test_where_nothing_is_found_it_looks_from_further_away() -> None:
    session = SeesWhite(least=1000)
    assert detector(session).detect(picture(800, 600, 10, 10, 790, 500)) == ()
    assert [max(shape[:2]) for shape in session.shapes] == [SIDE, SIDE // 2]
