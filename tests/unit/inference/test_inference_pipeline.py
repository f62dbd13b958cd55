"""The steps of a reading, with a detector and readers that answer what a test tells them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from inference.engine import Engine
from inference.pictures import PictureError
from inference.pipeline import CUT_SCORE, MAX_PLATES, MIN_HEIGHT, SMALL, Kind
from inference.results import (
    REASONS,
    Corners,
    Detection,
    Emissions,
    Picture,
    Plate,
    Quad,
    Reading,
    Recognition,
)
from tests.unit.inference.drawnplates import emissions_of, plate_face, scene_with

SCENE = scene_with(
    plate_face("AB12 CDE"), [(250.0, 200.0), (450.0, 200.0), (450.0, 250.0), (250.0, 250.0)]
)
STAGGERED: Quad = ((250.0, 200.0), (450.0, 200.0), (450.0, 250.0), (250.0, 250.0))


def quad(x: float, y: float, width: float = 120, height: float = 30) -> Quad:
    return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))


@dataclass
class Sees:
    """A detector that sees what it is told."""

    found: Sequence[tuple[Quad, float]]
    shapes: list[tuple[tuple[int, ...], int | None]] = field(default_factory=list)
    version = "sees@0"

    def detect(self, picture: Picture, *, long_side: int | None = None) -> list[Detection]:
        self.shapes.append((picture.shape, long_side))
        return [Detection(where, score) for where, score in self.found]


@dataclass
class Reads:
    """A reader that reads these matrices, one after the other; the last in all places left."""

    matrices: Sequence[Emissions]
    regions: dict[str, float] = field(default_factory=dict)
    quads: list[Corners] = field(default_factory=list)
    runs: int = 0
    version = "reads@0"

    def read(self, picture: Picture, quads: Sequence[Corners]) -> list[Recognition]:
        self.runs += 1
        self.quads += quads
        last = len(self.matrices) - 1
        return [Recognition(self.matrices[min(i, last)], self.regions) for i in range(len(quads))]

    def calibrate(self, raw: float) -> float:
        return raw


@dataclass
class Opinion:
    """A second reader that always reads the same."""

    matrix: Emissions | None
    asked: int = 0
    version = "opinion@0"

    def read(self, picture: Picture, quad: Corners) -> Emissions | None:
        self.asked += 1
        return self.matrix


def sure(text: str, share: float = 0.97) -> Emissions:
    return emissions_of(*({char: share} for char in text))


def torn(text: str) -> Emissions:
    """Each character as likely as two others."""
    return emissions_of(*({char: 0.35, "X": 0.3, "W": 0.3} for char in text))


def read(
    *places: tuple[Quad, float, Emissions],
    regions: tuple[str, ...] = (),
    kind: Kind = "frame",
    picture: Picture = SCENE,
    second: Opinion | None = None,
) -> Reading:
    detector = Sees([(where, score) for where, score, _ in places])
    reader = Reads([matrix for _, _, matrix in places])
    engine = Engine(regions, detector=detector, recogniser=reader, second=second)
    return engine.read(picture, kind=kind)


def reasons(reading: Reading) -> list[str]:
    assert {refused.reason for refused in reading.rejected} <= REASONS.keys()
    return [refused.reason for refused in reading.rejected]


def only(reading: Reading) -> Plate:
    (plate,) = reading.plates
    return plate


def test_every_plate_of_a_frame_is_read_in_one_run() -> None:
    detector = Sees([(quad(100, 100), 0.9), (quad(400, 300), 0.8)])
    reader = Reads([sure("RK708AI", 0.999), sure("AB12CDE", 0.999)], {"GB": 0.9})
    reading = Engine(detector=detector, recogniser=reader).read(SCENE)
    assert [plate.text for plate in reading.plates] == ["RK708AI", "AB12CDE"]
    assert reader.runs == 1
    assert reading.plates[1].region == "GB"
    assert reading.plates[1].box == (400, 300, 520, 330)
    assert reading.plates[1].quad == quad(400, 300)
    assert [plate.detector_score for plate in reading.plates] == [0.9, 0.8]
    assert reading.rejected == ()


def test_the_score_is_calibrated_and_its_candidates_with_it() -> None:
    class Calibrated(Reads):
        def calibrate(self, raw: float) -> float:
            return raw * 0.7

    matrix = emissions_of("R", "K", {"7": 0.7, "1": 0.25}, "0", "8", "A", "I")
    places = Sees([(quad(100, 100), 0.9)])
    raw = only(Engine(detector=places, recogniser=Reads([matrix])).read(SCENE))
    lower = only(Engine(detector=places, recogniser=Calibrated([matrix])).read(SCENE))
    assert lower.score == pytest.approx(raw.score * 0.7, abs=1e-3)
    assert lower.candidates[1].score == pytest.approx(raw.candidates[1].score * 0.7, abs=1e-3)
    assert lower.chars == raw.chars


@pytest.mark.parametrize(
    ("detector_score", "matrix", "reason"),
    [
        (0.9, sure("LOVE4U2"), None),  # a vanity plate where the detector is sure
        (0.35, sure("LOVE4U2"), "no-syntax"),  # a badge, a shop sign
        (0.9, sure("LOVE4U2", 0.4), "no-syntax"),
        (0.9, sure("PARKING"), None),
        (0.35, sure("PARKING"), "no-syntax"),
        (0.9, sure("20140430"), "no-syntax"),  # a date, though Israel's plates look the same
        (0.4, sure("RK708AI"), None),
        (0.27, emissions_of("R", "K", {"7": 0.55, "1": 0.4}, "0", "8", "A", "I"), "low-score"),
        (0.9, torn("RK708AI"), "low-score"),
        (0.9, sure("A"), "no-syntax"),
    ],
)
def test_what_detector_reader_and_syntax_say_together_decides(
    detector_score: float, matrix: Emissions, reason: str | None
) -> None:
    reading = read((STAGGERED, detector_score, matrix))
    assert reasons(reading) == ([reason] if reason else [])
    assert len(reading.plates) == (reason is None)


def test_a_crop_may_hold_any_text() -> None:
    matrix = sure("LOVE4U2", 0.95)
    assert only(read((quad(30, 20), 0.6, matrix), kind="crop")).text == "LOVE4U2"


def test_the_cause_of_an_unsure_read_is_measured() -> None:
    unsure = torn("RK708AI")
    blurred = np.asarray(cv2.GaussianBlur(SCENE, (0, 0), 9), np.uint8)
    assert reasons(read((STAGGERED, 0.9, unsure))) == ["low-score"]
    assert reasons(read((STAGGERED, 0.9, unsure), picture=blurred)) == ["blurred"]
    small = quad(100, 100, 3 * (SMALL - 2), SMALL - 2)
    assert reasons(read((small, 0.9, unsure))) == ["too-small"]
    assert only(read((small, 0.9, sure("RK708AI")))).text == "RK708AI"


def test_what_is_too_small_is_not_even_read() -> None:
    reader = Reads([sure("RK708AI")])
    detector = Sees([(quad(100, 100, 14, MIN_HEIGHT - 1), 0.9)])
    reading = Engine(detector=detector, recogniser=reader).read(SCENE)
    assert reasons(reading) == ["too-small"]
    assert reader.quads == []


def test_of_two_reads_of_one_place_the_better_is_kept() -> None:
    reading = read(
        (quad(100, 100, 60), 0.9, sure("RK7", 0.8)), (quad(100, 100), 0.8, sure("RK708AI"))
    )
    assert only(reading).text == "RK708AI"
    assert reasons(reading) == ["overlap"]


def test_a_crowd_is_read_up_to_a_limit() -> None:
    places = [
        (quad(60 * (i % 12), 40 * (i // 12), 50, 14), 0.9 - i / 100, sure("RK708AI"))
        for i in range(MAX_PLATES + 3)
    ]
    reading = read(*places)
    assert len(reading.plates) == MAX_PLATES
    assert reasons(reading) == ["crowded"] * 3


def test_the_larger_plate_comes_first_where_both_are_clear() -> None:
    reading = read(
        (quad(10, 10, 60, 14), 0.9, sure("RK708AI")), (quad(300, 300), 0.9, sure("AB12CDE"))
    )
    assert [plate.text for plate in reading.plates] == ["AB12CDE", "RK708AI"]


@pytest.mark.parametrize(
    ("where", "trusted"),
    [
        (quad(-20, 100), False),
        (quad(690, 100), False),
        (quad(676, 100), False),  # a cut plate's quad may end short of the edge
        (quad(300, 467), False),
        (quad(300, 4), False),
        (quad(674, 100), True),
        (quad(6, 464), True),
    ],
)
def test_a_plate_at_the_edge_is_read_but_not_trusted(where: Quad, trusted: bool) -> None:
    plate = only(read((where, 0.95, sure("RK708AI"))))
    assert (plate.score > CUT_SCORE) == trusted
    assert plate.candidates[0].score == plate.score
    assert only(read((where, 0.95, sure("RK708AI")), kind="crop")).score > CUT_SCORE


@dataclass
class Closer(Reads):
    """A reader that reads other matrices when it looks again."""

    again: Sequence[Emissions] = ()

    def read(self, picture: Picture, quads: Sequence[Corners]) -> list[Recognition]:
        if self.runs:
            self.matrices = self.again
        return super().read(picture, quads)


def test_what_is_unsure_is_read_from_other_cuts_and_the_clearest_kept() -> None:
    first = emissions_of("R", "K", {"7": 0.6, "1": 0.35}, "0", "8", "A", "I")
    detector = Sees([(STAGGERED, 0.9)])
    clear, less = sure("RK108AI"), sure("RK108AT", 0.8)
    reader = Closer([first], again=[less, clear])
    plate = only(Engine(detector=detector, recogniser=reader).read(SCENE))
    assert (plate.text, plate.quad, reader.runs) == ("RK108AI", STAGGERED, 2)
    heights = [float(quad[3, 1] - quad[0, 1]) for quad in reader.quads]
    assert heights == pytest.approx([50, 44, 58])
    worse = Closer([first], again=[torn("RK108AI")])
    assert only(Engine(detector=detector, recogniser=worse).read(SCENE)).text == "RK708AI"


@pytest.mark.parametrize(
    ("matrix", "detector_score", "runs"),
    [
        (sure("RK708AI", 0.999), 0.9, 1),
        (sure("RK708AI", 0.7), 0.9, 2),
        (sure("RK708AI", 0.7), 0.3, 1),
        (torn("RK708AI"), 0.9, 1),  # hopeless
    ],
)
def test_what_is_clear_or_hopeless_is_not_read_again(
    matrix: Emissions, detector_score: float, runs: int
) -> None:
    reader = Reads([matrix])
    Engine(detector=Sees([(STAGGERED, detector_score)]), recogniser=reader).read(SCENE)
    assert reader.runs == runs


def test_the_second_reader_is_asked_where_ours_is_unsure() -> None:
    doubtful = emissions_of("R", "K", "7", "0", "8", "A", {"I": 0.35, "L": 0.5})
    ours = only(read((STAGGERED, 0.9, doubtful)))
    opinion = Opinion(sure("RK708AI"))
    both = only(read((STAGGERED, 0.9, doubtful), second=opinion))
    assert (ours.text, both.text) == ("RK708AL", "RK708AI")
    assert opinion.asked == 1


@pytest.mark.parametrize(
    ("where", "matrix", "asked"),
    [
        (STAGGERED, sure("RK708AI", 0.99), 0),
        (quad(100, 100, 60, SMALL - 1), sure("RK708AI", 0.5), 0),  # it sees no more there
        (STAGGERED, sure("RK708AI", 0.5), 1),
    ],
)
def test_the_second_reader_is_asked_seldom(where: Quad, matrix: Emissions, asked: int) -> None:
    opinion = Opinion(None)
    alone = read((where, 0.9, matrix))
    assert read((where, 0.9, matrix), second=opinion).plates == alone.plates
    assert opinion.asked == asked


WHOLE = quad(0, 0, 150, 40)
INNER = quad(5, 2, 140, 36)


@pytest.mark.parametrize(
    ("whole", "inner", "detector_score", "text", "where"),
    [
        (sure("RK708AI", 0.9), sure("RK708AI"), 0.9, "RK708AI", INNER),
        (torn("RK708AI"), sure("AB12CDE"), 0.9, "AB12CDE", INNER),
        (sure("RK708AI"), sure("K708A", 0.8), 0.9, "RK708AI", WHOLE),
        (sure("RK708AI"), sure("AB12CDE", 0.99), 0.3, "RK708AI", WHOLE),  # it saw next to nothing
    ],
)
def test_a_crop_is_read_whole_and_where_the_detector_sees_the_plate(
    whole: Emissions, inner: Emissions, detector_score: float, text: str, where: Quad
) -> None:
    """One plate comes out: the clearer of the two reads."""
    crop, beside, above = np.full((40, 150, 3), 120, np.uint8), 60, 12
    detector = Sees([(quad(beside + 5, above + 2, 140, 36), detector_score)])
    reader = Closer([whole, inner], again=[torn("RK708AI")])
    plate = only(Engine(detector=detector, recogniser=reader).read(crop, kind="crop"))
    assert (plate.text, plate.quad) == (text, where)
    assert plate.detector_score == (1.0 if where == WHOLE else detector_score)
    assert detector.shapes == [((64, 270, 3), 256)]


def test_of_a_loose_crop_only_the_plate_is_read() -> None:
    """Whole, it would lose the province of a Chinese plate and be the surer of it."""
    crop, beside, above = np.full((40, 150, 3), 120, np.uint8), 60, 12
    detector = Sees([(quad(beside + 15, above + 5, 120, 30), 0.9)])
    reader = Reads([sure("RK708AI", 0.8)])
    plate = only(Engine(detector=detector, recogniser=reader).read(crop, kind="crop"))
    assert plate.quad == quad(15, 5, 120, 30)


@pytest.mark.parametrize("size", [(1, 1, 3), (3, 900, 3), (900, 3, 3)])
def test_a_crop_of_a_few_pixels_is_too_small(size: tuple[int, int, int]) -> None:
    assert reasons(read(kind="crop", picture=np.full(size, 90, np.uint8))) == ["too-small"]


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(PictureError):
        read(picture=np.zeros((10, 10), np.uint8))


def test_strict_regions_leave_no_other_format() -> None:
    matrix = emissions_of("A", "B", "C", {"O": 0.8, "0": 0.15}, "1", "2", "3")
    detector, reader = Sees([(STAGGERED, 0.9)]), Reads([matrix])
    texts = [
        only(Engine(["BR"], strict=strict, detector=detector, recogniser=reader).read(SCENE)).region
        for strict in (True, False)
    ]
    assert texts[0] == "BR"
