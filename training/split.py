"""Which picture trains, which one chooses settings, and which one is only ever measured.

Pictures that resemble one another stay together: `group` holds near-duplicates, and in `romania`
the same cars recur within a clip, so whole clips are held.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

Split = Literal["train", "validation", "held"]

HELD_CLIPS: Final = frozenset({"nightride_type3_001", "dayride_type1_003"})
"""75 of romania's 398 pictures, a night and a day."""

VALIDATION_BYTES: Final = 26  # of 256: about a tenth
HELD_CROP_BYTES: Final = 51  # of 256: a fifth


def split_of(record: Mapping[str, Any]) -> Split:
    """Part of a line of `detect/labels.jsonl`."""
    if "clip" in record:
        return "held" if record["clip"] in HELD_CLIPS else "train"
    return "validation" if _byte(str(record["group"])) < VALIDATION_BYTES else "train"


def split_of_crop(file: str) -> Split:
    """Part of a line of `crops/labels.jsonl`, by its `file`."""
    return "held" if _byte(file) < HELD_CROP_BYTES else "train"


def records(data: Path, *parts: Split) -> list[dict[str, Any]]:
    """Lines of `detect/labels.jsonl` that belong to `parts`, in the file's order."""
    lines = (data / "detect" / "labels.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if split_of(record) in parts]


def _byte(text: str) -> int:
    return hashlib.sha1(text.encode(), usedforsecurity=False).digest()[0]
