"""`./run train STEP …`: detector, corners, reader, export, sheets; each with `--help`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

from training.paths import DataMissing

STEPS: Final = {
    "detector": ("training.detector.train", "train the detector"),
    "corners": ("training.detector.corners", "find the corners of real plates in their boxes"),
    "reader": ("training.reader.train", "train the reader"),
    "sheets": ("training.sheets", "draw the worst misses"),
    "export": ("training.export", "write ONNX, quantise to INT8, compare"),
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="run train", description="Make the networks.")
    steps = parser.add_subparsers(dest="step", required=True)
    wanted = argv[0] if argv and argv[0] in STEPS else None
    for name, (module, text) in STEPS.items():
        sub = steps.add_parser(name, help=text)
        if name == wanted:  # only what is asked for is imported: torch takes seconds
            importlib.import_module(module).add_arguments(sub)
    options = parser.parse_args(argv)
    try:
        return int(importlib.import_module(STEPS[options.step][0]).main(options))
    except DataMissing as missing:
        print(f"train: {missing}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
