"""What the pipeline hands back, and the two interfaces a model stands behind.

Everything here is frozen and plain: no session, no picture, no open file, so a result can be kept,
compared and sealed. Pixel coordinates are those of the picture that was given (origin top left,
x to the right, y down) and may lie a little outside it where a plate is cut by the edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""BGR, shape [height, width, 3]."""

Emissions = NDArray[np.float32]
"""One plate as a reader saw it: shape [steps, 68], rows sum to 1. Column 0 is the CTC blank (with
every mark that is not a plate character folded in), columns 1–67 are `ALPHABET`."""

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
"""Four corners, clockwise from top left, as the text runs: the first two are its top edge."""

Corners = NDArray[np.float32]
"""Shape [4, 2]: the four corners of a `Quad`, for arithmetic."""

Box = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels, x2 and y2 exclusive."""

LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""The first character of a Chinese plate: the short names of the 31 provinces (GA 36-2018)."""

ALPHABET = LATIN + PROVINCES


@dataclass(frozen=True, slots=True)
class Detection:
    """A place where a detector saw a plate: its outer edge. `score` is the detector's own, 0–1."""

    quad: Quad
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """A plate as our reader saw it. `regions`: its probabilities by region code ("CZ", "US-CA"),
    the negligible ones left out."""

    emissions: Emissions
    regions: Mapping[str, float]


class Detector(Protocol):
    """Finds plates. Answers in the coordinates of `picture`."""

    @property
    def version(self) -> str:
        """Model name and the first digits of its sha256, kept with each read as evidence."""

    def detect(self, picture: Picture, *, long_side: int | None = None) -> Sequence[Detection]:
        """`long_side`: pixels of the network's input, another than the detector's own."""


class Recogniser(Protocol):
    """Reads the plates inside quads. It cuts them out itself, as it was trained."""

    @property
    def version(self) -> str: ...

    def read(self, picture: Picture, quads: Sequence[Corners]) -> Sequence[Recognition]: ...

    def calibrate(self, raw: float) -> float:
        """A raw score → the share of reads with such a score that are right, 0–1; rising."""


class SecondOpinion(Protocol):
    """Another reader, asked about single plates; None where it cannot say anything."""

    @property
    def version(self) -> str: ...

    def read(self, picture: Picture, quad: Corners) -> Emissions | None: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text the reader considers possible. `score` is comparable with `Plate.score`."""

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Plate:
    """One plate that was read. The scores are different facts and are never averaged together.

    `detector_score`: how sure the detector was that a plate is there, 0–1; 1.0 where the caller
    said so by giving a crop that was read whole.
    `chars`: one score per character of `text`, 0–1. Where the country's syntax rules out the twin
    of a look-alike (a letter O where only digits stand), the twin's share counts for the character.
    `score`: how often such a read is right, 0–1. It comes from the share of `text` among everything
    the reader considered possible, times its weakest character: low both when a character is
    unclear and when another text is as likely. At most 0.5 for a plate that touches the edge of a
    frame, since it may go on beyond it.
    `candidates`: best first; the first is `text` itself, the others those the reader proposed.
    `region`: ISO 3166-1 alpha-2, for US states ISO 3166-2 ("US-CA"), from the syntaxes the text
    fits and from what the plate looks like; None where several places are about as likely.
    """

    text: str
    box: Box
    quad: Quad
    score: float
    detector_score: float
    chars: tuple[float, ...]
    region: str | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A place that was found but is not handed on as a plate. Its text is not kept.

    `reason` is one of `REASONS`.
    """

    reason: str
    box: Box
    detector_score: float


REASONS = {
    "too-small": "the plate has too few pixels to be read surely",
    "blurred": "the plate is out of focus or was moving",
    "no-syntax": "the text fits no country's syntax and is not clear enough to be a free one",
    "low-score": "the score is below the floor",
    "overlap": "a better reading covers the same place",
    "crowded": "the picture holds more plates than are read; this was among the least likely",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one picture: plates best first, and what was turned down, with reasons."""

    plates: tuple[Plate, ...]
    rejected: tuple[Rejected, ...]
    ms: float
