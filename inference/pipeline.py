"""The steps from a picture to its plates, each a function that works on one `Scene`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import cv2
import numpy as np

from inference.decode import Decoded, clearness, decode, doubted, scaled
from inference.geometry import as_quad, box_of, grow, overlap, sharpness, side_lengths
from inference.reader import MARGIN, crop_of
from inference.results import (
    Box,
    Corners,
    Detector,
    Picture,
    Plate,
    Recogniser,
    Recognition,
    Rejected,
    SecondOpinion,
)
from inference.syntaxes import Grammar

Kind = Literal["frame", "crop"]

MAX_PLATES: Final = 24
"""Plates read in one picture."""

MIN_HEIGHT: Final = 5.0
"""Pixels of a plate in the picture: below this no reader tells B from 8."""

SMALL: Final = 12.0
"""Pixels of height (a line of text) under which a plate that could not be read surely was too
small."""

BLURRED: Final = 0.10
"""`sharpness` under which a plate that could not be read surely was blurred."""

MIN_SCORE: Final = 0.2
"""Score under which a text is noise; the caller's own floors lie far above it."""

MIN_BOTH: Final = 0.23
"""The least product of detector's and reader's score: either may be unsure, not both."""

FREE_SCORE: Final = 0.55
FREE_DETECTOR: Final = 0.4
"""What a text that fits no syntax needs of reader and detector to be taken for a vanity plate and
not for a badge, a shop sign or a camera's time stamp. These floors are chosen on the validation
pictures, with their plates as they are and painted out: under one false read in 200 pictures."""

FREE_ODDS: Final = -6.5
"""Log-odds (`Decoded.odds`) under which a text is no vanity plate either: a camera's date. Of
plates of eight digits, as Israel has, one in 1,500 looks like one and is turned down."""

MIN_ODDS: Final = -2.5
"""Log-odds (`Decoded.odds`) under which a text is rather a word, a date or a telephone number, and
needs what a free text needs."""

SURE: Final = 0.85
"""Score under which the second reader is asked."""

AGAIN_FROM: Final = 0.1
AGAIN_UNDER: Final = 0.9
AGAIN_DETECTOR: Final = 0.45
"""What is read once more from other cuts: neither clear nor hopeless …"""
AGAIN_MOST: Final = 6
"""… and no more than these of a picture, the detector's best."""
TIGHTER: Final = -0.06
LOOSER: Final = 0.08
"""Those cuts: smaller and larger on every side by these shares of the height."""

COVERS: Final = 0.4
"""Share of the smaller of two plates from which they are one place."""

CUT_SCORE: Final = 0.5
"""The most a plate at the frame's edge can score: below any floor from which one may accuse."""
EDGE: Final = 2
"""Pixels from the frame's edge within which a plate may be cut by it, beside the margin that the
reader needs round a plate: what is cut was never seen whole, so its quad may end short of it."""

CROP_SIDE: Final = 256
"""The detector's longer side for a crop, in which the plate is large."""
CROP_ABOVE: Final = 0.3
CROP_BESIDE: Final = 0.4
"""Shares of a crop's height and of its width put round it, so that a plate that fills it has
surroundings, and is no wider in the detector's eyes than in most frames."""
CROP_DETECTOR: Final = 0.5
"""Detector's score from which its quad is read …"""
CROP_TIGHT: Final = 0.75
"""… and share of the crop it covers from which the whole crop is read as well: a plate cut tightly,
whose corners are the crop's. With more around it, the whole crop loses a Chinese plate's province
and is the surer of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One place in the picture that may be a plate, and what was read there so far."""

    quad: Corners
    score: float
    recognition: Recognition | None = None
    decoded: Decoded | None = None

    @property
    def height(self) -> float:
        return side_lengths(self.quad)[1]

    @property
    def sure(self) -> bool:
        return self.decoded is not None and self.decoded.score >= SURE


@dataclass
class Scene:
    """One picture on its way through the steps."""

    picture: Picture
    detector: Detector
    recogniser: Recogniser
    second: SecondOpinion | None
    grammar: Grammar
    kind: Kind
    places: list[Place] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def box(self, place: Place) -> Box:
        height, width = self.picture.shape[:2]
        return box_of(place.quad, width, height)

    def reject(self, reason: str, place: Place) -> None:
        self.rejected.append(Rejected(reason, self.box(place), round(place.score, 4)))

    def plates(self) -> tuple[Plate, ...]:
        return tuple(
            Plate(
                text=place.decoded.text,
                box=self.box(place),
                quad=as_quad(place.quad),
                score=place.decoded.score,
                detector_score=round(place.score, 4),
                chars=place.decoded.chars,
                region=place.decoded.region,
                candidates=place.decoded.candidates,
            )
            for place in self.places
            if place.decoded
        )


def find(scene: Scene) -> None:
    """Detect plates in a frame, and turn down what is too small before any time goes into it."""
    found = [
        Place(np.array(one.quad, np.float32), one.score)
        for one in scene.detector.detect(scene.picture)
    ]
    for place in found:
        if place.height < MIN_HEIGHT:
            scene.reject("too-small", place)
        elif place.score < MIN_BOTH:  # whatever is read there, both together are not enough
            scene.reject("too-small" if place.height < SMALL else "low-score", place)
        elif len(scene.places) == MAX_PLATES:
            scene.reject("crowded", place)
        else:
            scene.places.append(place)


def find_in_crop(scene: Scene) -> None:
    """The plate a crop was cut for: where the detector sees it, the crop itself, or both."""
    height, width = scene.picture.shape[:2]
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    if min(height, width) < MIN_HEIGHT:
        scene.reject("too-small", Place(whole, 1.0))
        return
    best = best_in_crop(scene.detector, scene.picture)
    scene.places = [Place(whole, 1.0)]
    if best:
        tight = cv2.contourArea(best.quad) >= CROP_TIGHT * width * height
        scene.places = [*scene.places, best] if tight else [best]


def best_in_crop(detector: Detector, picture: Picture) -> Place | None:
    """The plate the detector sees in a crop, if it is sure enough of one."""
    widened, border = widen(picture)
    found = detector.detect(widened, long_side=CROP_SIDE)
    best = max(found, key=lambda one: one.score, default=None)
    if best is None or best.score < CROP_DETECTOR:
        return None
    return Place(np.array(best.quad, np.float32) - border, best.score)


def widen(crop: Picture) -> tuple[Picture, Corners]:
    """A crop with its edges drawn out on all sides, and how far: x, y in pixels."""
    height, width = crop.shape[:2]
    above, beside = math.ceil(CROP_ABOVE * height), math.ceil(CROP_BESIDE * width)
    wide = cv2.copyMakeBorder(crop, above, above, beside, beside, cv2.BORDER_REPLICATE)
    return np.asarray(wide, np.uint8), np.array([beside, above], np.float32)


def read(scene: Scene) -> None:
    """Read all plates in one run, and decode each."""
    recognitions = scene.recogniser.read(scene.picture, [place.quad for place in scene.places])
    scene.places = [
        _decoded(scene, replace(place, recognition=recognition))
        for place, recognition in zip(scene.places, recognitions, strict=True)
    ]
    if scene.kind == "crop":  # one plate, cut twice
        scene.places = sorted(scene.places, key=_clarity)[-1:]


def _decoded(scene: Scene, place: Place, *more: np.ndarray) -> Place:
    assert place.recognition is not None
    readings = (place.recognition.emissions, *more)
    found = decode(readings, scene.grammar, regions=place.recognition.regions)
    if found:
        found = scaled(found, scene.recogniser.calibrate(found.score))
    return replace(place, decoded=found)


def look_again(scene: Scene) -> None:
    """Read plates of which the reader is unsure once more, from cuts a little tighter and a little
    looser, and believe the clearer where it beats the first."""
    doubtful = [
        (index, place)
        for index, place in enumerate(scene.places)
        if place.decoded
        and AGAIN_FROM <= place.decoded.score < AGAIN_UNDER
        and place.score >= AGAIN_DETECTOR
    ][:AGAIN_MOST]
    if not doubtful:
        return
    cuts = [_cuts(place.quad) for _, place in doubtful]
    recognitions = scene.recogniser.read(scene.picture, [quad for quads in cuts for quad in quads])
    for (index, place), quads in zip(doubtful, cuts, strict=True):
        these, recognitions = recognitions[: len(quads)], recognitions[len(quads) :]
        best = max(these, key=lambda one: clearness(one.emissions))
        again = _decoded(scene, replace(place, recognition=best))
        if _clarity(again) > _clarity(place):
            scene.places[index] = again


def _cuts(quad: Corners) -> tuple[Corners, ...]:
    return grow(quad, TIGHTER, TIGHTER), grow(quad, LOOSER, LOOSER)


def ask_second(scene: Scene) -> None:
    """Have the plates of which our reader is unsure read once more by the other."""
    if scene.second is None:
        return
    for index, place in enumerate(scene.places):
        if not place.sure and place.height >= SMALL:
            emissions = scene.second.read(scene.picture, place.quad)
            if emissions is not None:
                scene.places[index] = _decoded(scene, place, emissions)


def settle(scene: Scene) -> None:
    """Keep the best reading of each place that is a plate, best first; say why of the others."""
    kept: list[Place] = []
    for place in sorted(scene.places, key=_rank, reverse=True):
        reason = refusal(scene, place)
        if reason is None and any(overlap(place.quad, better.quad) > COVERS for better in kept):
            reason = "overlap"
        if reason is None:
            kept.append(place)
        else:
            scene.reject(reason, place)
    scene.places = kept


def _clarity(place: Place) -> float:
    return place.decoded.score if place.decoded else 0.0


def _rank(place: Place) -> float:
    """How likely this is the plate somebody asks about: by both scores, and by size, since the
    plate a camera is aimed at is seldom the smallest."""
    return _clarity(place) * place.score * math.sqrt(place.height)


def refusal(scene: Scene, place: Place) -> str | None:
    """Why what was read at a place is not handed on as a plate, or None."""
    read = place.decoded
    if read is None or read.score < MIN_SCORE or read.score * place.score < MIN_BOTH:
        return why_unsure(scene.picture, place)
    if scene.kind == "crop" or (read.in_syntax and read.odds >= MIN_ODDS):
        return None
    if read.score < FREE_SCORE or place.score < FREE_DETECTOR or read.odds < FREE_ODDS:
        return "no-syntax"
    return None


def why_unsure(picture: Picture, place: Place) -> str:
    """The measurable cause of an unsure read: its size, its blur, its text, or none of them."""
    if place.height < SMALL:
        return "too-small"
    if sharpness(crop_of(picture, place.quad)) < BLURRED:
        return "blurred"
    return "low-score" if place.decoded and place.decoded.in_syntax else "no-syntax"


def doubt_the_cut(scene: Scene) -> None:
    """Let nobody be sure of a plate at the frame's edge: it may go on beyond it.

    What is left of `34A36837` at the lower edge reads `34A369`, clearly, and is another plate.
    """
    height, width = scene.picture.shape[:2]
    scene.places = [
        replace(place, decoded=doubted(place.decoded, CUT_SCORE))
        if place.decoded and _at_edge(place, width, height)
        else place
        for place in scene.places
    ]


def _at_edge(place: Place, width: int, height: int) -> bool:
    corners = grow(place.quad, MARGIN, MARGIN)
    return bool(
        corners.min() <= EDGE or (corners.max(axis=0) >= (width - EDGE, height - EDGE)).any()
    )


Step = Callable[[Scene], None]
READ_STEPS: Final[tuple[Step, ...]] = (read, look_again, ask_second, settle, doubt_the_cut)
"""What is done with a frame's places once they are found."""
STEPS: Final[dict[Kind, tuple[Step, ...]]] = {
    "frame": (find, *READ_STEPS),
    "crop": (find_in_crop, read, look_again, ask_second, settle),
}
