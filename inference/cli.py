"""`./run read [--json] [--crop] [--regions EU,US [--strict]] PATH…`: plates of pictures, one line
each; `./run read --video [--every N] FILE…`: vehicles of videos, one line each.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from inference.engine import Engine
from inference.models import ModelError
from inference.pictures import PictureError, decode_picture
from inference.pipeline import Kind
from inference.second import SecondReader
from inference.syntaxes import SyntaxFileError
from inference.video import VideoError, read_video, track_answer, track_line

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def main(argv: Sequence[str]) -> int:
    """Read each picture named, and each JPEG, PNG and WebP file in the folders named; or follow
    the vehicles in each video named.

    Returns 0, or 1 where some path could not be read; 2 where nothing can be (models missing).
    """
    options = _parser().parse_args(argv)
    regions = [code for code in options.regions.split(",") if code.strip()]
    try:
        engine = Engine(
            regions, strict=options.strict, second=SecondReader() if options.second else None
        )
        engine.warm_up()
    except (ModelError, SyntaxFileError) as error:
        print(f"read: {error}", file=sys.stderr)
        return 2
    if options.video:
        return max([_follow(engine, path, options.every, options.json) for path in options.paths])
    kind: Kind = "crop" if options.crop else "frame"
    failed = False
    for given in options.paths:
        found = 0
        for path in walk(given):
            found += 1
            answer = read_file(engine, path, kind)
            failed = failed or "error" in answer
            print(json.dumps(answer) if options.json else as_line(answer), flush=True)
        if not found:
            print(f"read: {given} holds no picture", file=sys.stderr)
            failed = True
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run read", description="Read the plates in pictures.")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a picture or a folder of them")
    parser.add_argument("--json", action="store_true", help="one JSON object per picture")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--crop", action="store_true", help="each picture is a cut of one plate")
    what.add_argument("--video", action="store_true", help="each path is a video of one camera")
    parser.add_argument(
        "--every", type=_count, default=1, metavar="N", help="read every Nth frame of a video"
    )
    parser.add_argument(
        "--regions", default="", help="where plates are expected to be from: BR, US-CA, EU, …"
    )
    parser.add_argument(
        "--strict", action="store_true", help="consider no syntax of another region"
    )
    parser.add_argument(
        "--second", action="store_true", help="ask the second reader where ours is unsure"
    )
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError("must be a whole number from 1 up")
    return int(text)


def _follow(engine: Engine, path: str, every: int, as_json: bool) -> int:
    try:
        for track in read_video(engine, path, every=every):
            answer = track_answer(path, track)
            print(json.dumps(answer) if as_json else track_line(answer), flush=True)
    except VideoError as error:
        print(f"read: {path}: {error.sentence}", file=sys.stderr)
        return 1
    return 0


def walk(given: str) -> Iterator[str]:
    """The path itself, or the pictures under it in order of name."""
    if not os.path.isdir(given):
        yield given
        return
    for folder, folders, files in os.walk(given):
        folders.sort()
        for name in sorted(files):
            if Path(name).suffix.lower() in SUFFIXES:
                yield os.path.join(folder, name)


def read_file(engine: Engine, path: str, kind: Kind) -> dict[str, Any]:
    """One picture's JSON object; `ms` is decoding and reading together."""
    started = time.perf_counter()
    answer: dict[str, Any] = {"file": path, "ms": 0.0, "plates": [], "rejected": []}
    try:
        reading = engine.read(decode_picture(Path(path).read_bytes()), kind=kind)
    except PictureError as error:
        answer["error"] = {"code": error.code, "sentence": error.sentence}
    except OSError as error:
        sentence = f"The file cannot be read: {error.strerror or 'unknown reason'}."
        answer["error"] = {"code": "unreadable_file", "sentence": sentence}
    else:
        answer["plates"] = [
            {
                "text": plate.text,
                "box": plate.box,
                "quad": plate.quad,
                "score": plate.score,
                "detector_score": plate.detector_score,
                "chars": plate.chars,
                "region": plate.region,
                "candidates": [[other.text, other.score] for other in plate.candidates],
            }
            for plate in reading.plates
        ]
        answer["rejected"] = [
            {"reason": one.reason, "box": one.box, "detector_score": one.detector_score}
            for one in reading.rejected
        ]
    answer["ms"] = round((time.perf_counter() - started) * 1000, 1)
    return answer


def as_line(answer: dict[str, Any]) -> str:
    name = answer["file"].encode(errors="backslashreplace").decode()
    if "error" in answer:
        return f"{name}  error: {answer['error']['sentence']}"
    plates = "; ".join(
        f"{plate['text']}  {plate['score']:.2f}  {plate['region'] or '??'}  {list(plate['box'])}"
        for plate in answer["plates"]
    )
    reasons = ", ".join(one["reason"] for one in answer["rejected"])
    turned_down = f"  (not read: {reasons})" if reasons else ""
    return f"{name}  {plates or 'no plate'}{turned_down}  {answer['ms']:.0f} ms"


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # `… | head` ends us quietly, as it does any Unix command
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
