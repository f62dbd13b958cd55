"""Look at plates and say what they read: `python -m training.labels.review show | mark`.

`show NAME` draws a contact sheet of plates nobody has looked at yet, numbered, each with the text
that `agree.settle` holds likeliest, as NAME.png in the cache. `mark NAME "3=AB12CDE 5,8-9=? 7=x"`
then takes every text on it as right except those named: another text, `?` for unreadable, `x` for a
wrong box, `-` for no decision. Decisions go to `choices.json` as references (see `choices.py`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Final

import cv2

from training.labels.agree import settle
from training.labels.boxes import plates
from training.labels.choices import (
    UNREADABLE,
    WRONG_BOX,
    encode,
    load_choices,
    save_choices,
)
from training.labels.propose import PROPOSALS, read_proposals
from training.labels.sheets import sheet
from training.paths import data

SHEETS: Final = PROPOSALS.parent / "sheets"
_MARKS: Final = {"?": UNREADABLE, "x": WRONG_BOX, "": UNREADABLE}


def parse_marks(marks: str) -> dict[int, str]:
    """ "3=AB12CDE 5,8-9=?" → number on the sheet → what was said of it. Raises ValueError."""
    found: dict[int, str] = {}
    for mark in marks.split():
        numbers, equals, said = mark.partition("=")
        if not equals:
            raise ValueError(f"{mark!r} is no NUMBERS=TEXT")
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            found.update(dict.fromkeys(range(int(first), int(last or first) + 1), said))
    return found


def decide(
    shown: Sequence[tuple[str, str]],
    marks: Mapping[int, str],
    candidates: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """References for the plates of a sheet.

    `shown`: key and text of each, in order. A text too far from every candidate is left out, since
    it could only be written out. Raises ValueError for a number that isn't on the sheet.
    """
    if stray := [number for number in marks if number >= len(shown)]:
        raise ValueError(f"{stray} are not on the sheet")
    decided: dict[str, str] = {}
    for number, (key, text) in enumerate(shown):
        said = marks.get(number, text)
        reference = _MARKS.get(said) or (None if said == "-" else encode(said, candidates[key]))
        if reference:
            decided[key] = reference
    return decided


def show(name: str, verdict: str, source: str, least_height: float, most: int) -> None:
    """Draw the next sheet and note what is on it."""
    folder, known, chosen = data(), read_proposals(), load_choices()
    shown = []
    for plate in plates(folder, "validation", "train"):
        if plate.key in chosen or plate.key not in known or plate.size[1] < least_height:
            continue
        settled = settle(known[plate.key])
        if verdict in ("any", settled.verdict) and source in ("any", plate.source):
            shown.append((plate, settled.text))
    print(f"{len(shown)} left")
    shown = shown[:most]
    SHEETS.mkdir(parents=True, exist_ok=True)
    numbered = [(plate, f"{number} {text}") for number, (plate, text) in enumerate(shown)]
    cv2.imwrite(str(SHEETS / f"{name}.png"), sheet(folder, numbered))
    on_it = [(plate.key, text) for plate, text in shown]
    (SHEETS / f"{name}.json").write_text(json.dumps(on_it))


def mark(name: str, marks: str) -> None:
    """Take the decisions on a sheet."""
    shown = json.loads((SHEETS / f"{name}.json").read_text())
    candidates = {key: proposal.candidates for key, proposal in read_proposals().items()}
    decided = decide(shown, parse_marks(marks), candidates)
    save_choices(load_choices() | decided)
    print(f"{len(decided)} of {len(shown)} decided")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="training.labels.review",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    showing = commands.add_parser("show")
    showing.add_argument("name")
    showing.add_argument("--verdict", default="disputed")
    showing.add_argument("--source", default="any")
    showing.add_argument("--least-height", type=float, default=0.0)
    showing.add_argument("--most", type=int, default=77)
    marking = commands.add_parser("mark")
    marking.add_argument("name")
    marking.add_argument("marks", nargs="?", default="")
    asked = parser.parse_args()
    if asked.command == "show":
        show(asked.name, asked.verdict, asked.source, asked.least_height, asked.most)
    else:
        mark(asked.name, asked.marks)


if __name__ == "__main__":
    main()
