"""This product as one of the systems a benchmark compares: `python -m benchmarks.ours`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks.peers.protocol import Clock, serve
from inference.engine import Engine
from inference.pictures import decode_picture
from inference.results import Picture


class Timed:
    """A detector or recogniser whose working methods count towards a stage of the clock."""

    METHODS = frozenset({"detect", "read", "read_all"})

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
    """With `hinted`, expects plates of where a picture is from, as a site's settings would say."""

    def __init__(self, *, hinted: bool) -> None:
        plain = Engine()
        self.hinted = hinted
        self.detector = Timed(plain.detector, "detect")
        self.reader = Timed(plain.recogniser, "read")
        self.engines: dict[str, Engine] = {}
        self.engine("").warm_up()
        self.picture: Picture | None = None

    def engine(self, hint: str) -> Engine:
        region = hint if self.hinted else ""
        if region not in self.engines:
            self.engines[region] = Engine(
                [region] if region else [], detector=self.detector, recogniser=self.reader
            )
        return self.engines[region]

    def versions(self) -> dict[str, str]:
        return self.engine("").versions

    def look(self, data: bytes, kind: str, clock: Clock, hint: str) -> list[dict[str, Any]]:
        engine = self.engine(hint)
        self.detector.clock = self.reader.clock = parts = Clock()
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
        assert self.picture is not None
        found = []
        for one in self.detector.part.detect(self.picture):
            xs, ys = zip(*one.quad, strict=True)
            found.append([min(xs), min(ys), max(xs), max(ys), one.score])
        return {"found": found, "floor": 0.0}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ours", description=__doc__)
    parser.add_argument("--hinted", action="store_true", help="take hints of the region")
    options, rest = parser.parse_known_args(argv)
    return serve(lambda: Ours(hinted=options.hinted), rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
