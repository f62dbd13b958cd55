"""Draw one plate: flat, frontal and clean, its outer edge the picture's edge.

`python -m training.synthesis.draw --sheet OUT.png --count 120 [--region BR]` draws a contact sheet
to look at. Pose, light, blur and noise are added later (`photograph`).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from inference.results import PROVINCES
from training.synthesis import marks
from training.synthesis.marks import Colour, Picture, colour, one, shade, within
from training.synthesis.setting import row_hand, set_row, take_hand
from training.synthesis.templates import Lettering, Template, choose, compose, pick

LEAST_CONTRAST: Final = 85
# Taxis, diplomats, dealers, governments, trials: any country may have them.
OTHER_PAINT: Final = (
    {"ground": "#f2f2ee", "ink": "#b8202c"},
    {"ground": "#f2f2ee", "ink": "#176a3a"},
    {"ground": "#f2f2ee", "ink": "#1d3f9a"},
    {"ground": "#1d4fa0", "ink": "#f0f0ee"},
    {"ground": "#176a3a", "ink": "#f0f0ee"},
    {"ground": "#b8202c", "ink": "#f0f0ee"},
    {"ground": "#161616", "ink": "#e8e8e8"},
    {"ground": "#f2c01c", "ink": "#141414"},
    {"ground": "#f2c01c", "ink": "#b8202c"},
    {"ground": "#b8d8a8", "ink": "#141414"},
    {"ground": "#b8d8f0", "ink": "#141414"},
)
EU_BOLTS: Final = (
    [(0.12, 0.5), (0.88, 0.5)],
    [(0.25, 0.12), (0.75, 0.12)],
    [(0.03, 0.5), (0.97, 0.5)],
)
US_BOLTS: Final = ([(0.2, 0.08), (0.8, 0.08)], [(0.2, 0.08), (0.8, 0.08), (0.2, 0.92), (0.8, 0.92)])


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn plate. `picture`: uint8 BGR, 96–200 px high. `text`: canonical, upper row first.
    `region`: code of inference/syntaxes.json. `rows`: 1 or 2 rows of characters."""

    picture: Picture
    text: str
    region: str
    rows: int


def draw_plate(rng: np.random.Generator, region: str | None = None) -> Drawn:
    """A random plate of `region` (a code, or "US" for all states), or of anywhere by share.

    Raises TemplateError for a place without a template, FontsMissing before fonts are fetched.
    """
    template = choose(rng, region)
    lettering = compose(rng, template)
    picture = paint(rng, template, lettering)
    return Drawn(picture, lettering.text, template.code, len(lettering.rows))


def paint(rng: np.random.Generator, template: Template, lettering: Lettering) -> Picture:
    """The picture of a plate that carries `lettering`."""
    look = template.look
    height = int(rng.integers(96, 129) if len(lettering.rows) == 1 else rng.integers(112, 161))
    mm = look["size"]
    width = round(height * mm[0] / mm[1] * rng.uniform(0.96, 1.04))
    schemes = look["schemes"]
    if rng.random() < look.get("other_paint", 0.0):
        schemes = OTHER_PAINT
    scheme = schemes[pick(rng, [entry.get("weight", 1.0) for entry in schemes])]
    picture = _ground(rng, height, width, scheme["ground"])
    ink = shade(rng, colour(scheme["ink"]), 10)
    _art(rng, picture, look.get("art"))
    left = right = 0.0
    for strip in scheme.get("bands", look.get("bands", ())):
        if rng.random() < strip.get("chance", 1.0):
            taken = marks.band(rng, picture, strip)
            left, right = left + taken[0], right + taken[1]
    for line in look.get("lines", ()):
        if rng.random() < line.get("chance", 1.0):
            _line(rng, picture, line, (left, width - right), ink)
    _border(rng, picture, scheme, look, ink)
    if "trims" in look:
        marks.trims(rng, picture, look["trims"])
    ink = _readable(picture, ink)
    hand = take_hand(rng, look)
    pad = height * within(rng, look.get("pad", (0.08, 0.16)))
    for number, (row, span) in enumerate(zip(lettering.rows, look["spans"], strict=True)):
        shift = float(rng.normal(0, 0.008))
        top, bottom = height * (span[0] + shift), height * (span[1] + shift)
        room = (left + pad, top, width - right - pad, bottom)
        set_row(rng, picture, row, room, row_hand(hand, look, number), ink, look)
    _extras(rng, picture, look)
    return picture


def _ground(rng: np.random.Generator, height: int, width: int, name: str) -> Picture:
    """One colour, or "#top>#bottom" as a gradient; the light on it is seldom even."""
    first, _, last = name.partition(">")
    spread = 14 if not last else 8
    ends = [shade(rng, colour(first), spread), shade(rng, colour(last or first), spread)]
    if not last:
        ends[1] = ends[0]
    tone = np.linspace(np.array(ends[0]), np.array(ends[1]), 6)[:, None, :]
    grid = np.clip(tone * rng.uniform(0.93, 1.05, (6, 4, 1)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _readable(picture: Picture, ink: Colour) -> Colour:
    """The ink, or black or white where graphics left it no contrast in the middle of the plate."""
    height, width = picture.shape[:2]
    ground = picture[height // 3 : height * 3 // 4, width // 8 : width * 7 // 8].mean((0, 1))
    if np.abs(ground - np.array(ink)).max() > LEAST_CONTRAST:
        return ink
    return (20, 20, 20) if ground.mean() > 115 else (240, 240, 240)


def _art(rng: np.random.Generator, picture: Picture, look: Any) -> None:
    """Pale graphics behind the characters."""
    if not look or rng.random() > look.get("chance", 1.0):
        return
    height, width = picture.shape[:2]
    layer = picture.copy()
    kind = one(rng, look.get("kinds", ("blobs", "hills", "middle")))
    tones = [shade(rng, colour(name), 16) for name in look["colours"]]
    if kind == "blobs":
        for _ in range(int(rng.integers(2, 7))):
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            marks.blob(
                rng, layer, float(x), float(y), height * rng.uniform(0.1, 0.4), one(rng, tones)
            )
    elif kind == "middle":
        size = height * rng.uniform(0.2, 0.38)
        marks.blob(rng, layer, width / 2 + rng.normal(0, 4), height / 2, size, one(rng, tones))
        marks.blob(rng, layer, width / 2, height / 2, size * 0.6, one(rng, tones))
    else:
        for number in range(int(rng.integers(1, 4))):
            base = height * rng.uniform(0.45, 0.8)
            steps = np.linspace(0, width, int(rng.integers(4, 12)))
            tops = base + rng.normal(0, height * 0.09, len(steps))
            points = [*zip(steps, tops, strict=True), (width, height), (0, height)]
            cv2.fillPoly(layer, [np.array(points).astype(np.int32)], tones[number % len(tones)])
    strength = within(rng, look.get("strength", (0.25, 0.8)))
    cv2.addWeighted(layer, strength, picture, 1 - strength, 0, dst=picture)


def _line(
    rng: np.random.Generator, picture: Picture, look: Any, inside: tuple[float, float], ink: Colour
) -> None:
    """A text that is not the number: a state's or a city's name, a slogan, an address."""
    height = picture.shape[0]
    x1, x2 = inside
    middle = x1 + (x2 - x1) * look.get("x", 0.5)
    half = (x2 - x1) * within(rng, look.get("width", (0.3, 0.6))) / 2
    top, bottom = look["y"]
    shift = rng.normal(0, 0.006)
    top, bottom = height * (top + shift), height * (bottom + shift)
    if "bar" in look:
        tone = shade(rng, colour(one(rng, look["bar"])))
        ends = (x1, x2) if look.get("full", True) else (middle - half, middle + half)
        pad = (bottom - top) * look.get("bar_pad", 0.3)
        cv2.rectangle(
            picture,
            (round(ends[0]), round(top - pad)),
            (round(ends[1]), round(bottom + pad)),
            tone,
            -1,
        )
    tone = shade(rng, colour(one(rng, look["ink"]))) if "ink" in look else ink
    text = str(one(rng, look["texts"])).replace("#", str(rng.integers(10, 99)))
    style = str(one(rng, look.get("fonts", ("sans",))))
    marks.write(rng, picture, text, (middle - half, top, middle + half, bottom), tone, style)


def _border(
    rng: np.random.Generator, picture: Picture, scheme: Any, look: Any, ink: Colour
) -> None:
    """A line along the edge, sometimes struck twice."""
    border = look.get("border", {"chance": 0.7})
    if rng.random() > border["chance"]:
        return
    height, width = picture.shape[:2]
    tone = shade(rng, colour(scheme["border"])) if "border" in scheme else ink
    inset = within(rng, border.get("inset", (0.01, 0.04))) * height
    thick = max(1, round(height * within(rng, border.get("width", (0.012, 0.03)))))
    for offset in (inset, inset + 2 * thick) if rng.random() < 0.08 else (inset,):
        at = round(offset + thick / 2)
        cv2.rectangle(
            picture, (at, at), (width - 1 - at, height - 1 - at), tone, thick, cv2.LINE_AA
        )


def _extras(rng: np.random.Generator, picture: Picture, look: Any) -> None:
    """Stickers, screws, a frame, dirt and worn paint."""
    stickers = look.get("stickers", {})
    for corner in stickers.get("corners", ()):
        if rng.random() < stickers.get("chance", 0.5):
            marks.sticker(rng, picture, corner)
    american = bool(look.get("american"))
    if rng.random() < 0.4:
        marks.screws(rng, picture, one(rng, US_BOLTS if american else EU_BOLTS))
    if rng.random() < 0.3:
        marks.holder(rng, picture, broad=american)
    if rng.random() < 0.3:
        marks.dirt(rng, picture)
    if rng.random() < 0.12:
        picture[:] = np.clip(picture.astype(np.int16) * 0.7 + rng.uniform(20, 70), 0, 255)


def sheet(drawn: list[Drawn], columns: int = 8) -> Picture:
    """Plates side by side, each with its text and region below."""
    wide, high = 210, 120
    rows = -(-len(drawn) // columns)
    page = np.full((rows * high, columns * wide, 3), 90, np.uint8)
    for number, plate in enumerate(drawn):
        x, y = number % columns * wide, number // columns * high
        tall, broad = plate.picture.shape[:2]
        scale = min((wide - 8) / broad, (high - 24) / tall)
        small = cv2.resize(
            plate.picture, (round(broad * scale), round(tall * scale)), interpolation=cv2.INTER_AREA
        )
        page[y + 4 : y + 4 + small.shape[0], x + 4 : x + 4 + small.shape[1]] = small
        label = f"{plate.region} " + "".join(
            char if char.isascii() else f"<{PROVINCES.index(char)}>" for char in plate.text
        )
        cv2.putText(page, label, (x + 6, y + high - 6), 0, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return page


def _main() -> None:
    parser = argparse.ArgumentParser(description="Draw plates on a contact sheet.")
    parser.add_argument("--sheet", type=Path, required=True, help="picture to write")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--region")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    page = sheet([draw_plate(rng, options.region) for _ in range(options.count)])
    cv2.imwrite(str(options.sheet), page)


if __name__ == "__main__":
    _main()
