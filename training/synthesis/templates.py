"""How plates of each place are laid out, as data (`templates.json`), and random texts for them.

Pure: no fonts and no pictures. A template's formats are patterns of inference/syntaxes.json (L, 9,
X, [..], {m,n}) with marks between them that are drawn and never part of the text:

    space, ~ (half a space), - (hyphen), . (dot), * (emblem or seal), ! (a line across the row),
    | (next row),
    <LL> (set small, one above the other), (99) (set smaller, above the line's foot),
    P (a province of China), V (a free, "vanity" text), W (a short word)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from inference.results import PROVINCES

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS: Final = "0123456789"
# Drawn oftener than the rest: what readers mix up.
LOOK_ALIKES: Final = "O0QDI1B8S5Z2G6VWMN"
LOOK_ALIKE_WEIGHT: Final = 1.8
FREE_FORMATS: Final = ("V", "V", "V", "V", "W W", "W*W", "W 9{1,3}", "9{1,2} W", "L W", "W~L")

Mark = Literal["text", "stack", "small", "space", "half", "hyphen", "dot", "emblem", "bar"]
_MARKS: Final[Mapping[str, Mark]] = {
    " ": "space",
    "~": "half",
    "-": "hyphen",
    ".": "dot",
    "*": "emblem",
    "!": "bar",
}
_TOKEN = re.compile(r"(\[[A-Z0-9-]+\]|[L9XPVW])(?:\{(\d+)(?:,(\d+))?\})?|(.)")


class TemplateError(ValueError):
    """templates.json holds something that means nothing."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters set alike, or one mark (then `text` is empty)."""

    mark: Mark
    text: str = ""


@dataclass(frozen=True, slots=True)
class Lettering:
    """What stands on one plate: one or two rows of pieces. `free`: a text of no syntax."""

    rows: tuple[tuple[Piece, ...], ...]
    free: bool

    @property
    def text(self) -> str:
        """The plate's number, canonical: without marks, upper row first."""
        return "".join(piece.text for row in self.rows for piece in row)


@dataclass(frozen=True, slots=True)
class Template:
    """One design of one place. `look` holds what only the drawing reads: see `templates.json`."""

    code: str
    weight: float
    formats: tuple[str, ...]
    letters: str
    look: Mapping[str, Any]

    @property
    def rows(self) -> int:
        return max(1 + form.count("|") for form in self.formats)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything in templates.json. `shares`: how often a place is drawn (1 where not named)."""

    templates: tuple[Template, ...]
    shares: Mapping[str, float]
    free_texts: tuple[str, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """Codes of all places that can be drawn, sorted."""
        return tuple(sorted({template.code for template in self.templates}))

    def of(self, region: str) -> tuple[Template, ...]:
        """Designs of one place; "US" stands for all its states. Raises TemplateError."""
        found = tuple(
            template
            for template in self.templates
            if template.code == region or template.code.startswith(f"{region}-")
        )
        if not found:
            raise TemplateError(f"No template of {region!r}.")
        return found


@cache
def load_catalogue() -> Catalogue:
    """Read templates.json beside this module. Raises TemplateError."""
    data = json.loads(Path(__file__).with_name("templates.json").read_text(encoding="utf-8"))
    book = Path(__file__).parents[2] / "inference" / "syntaxes.json"
    rows = json.loads(book.read_text(encoding="utf-8"))["syntaxes"]
    letters = {row["code"]: row["letters"] for row in rows if "letters" in row}
    templates = []
    for row in data["templates"]:
        look = _inherit(row, data["styles"])
        code = look.pop("code")
        own = look.pop("letters", letters.get(code, LETTERS))
        formats = tuple(look.pop("formats"))
        templates.append(Template(code, float(look.pop("weight", 1.0)), formats, own, look))
    return Catalogue(tuple(templates), data["shares"], tuple(data["free_texts"]))


def _inherit(row: dict[str, Any], styles: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A row over the styles it names in "like", which may be like others themselves."""
    if "like" not in row:
        return dict(row)
    if row["like"] not in styles:
        raise TemplateError(f"No style {row['like']!r}.")
    look = _inherit(styles[row["like"]], styles)
    places = look.get("places", {})
    for key, value in row.items():
        if key in places:
            look["lines"] = [*look.get("lines", ()), {**places[key], **value}]
        elif key != "like":
            look[key] = value
    return look


def choose(rng: np.random.Generator, region: str | None = None) -> Template:
    """A template: the place by its share, then one of its designs by weight."""
    catalogue = load_catalogue()
    found = catalogue.of(region) if region else catalogue.templates
    total = dict.fromkeys(catalogue.regions, 0.0)
    for template in found:
        total[template.code] += template.weight
    weights = [
        template.weight / total[template.code] * catalogue.shares.get(template.code, 1.0)
        for template in found
    ]
    return found[pick(rng, weights)]


def pick(rng: np.random.Generator, weights: Sequence[float]) -> int:
    """Index of one entry, drawn by weight."""
    steps = np.cumsum(weights)
    return int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))


def compose(rng: np.random.Generator, template: Template) -> Lettering:
    """A random text for a template, in pieces. Raises TemplateError for a format of no meaning."""
    form = template.formats[int(rng.integers(len(template.formats)))]
    if rng.random() < template.look.get("free", 0.0):
        form = FREE_FORMATS[int(rng.integers(len(FREE_FORMATS)))]
    rows: list[list[Piece]] = [[]]
    setting: Mark = "text"
    text = ""

    def flush() -> None:
        nonlocal text
        if text:
            rows[-1].append(Piece(setting, text))
        text = ""

    for token in _TOKEN.finditer(form):
        kind, least, most, mark = token.groups()
        if mark is None:
            low = int(least or 1)
            for _ in range(int(rng.integers(low, int(most or low) + 1))):
                text += _character(rng, kind, template.letters)
            continue
        flush()
        if mark == "|":
            rows.append([])
        elif mark in "<(":
            setting = "stack" if mark == "<" else "small"
        elif mark in ">)":
            setting = "text"
        elif mark in _MARKS:
            rows[-1].append(Piece(_MARKS[mark]))
        else:
            raise TemplateError(f"Format {form!r}: {mark!r} means nothing.")
    flush()
    return Lettering(tuple(tuple(row) for row in rows), free="V" in form or "W" in form)


def _character(rng: np.random.Generator, kind: str, letters: str) -> str:
    if kind == "P":
        return PROVINCES[int(rng.integers(len(PROVINCES)))]
    if kind == "V":
        return free_text(rng)
    if kind == "W":
        words = [text for text in load_catalogue().free_texts if len(text) <= 4]
        return words[int(rng.integers(len(words)))]
    choices = _choices(kind, letters)
    return choices[pick(rng, [LOOK_ALIKE_WEIGHT if c in LOOK_ALIKES else 1.0 for c in choices])]


@cache
def _choices(kind: str, letters: str) -> str:
    if kind == "L":
        return letters
    if kind == "9":
        return DIGITS
    if kind == "X":
        return letters + DIGITS
    return "".join(char for char in LETTERS + DIGITS if re.fullmatch(kind, char))


def free_text(rng: np.random.Generator) -> str:
    """What an owner may choose: a word, a word and a number, or any four to seven characters."""
    form = rng.random()
    if form < 0.3:
        return "".join(_character(rng, "X", LETTERS) for _ in range(int(rng.integers(4, 8))))
    texts = load_catalogue().free_texts
    word = texts[int(rng.integers(len(texts)))]
    if form < 0.6 and len(word) < 6:
        return word + str(int(rng.integers(1, 10 ** min(3, 7 - len(word)))))
    return word
