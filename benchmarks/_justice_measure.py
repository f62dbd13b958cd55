"""How our reader errs, as a table the simulator draws from: `./run bench justice --measure`.

How often a reading is wrong, and how sure the reader is of right and wrong ones, comes from real
pictures (`results/accuracy.json`, written by `./run bench accuracy`). What a wrong reading looks
like (which character for which, whether the reader thought of the right text, whether the next
frame and the next camera err alike) takes more pictures than there are real ones of: it comes from
drawn plates (`_justice_drawn`). The table holds counts and scores, never a plate's text.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from os import environ
from pathlib import Path
from typing import Any, Final

import cv2

from benchmarks.latency import RESULTS, commit
from benchmarks.systems import ROOT, BenchmarkError, Progress
from enforcement.rights.matching import cost
from enforcement.rights.syntax import breaks_syntax
from inference.engine import Engine
from inference.lookalikes import CLASS_OF
from inference.results import Plate
from inference.voting import Seen, consensus

TABLE: Final = Path(__file__).with_name("reader_errors.json")
PLATES: Final = 4500
KEPT: Final = 400
"""Sampled readings of a sort that the table keeps."""


@dataclass(frozen=True, slots=True)
class Slip:
    """How one reading differs from the truth. `place` is where in the truth, `read` the character
    read there ("" where it was left out), `kind` as in `slip_of`."""

    kind: str
    place: int = -1
    true: str = ""
    read: str = ""


def slip_of(truth: str, read: str) -> Slip | None:
    """The difference: `twin` and `other` (one character for another, of one OCR class or not),
    `missing`, `extra`, `swap`, or `more` than one of these; None where there is none."""
    if truth == read:
        return None
    if len(truth) == len(read):
        wrong = [at for at, char in enumerate(truth) if char != read[at]]
        if len(wrong) == 1:
            at = wrong[0]
            alike = read[at] in CLASS_OF.get(truth[at], ())
            return Slip("twin" if alike else "other", at, truth[at], read[at])
        if (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and truth[wrong[0]] == read[wrong[1]]
            and truth[wrong[1]] == read[wrong[0]]
        ):
            return Slip("swap", wrong[0])
        return Slip("more")
    for at in range(len(truth)):
        if truth[:at] + truth[at + 1 :] == read:
            return Slip("missing", at, truth[at], "")
    for at in range(len(read)):
        if read[:at] + read[at + 1 :] == truth:
            return Slip("extra", at, "", read[at])
    return Slip("more")


def _read(folder: Path) -> list[dict[str, Any]]:
    """Each drawn frame's label with what the product reads in it, told the country as a hint."""
    rows = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    # training also draws letters that a country does not issue, so that the reader knows them
    rows = [row for row in rows if not breaks_syntax(row["text"], row["region"])]
    engines: dict[str, Engine] = {}
    progress = Progress("drawn plates", len(rows))
    for row in rows:
        engine = engines.setdefault(row["region"], Engine([row["region"]]))
        picture = cv2.imread(str(folder / row["file"]), cv2.IMREAD_COLOR)
        plates = engine.read(picture, kind="crop").plates if picture is not None else ()
        row["plate_read"] = plates[0] if plates else None
        progress.step()
    return rows


def _seen(plate: Plate) -> Seen:
    others = tuple((one.text, one.score) for one in plate.candidates)
    return Seen(plate.text, plate.score, plate.chars, others)


def _wrong_row(slip: Slip, truth: str, plate: Plate, region: str) -> list[Any]:
    """[score, the slip's own character score, whether the truth is a candidate, country right]."""
    at = min(slip.place, len(plate.chars) - 1)
    own = plate.chars[at] if slip.place >= 0 and slip.read else min(plate.chars, default=1.0)
    named = any(one.text == truth for one in plate.candidates)
    return [round(plate.score, 3), round(own, 3), named, _country(plate, region)]


def _country(plate: Plate, region: str) -> str:
    """`right`, `none` or `wrong`."""
    if plate.region is None:
        return "none"
    return "right" if plate.region.split("-")[0] == region else "wrong"


def _right_row(plate: Plate, region: str) -> list[Any]:
    """[score, weakest character, further candidates, country right]."""
    weakest = round(min(plate.chars, default=1.0), 3)
    return [round(plate.score, 3), weakest, len(plate.candidates) - 1, _country(plate, region)]


def tabulate(rows: Sequence[dict[str, Any]], seed: int = 5) -> dict[str, Any]:
    """The structure of errors in drawn frames."""
    slips: dict[str, Counter[str]] = defaultdict(Counter)
    more: Counter[int] = Counter()
    confusions: dict[str, Counter[str]] = defaultdict(Counter)
    right: list[list[Any]] = []
    wrong: dict[str, list[list[Any]]] = defaultdict(list)
    passages: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    unread = 0
    for row in rows:
        passages[row["plate"], row["gate"]].append(row)
        plate: Plate | None = row["plate_read"]
        if plate is None:
            unread += 1
            continue
        slip = slip_of(row["text"], plate.text)
        if slip is None:
            right.append(_right_row(plate, row["region"]))
            continue
        slips[row["region"]][slip.kind] += 1
        if slip.kind == "more":
            more[cost(row["text"], plate.text)] += 1
        wrong[slip.kind].append(_wrong_row(slip, row["text"], plate, row["region"]))
        if slip.kind in ("twin", "other", "extra"):
            confusions[slip.true][slip.read] += 1
    draw = random.Random(seed)
    return {
        "frames": len(rows),
        "unread": unread,
        "right": len(right),
        "slips": {region: dict(sorted(some.items())) for region, some in sorted(slips.items())},
        "costs_of_more": {str(slip): more[slip] for slip in sorted(more)},
        "confusions": {
            true: dict(sorted(read.items())) for true, read in sorted(confusions.items())
        },
        "right_readings": _sample(draw, right),
        "wrong_readings": {kind: _sample(draw, some) for kind, some in sorted(wrong.items())},
        "together": _together(passages),
    }


def _sample(draw: random.Random, rows: list[list[Any]]) -> list[list[Any]]:
    return sorted(rows if len(rows) <= KEPT else draw.sample(rows, KEPT))


def _together(passages: dict[tuple[int, str], list[dict[str, Any]]]) -> dict[str, Any]:
    """How often errors come together: another frame of the passage, and the other gate. Of errors
    between twins and of the rest by themselves: a typeface repeats itself, dirt does less."""
    frames = {sort: [0, 0] for sort in ("twin", "rest", "unread")}
    gates = {sort: [0, 0] for sort in ("twin", "rest")}
    agreed: dict[tuple[int, str], str] = {}
    wrong = Counter[str]()
    for key, rows in passages.items():
        read = [row["plate_read"] for row in rows]
        truth = rows[0]["text"]
        texts = [plate.text if plate is not None else "" for plate in read]
        for one, other in permutations(range(len(texts)), 2):
            if texts[one] != truth:
                count = frames[_sort(truth, texts[one])]
                count[0] += 1
                count[1] += texts[other] == texts[one]
        seen = [_seen(plate) for plate in read if plate is not None]
        if seen:
            agreed[key] = consensus(seen).text
            wrong["wrong"] += agreed[key] != truth
            wrong["wrong_though_frames_agreed"] += (
                agreed[key] != truth and texts.count(agreed[key]) > 1
            )
    for (number, gate), text in agreed.items():
        truth = passages[number, gate][0]["text"]
        other_gate = agreed.get((number, "exit" if gate == "entry" else "entry"))
        if text != truth and other_gate is not None:
            count = gates[_sort(truth, text)]
            count[0] += 1
            count[1] += other_gate == text
    return {
        "passages": {"all": len(passages), "read": len(agreed), **dict(sorted(wrong.items()))},
        "frames": {sort: {"seen": n, "alike": alike} for sort, (n, alike) in frames.items()},
        "gates": {sort: {"seen": n, "alike": alike} for sort, (n, alike) in gates.items()},
    }


def _sort(truth: str, text: str) -> str:
    if not text:
        return "unread"
    slip = slip_of(truth, text)
    return "twin" if slip is not None and slip.kind == "twin" else "rest"


def real() -> dict[str, Any]:
    """What `accuracy.json` says of real pictures; BenchmarkError where it is missing."""
    try:
        found = json.loads((RESULTS / "accuracy.json").read_text(encoding="utf-8"))
        ours = found["systems"]["ours"]
    except (OSError, KeyError, ValueError) as error:
        raise BenchmarkError(
            "There is no results/accuracy.json: run ./run bench accuracy first."
        ) from error
    calibration = ours["calibration"]
    readings = calibration["readings"]
    bins = [
        {
            "low": one["low"],
            "high": one["high"],
            "right": round(one["count"] * one["right"]),
            "wrong": round(one["count"] * (1 - one["right"])),
        }
        for one in calibration["bins"]
    ]
    # a reading that is right once O, Q, D and 0, or I and 1, are the same took one for its twin
    twins = sum(
        round(one["pictures"] * (one["folded"] - one["exact"])) for one in ours["regions"].values()
    )
    return {
        "commit": found["commit"],
        "versions": ours["versions"],
        "pictures": found["pictures"],
        "readings": readings,
        "unread": max(0, found["pictures"] - readings),
        "wrong": sum(one["wrong"] for one in bins),
        "twins": twins,
        "europe": _europe(ours["regions"]["eu"]),
        "bins": bins,
    }


def _europe(region: dict[str, Any]) -> dict[str, int]:
    """Of the European pictures alone: all that were not read exactly and are no twins count as
    unread, since the file does not tell those from misreads."""
    pictures = region["pictures"]
    exact, folded = round(pictures * region["exact"]), round(pictures * region["folded"])
    return {"pictures": pictures, "twins": folded - exact, "unread": pictures - folded}


def measure(python: Path, plates: int = PLATES) -> dict[str, Any]:
    """Draw, read, tabulate and write the table; raises BenchmarkError."""
    found = real()
    with tempfile.TemporaryDirectory(prefix="platewarden-justice-") as name:
        folder = Path(name)
        subprocess.run(
            [str(python), "-P", "-m", "benchmarks._justice_drawn", str(folder), str(plates)],
            env={**environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        drawn = tabulate(_read(folder))
    table = {
        "made_by": f"./run bench justice --measure --plates {plates}",
        "commit": commit(),
        "real": found,
        "drawn": drawn,
    }
    TABLE.write_text(_compact(table), encoding="utf-8")
    print(f"  wrote {TABLE.name}", file=sys.stderr)
    return table


def _compact(table: dict[str, Any]) -> str:
    """JSON with each list of numbers on one line, so that a change can be read."""
    made = []
    for part, value in table.items():
        if not isinstance(value, dict):
            made.append(f" {json.dumps(part)}: {json.dumps(value)}")
            continue
        inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
        made.append(f" {json.dumps(part)}: {{\n{inner}\n }}")
    return "{\n" + ",\n".join(made) + "\n}\n"
