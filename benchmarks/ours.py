"""This product as one of the systems a benchmark compares: `python -m benchmarks.ours`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks.measures import Box, Found, iou
from benchmarks.peers.protocol import Clock, serve
from inference.detector import PlateDetector
from inference.engine import Engine, Options
from inference.models import registered
from inference.pictures import decode_picture
from inference.reader import PlateReader
from inference.results import Detection, Picture
from inference.second import SecondReader

LOW: Final = 0.02
"""Score down to which the detector's marks count for its precision–recall curve."""
SAME: Final = 0.5
"""Intersection over union from which a mark is of a plate that is marked already."""


class Timed:
    """A detector or reader whose working methods count towards a stage of the clock."""

    METHODS = frozenset({"detect", "read"})

    def __init__(self, part: Any, stage: str) -> None:
        self.part, self.name = part, stage
        self.clock = Clock()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.part, name)
        if name not in self.METHODS:
            return value

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.clock.stage(self.name):
                return value(*arguments, **named)

        return timed


class Ours:
    """With `hinted`, expects plates of where a picture is from, as a site's settings would say;
    with `fp32`, runs the networks the product's INT8 files were made from, else the same."""

    def __init__(self, *, hinted: bool = False, fp32: bool = False) -> None:
        ending = ".fp32" if fp32 else ""
        # The scores of both mean what was measured on the file that is shipped.
        reader = replace(
            registered(f"plate-reader{ending}"), calibration=registered("plate-reader").calibration
        )
        product = Options()
        self.hinted = hinted
        self.plates = PlateDetector(registered(f"plate-detector{ending}"), tiles=product.tiles)
        self.detector = Timed(self.plates, "detect")
        self.reader = Timed(PlateReader(reader), "read")
        self.second = Timed(SecondReader(), "read") if product.second else None
        self.engines: dict[str, Engine] = {}
        self.engine("").warm_up()
        self.picture: Picture | None = None

    def engine(self, hint: str) -> Engine:
        region = hint if self.hinted else ""
        if region not in self.engines:
            self.engines[region] = Engine(
                [region] if region else [],
                detector=self.detector,
                recogniser=self.reader,
                second=self.second,
            )
        return self.engines[region]

    def versions(self) -> dict[str, str]:
        return self.engine("").versions

    def look(self, data: bytes, kind: str, clock: Clock, hint: str) -> list[dict[str, Any]]:
        engine = self.engine(hint)
        parts = Clock()
        for timed in (self.detector, self.reader, self.second):
            if timed is not None:
                timed.clock = parts
        with clock.stage("decode"):
            self.picture = decode_picture(data)
        with clock.stage("text"):
            reading = engine.read(self.picture, kind="crop" if kind == "crop" else "frame")
        for stage in ("detect", "read"):
            clock.ms[stage] = parts.ms[stage]
            clock.ms["text"] -= parts.ms[stage]
        return [
            {"text": plate.text, "box": plate.box, "score": plate.score} for plate in reading.plates
        ]

    def marks(self) -> dict[str, Any]:
        """What the product goes on to read and, below that, what it marks down to `LOW`."""
        assert self.picture is not None
        usual = self.plates.threshold
        certain = [_found(one) for one in self.plates.detect(self.picture)]
        self.plates.threshold = LOW  # and not a second detector: it would count as memory
        try:
            every = [_found(one) for one in self.plates.detect(self.picture)]
        finally:
            self.plates.threshold = usual
        found, floor = ranked(certain, every)
        return {"found": [[*one.box, one.score] for one in found], "floor": floor}


def ranked(certain: Sequence[Found], every: Sequence[Found]) -> tuple[list[Found], float]:
    """`certain`, then what of `every` is none of those, ranked after them; and the score from which
    on a mark is one of `certain`.

    A lower threshold also changes what the detector looks at once more, so that a mark may score
    more there than the product lets it: it must not overtake those that are read.
    """
    floor = min((one.score for one in certain), default=1.0)
    below = [
        Found(one.box, min(one.score, floor * 0.999))
        for one in every
        if all(iou(one.box, other.box) < SAME for other in certain)
    ]
    return [*certain, *below], floor


def _found(one: Detection) -> Found:
    """The smallest upright box around the quad, which is where the product says the plate is."""
    xs, ys = zip(*one.quad, strict=True)
    box: Box = (min(xs), min(ys), max(xs), max(ys))
    return Found(box, one.score)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ours", description=__doc__)
    parser.add_argument("--hinted", action="store_true", help="take hints of the region")
    parser.add_argument("--fp32", action="store_true", help="the networks before quantisation")
    options, rest = parser.parse_known_args(argv)
    return serve(lambda: Ours(hinted=options.hinted, fp32=options.fp32), rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
