"""Picture in, reading out: the pipeline, and the one engine a process keeps.

    engine = default_engine()
    reading = engine.read(decode_picture(data), kind="frame")

A frame runs through `FRAME_STEPS`, a crop through `CROP_STEPS`, each step working on one `Scene`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from inference import lines as rules
from inference.decode import decode, doubted
from inference.detector import TextDetector
from inference.geometry import as_quad, box_of, grow, light_share
from inference.lines import Line
from inference.pictures import check_picture
from inference.recogniser import LineReader
from inference.results import (
    Box,
    Detection,
    Detector,
    Picture,
    Plate,
    Reading,
    Recogniser,
    Rejected,
)
from inference.syntaxes import Grammar, grammar_for, load_book

Kind = Literal["frame", "crop"]

MARGINS: Final = ((0.1, -0.05), (0.05, -0.03), (0.1, 0.05))
"""Cuts of one line, as shares of its height added at the ends and at top and bottom. The first is
taken of every line; the others where a plate is likely, for a second and third opinion."""

WHOLE_MARGINS: Final = ((0.0, 0.0),)
LIGHT_INK_BELOW: Final = 0.42
"""`light_share` under which writing counts as light on dark; dark on light shows 0.5 to 0.7."""

SURE: Final = 0.85
"""From this score on, a line is not looked at again."""

CUT_SCORE: Final = 0.5
"""The most a plate at the frame's edge can score: below any floor from which one may accuse."""
EDGE: Final = 2
"""Pixels from the frame's edge within which a plate may be cut by it."""


@dataclass
class Scene:
    """One picture on its way through the steps."""

    picture: Picture
    detector: Detector
    recogniser: Recogniser
    grammar: Grammar
    lines: list[Line] = field(default_factory=list)
    rejected: list[tuple[str, Line]] = field(default_factory=list)

    def reject(self, reason: str, line: Line) -> None:
        self.rejected.append((reason, line))

    def read(self, line: Line, margins: Sequence[tuple[float, float]]) -> Line:
        cuts = (grow(line.quad, along, across) for along, across in margins)
        more = tuple(self.recogniser.read(self.picture, cut) for cut in cuts)
        light_ink = light_share(self.picture, line.quad) < LIGHT_INK_BELOW
        return self.decode(replace(line, readings=line.readings + more, light_ink=light_ink))

    def decode(self, line: Line) -> Line:
        return replace(line, decoded=decode(line.readings, self.grammar))

    def likeliest(self) -> list[Line]:
        kept, _ = rules.best_of_place(line for line in self.lines if line.decoded)
        return kept


def find(scene: Scene) -> None:
    """Detect lines of text in the whole picture."""
    scene.lines = [_as_line(found) for found in scene.detector.detect(scene.picture)]


def _as_line(found: Detection, left: int = 0, top: int = 0) -> Line:
    return Line(np.array([(x + left, y + top) for x, y in found.quad], np.float32), found.score)


def join(scene: Scene) -> None:
    """Add what neighbouring fragments give together."""
    scene.lines += rules.joined(scene.lines)


def screen(scene: Scene) -> None:
    """Turn down what cannot be a plate by its geometry, before any time goes into reading it."""
    kept = []
    for line in scene.lines:
        reason = rules.refusal(line)
        if reason is None:
            kept.append(line)
        else:
            scene.reject(reason, line)
    kept.sort(key=lambda line: line.score * line.size[1], reverse=True)
    for line in kept[rules.MAX_LINES :]:
        scene.reject("crowded", line)
    scene.lines = kept[: rules.MAX_LINES]


def read(scene: Scene) -> None:
    """Read each line not read yet, from one cut."""
    scene.lines = [line if line.readings else scene.read(line, MARGINS[:1]) for line in scene.lines]


def stack(scene: Scene) -> None:
    """Add two rows one above the other as one plate, where together they fit a syntax."""
    for top in tuple(scene.lines):
        for bottom in tuple(scene.lines):
            if top is not bottom and rules.may_stack(top, bottom):
                whole = scene.decode(rules.stacked(top, bottom))
                if whole.decoded and whole.decoded.in_syntax:
                    scene.lines.append(whole)


def look_again(scene: Scene) -> None:
    """Where the best line is unsure, detect once more around it, from closer.

    At a distance the detector joins a plate with the writing on its frame, or stops at a bolt.
    """
    best = next(iter(scene.likeliest()), None)
    if best is None or _sure(best):
        return
    height, width = scene.picture.shape[:2]
    x1, y1, x2, y2 = box_of(grow(best.quad, 1.2, 0.8), width, height)
    closer = scene.detector.detect(scene.picture[y1:y2, x1:x2])
    fresh = Scene(scene.picture, scene.detector, scene.recogniser, scene.grammar)
    fresh.lines = [_as_line(found, x1, y1) for found in closer]
    for step in (join, screen, read, stack):
        step(fresh)
    scene.lines += fresh.lines
    scene.rejected += fresh.rejected


def reread(scene: Scene) -> None:
    """Second and third cuts of the best lines, where the first left doubt."""
    for line in scene.likeliest()[:2]:
        if not _sure(line):
            scene.lines.remove(line)
            scene.lines.append(scene.read(line, MARGINS[1:]))


def whole(scene: Scene) -> None:
    """Take the crop itself for the line."""
    height, width = scene.picture.shape[:2]
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    line = Line(quad, score=1.0)
    if rules.refusal(line) is None:
        scene.lines.append(scene.read(line, WHOLE_MARGINS))


def find_inside(scene: Scene) -> None:
    """Detect within the crop, unless the crop as a whole read clearly."""
    if not any(_sure(line) and line.decoded and line.decoded.in_syntax for line in scene.lines):
        scene.lines += [_as_line(found) for found in scene.detector.detect(scene.picture)]


def settle_frame(scene: Scene) -> None:
    """Keep the best reading of each place that is more like a plate than like other writing."""
    settle_crop(scene)
    kept = []
    for line in scene.lines:
        if line.decoded and line.decoded.odds < rules.MIN_ODDS:
            scene.reject("words", line)
        else:
            kept.append(line)
    scene.lines = kept


def doubt_the_cut(scene: Scene) -> None:
    """Let nobody be sure of a plate that touches the frame's edge: it may go on beyond it.

    What is left of `34A36837` at the lower edge reads `34A369`, clearly, and is another plate.
    """
    height, width = scene.picture.shape[:2]
    scene.lines = [
        replace(line, decoded=doubted(line.decoded, CUT_SCORE))
        if line.decoded and _touches_edge(box_of(line.quad, width, height), width, height)
        else line
        for line in scene.lines
    ]


def _touches_edge(box: Box, width: int, height: int) -> bool:
    left, top, right, bottom = box
    return min(left, top, width - right, height - bottom) <= EDGE


def settle_crop(scene: Scene) -> None:
    """Keep the best reading of each place. A crop may be a vanity plate: words are let through."""
    legible = []
    for line in scene.lines:
        if line.decoded is None:
            scene.reject("length", line)
        elif line.decoded.score < rules.MIN_SCORE:
            scene.reject("unsure", line)
        else:
            legible.append(line)
    scene.lines, covered = rules.best_of_place(legible)
    for line in covered:
        scene.reject("overlap", line)


def _sure(line: Line) -> bool:
    return line.decoded is not None and line.decoded.score >= SURE


Step = Callable[[Scene], None]
FRAME_STEPS: Final[tuple[Step, ...]] = (
    find,
    join,
    screen,
    read,
    stack,
    look_again,
    reread,
    settle_frame,
    doubt_the_cut,
)
CROP_STEPS: Final[tuple[Step, ...]] = (
    whole,
    find_inside,
    join,
    screen,
    read,
    stack,
    reread,
    settle_crop,
)
STEPS: Final[dict[Kind, tuple[Step, ...]]] = {"frame": FRAME_STEPS, "crop": CROP_STEPS}


class Engine:
    """Reads plates in pictures. Threads may share one.

    Models are loaded at the first `read`; an engine made before a fork must not have read yet
    (`default_engine` sees to that).
    """

    def __init__(
        self,
        regions: Sequence[str] = (),
        *,
        strict: bool = False,
        detector: Detector | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        """`regions`: country codes or groups ("BR", "US-CA", "EU") whose syntaxes are expected, as
        a hint; with `strict`, the only syntaxes considered. Raises SyntaxFileError for others."""
        self.detector = detector or TextDetector()
        self.recogniser = recogniser or LineReader()
        self._grammar = grammar_for(tuple(regions), strict)

    @property
    def versions(self) -> dict[str, str]:
        """What a reading depends on, for evidence: part → name@first digits of its sha256."""
        return {
            "detector": self.detector.version,
            "recogniser": self.recogniser.version,
            "syntaxes": load_book().version,
        }

    def warm_up(self) -> None:
        """Load both models now, by reading an empty crop. Raises ModelError."""
        self.read(np.zeros((48, 192, 3), np.uint8), kind="crop")

    def read(self, picture: Picture, *, kind: Kind = "frame") -> Reading:
        """Read every plate in a BGR picture [height, width, 3].

        `kind`: "frame" for a scene, "crop" for a cut around one plate. Raises PictureError where
        the array is no such picture, ModelError where the models cannot be loaded.
        """
        started = time.perf_counter()
        check_picture(picture)
        scene = Scene(picture, self.detector, self.recogniser, self._grammar)
        for step in STEPS[kind]:
            step(scene)
        height, width = picture.shape[:2]
        return Reading(
            plates=tuple(_as_plate(line, width, height) for line in scene.lines),
            rejected=tuple(
                Rejected(reason, box_of(line.quad, width, height), round(line.score, 4))
                for reason, line in scene.rejected
            ),
            ms=round((time.perf_counter() - started) * 1000, 1),
        )


def _as_plate(line: Line, width: int, height: int) -> Plate:
    read = line.decoded
    assert read is not None
    return Plate(
        text=read.text,
        box=box_of(line.quad, width, height),
        quad=as_quad(line.quad),
        score=read.score,
        detector_score=round(line.score, 4),
        chars=read.chars,
        region=read.region,
        candidates=read.candidates,
    )


_engines: dict[tuple[str, ...], Engine] = {}
_engines_of: int | None = None
_making = threading.Lock()


def engine_for(regions: Sequence[str] = ()) -> Engine:
    """The process's own engine with these region hints; all of them share the loaded models.

    A child forked from a process that has engines makes its own, since an onnxruntime session
    does not survive a fork. Raises SyntaxFileError for a region that cannot be one.
    """
    global _engines_of
    with _making:
        if _engines_of != os.getpid():
            _engines.clear()
            _engines_of = os.getpid()
            _engines[()] = Engine()
        plain = _engines[()]
        wanted = tuple(sorted({region.strip().upper() for region in regions}))
        if wanted not in _engines:
            _engines[wanted] = Engine(wanted, detector=plain.detector, recogniser=plain.recogniser)
        return _engines[wanted]


def default_engine() -> Engine:
    """The process's own engine without region hints."""
    return engine_for(())
