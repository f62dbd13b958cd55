"""Picture in, reading out: the engine, and the ones a process keeps.

    engine = default_engine()
    reading = engine.read(decode_picture(data), kind="frame")

What happens to a picture stands in `pipeline.STEPS`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.detector import PlateDetector, Tiles
from inference.memory import keep_memory
from inference.pictures import check_picture
from inference.pipeline import READ_STEPS, STEPS, Kind, Place, Scene, Step, find
from inference.reader import PlateReader
from inference.results import Detector, Picture, Reading, Recogniser, SecondOpinion
from inference.second import SecondReader
from inference.syntaxes import grammar_for, load_book


class Engine:
    """Reads plates in pictures. Threads may share one.

    Models are loaded at the first `read`; an engine made before a fork must not have read yet
    (`engine_for` sees to that).
    """

    def __init__(
        self,
        regions: Sequence[str] = (),
        *,
        strict: bool = False,
        detector: Detector | None = None,
        recogniser: Recogniser | None = None,
        second: SecondOpinion | None = None,
    ) -> None:
        """`regions`: country codes or groups ("BR", "US-CA", "EU") whose syntaxes are expected, as
        a hint; with `strict`, the only syntaxes considered. `second`: asked where `recogniser` is
        unsure; None: nobody is. Raises SyntaxFileError for regions that can be none, ModelError."""
        self.detector = detector or PlateDetector()
        self.recogniser = recogniser or PlateReader()
        self.second = second
        self._grammar = grammar_for(tuple(regions), strict)

    @property
    def versions(self) -> dict[str, str]:
        """What a reading depends on, for evidence: part → name@first digits of its sha256."""
        versions = {
            "detector": self.detector.version,
            "recogniser": self.recogniser.version,
            "syntaxes": load_book().version,
        }
        return versions | ({"second": self.second.version} if self.second else {})

    def warm_up(self) -> None:
        """Load detector and reader now, by reading an empty crop. Raises ModelError."""
        self.read(np.zeros((48, 192, 3), np.uint8), kind="crop")

    def read(self, picture: Picture, *, kind: Kind = "frame") -> Reading:
        """Read every plate in a BGR picture [height, width, 3].

        `kind`: "frame" for a scene, "crop" for a cut around one plate. Raises PictureError where
        the array is no such picture, ModelError where the models cannot be loaded.
        """
        started = time.perf_counter()
        check_picture(picture)
        scene = self._scene(picture, kind)
        return _read(scene, STEPS[kind], started)

    def find(self, picture: Picture) -> tuple[Place, ...]:
        """Where in a frame plates may be, best first: what `read` finds before it reads it."""
        check_picture(picture)
        scene = self._scene(picture, "frame")
        find(scene)
        return tuple(scene.places)

    def read_places(self, picture: Picture, places: Sequence[Place]) -> Reading:
        """Read the plates of a frame in places that `find` gave: all of them as `read` does, or
        those of interest. A plate's `box` is that of its place (`geometry.box_of`)."""
        started = time.perf_counter()
        scene = self._scene(picture, "frame")
        scene.places = list(places)
        return _read(scene, READ_STEPS if places else (), started)

    def _scene(self, picture: Picture, kind: Kind) -> Scene:
        return Scene(picture, self.detector, self.recogniser, self.second, self._grammar, kind)


def _read(scene: Scene, steps: Sequence[Step], started: float) -> Reading:
    for step in steps:
        step(scene)
    return Reading(
        plates=scene.plates(),
        rejected=tuple(scene.rejected),
        ms=round((time.perf_counter() - started) * 1000, 1),
    )


@dataclass(frozen=True, slots=True)
class Options:
    """How a process's engines work. `second`: ask the second reader; `tiles`: see PlateDetector."""

    second: bool = False
    tiles: Tiles = "auto"


_engines: dict[tuple[tuple[str, ...], bool, Options], Engine] = {}
_parts: dict[Options, Engine] = {}
_engines_of: int | None = None
_making = threading.Lock()


def engine_for(
    regions: Sequence[str] = (), *, strict: bool = False, options: Options | None = None
) -> Engine:
    """The process's own engine with these region hints; all of them share the loaded models.

    A child forked from a process that has engines makes its own, since an onnxruntime session
    does not survive a fork. Raises SyntaxFileError for a region that cannot be one, ModelError.
    """
    global _engines_of
    options = options or Options()
    with _making:
        if _engines_of != os.getpid():
            _engines.clear()
            _parts.clear()
            _engines_of = os.getpid()
            keep_memory()
        if options not in _parts:
            _parts[options] = Engine(
                detector=PlateDetector(tiles=options.tiles),
                second=SecondReader() if options.second else None,
            )
        plain = _parts[options]
        wanted = (tuple(sorted({region.strip().upper() for region in regions})), strict, options)
        if wanted not in _engines:
            _engines[wanted] = Engine(
                wanted[0],
                strict=strict,
                detector=plain.detector,
                recogniser=plain.recogniser,
                second=plain.second,
            )
        return _engines[wanted]


def default_engine() -> Engine:
    """The process's own engine without region hints."""
    return engine_for(())
