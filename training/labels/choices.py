"""What was decided by eye, without writing a plate's text down.

`choices.json` maps a plate's key to a reference: the number of the right text among the plate's
candidates, and edits of it. Together with the pictures and `propose.py` that gives the text; by
itself it gives none, so the texts of real vehicles stay out of the repository.

    "0 ~3f"             the first candidate
    "2 =3:D -5 +0:A ~91" the third; its character 3 (from 0) is D, 5 goes, A comes in front
    "unreadable"        nobody could tell
    "wrong box"         the box holds no plate, or not the whole of one

`~` and two hexadecimal digits: the first byte of the text's sha256. It tells a reference that
points elsewhere, since proposals were made anew with another reader, from one that holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

CHOICES: Final = Path(__file__).with_name("choices.json")

UNREADABLE: Final = "unreadable"
WRONG_BOX: Final = "wrong box"
NO_TEXT: Final = frozenset({UNREADABLE, WRONG_BOX})

MOST_EDITS: Final = 4
"""More would write out the text rather than correct it."""

_FORM: Final = re.compile(r"(\d+)((?: (?:[=+]\d+:\S|-\d+))*) ~([0-9a-f]{2})")
_EDIT: Final = re.compile(r"([=+-])(\d+):?(\S?)")


class ChoiceError(ValueError):
    """A reference that means nothing, or no longer what it meant."""


def check(text: str) -> str:
    """First byte of the text's sha256, two hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:2]


def encode(text: str, candidates: Sequence[str]) -> str | None:
    """The shortest reference to `text`; None where the candidates are too far from it."""
    options = [
        (len(edits), number, edits)
        for number, candidate in enumerate(candidates)
        if len(edits := _edits(candidate, text)) <= min(MOST_EDITS, len(text) // 2)
    ]
    if not options:
        return None
    _, number, edits = min(options)
    return " ".join([str(number), *edits, f"~{check(text)}"])


def decode(value: str, candidates: Sequence[str]) -> str | None:
    """The text a reference stands for; None for `NO_TEXT`. Raises ChoiceError."""
    if value in NO_TEXT:
        return None
    form = _FORM.fullmatch(value)
    if form is None or int(form[1]) >= len(candidates):
        raise ChoiceError(f"{value!r} refers to none of {len(candidates)} candidates")
    characters = list(candidates[int(form[1])])
    # Positions are the candidate's own, so the edits are done from its end.
    for kind, digits, char in reversed(_EDIT.findall(form[2])):
        at = int(digits)
        if at >= len(characters) + (kind == "+"):
            raise ChoiceError(f"{value!r} edits beyond its candidate")
        characters[at : at + (kind != "+")] = [char] if kind != "-" else []
    text = "".join(characters)
    if check(text) != form[3]:
        raise ChoiceError(f"{value!r} was made for other proposals")
    return text


def _edits(source: str, target: str) -> list[str]:
    """Fewest edits that turn `source` into `target` (Levenshtein), by position in `source`."""
    rows = [list(range(len(target) + 1))]
    for i, have in enumerate(source, start=1):
        row = [i]
        for j, want in enumerate(target, start=1):
            row.append(min(rows[-1][j - 1] + (have != want), rows[-1][j] + 1, row[-1] + 1))
        rows.append(row)
    edits: list[str] = []
    i, j = len(source), len(target)
    while i or j:
        cost = rows[i][j]
        if i and j and rows[i - 1][j - 1] + (source[i - 1] != target[j - 1]) == cost:
            i, j = i - 1, j - 1
            if source[i] != target[j]:
                edits.append(f"={i}:{target[j]}")
        elif i and rows[i - 1][j] + 1 == cost:
            i -= 1
            edits.append(f"-{i}")
        else:
            j -= 1
            edits.append(f"+{i}:{target[j]}")
    return edits[::-1]


def load_choices(path: Path = CHOICES) -> dict[str, str]:
    """Key → reference."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    return {str(key): str(value) for key, value in found.items()}


def save_choices(choices: Mapping[str, str], path: Path = CHOICES) -> None:
    """Write them by key, one a line, so that a change shows as one."""
    rows = [f"{json.dumps(key)}: {json.dumps(choices[key])}" for key in sorted(choices)]
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n")
