"""What else is on a plate: bands, seals, stickers, screws, frames, dirt. None of it is its number.

Every function paints into a BGR picture in place. Colours are "#rrggbb" in data and BGR here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthesis.fonts import Mask, present, words

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Look = Mapping[str, Any]

STICKER_COLOURS: Final = (
    *("#d8342a", "#2a5fc4", "#2e9a4d", "#f2c230", "#f6f6f2", "#e8762c"),
    *("#7a3fa0", "#1b1b1b", "#c9c9c9"),
)
DEALERS: Final = (
    *("AUTOHAUS", "Toyota of", "HONDA", "www.cars", "Chevrolet", "SMITH FORD", "MOTORS", "Nissan"),
    *("AUTO CENTER", "BMW Group", "Jeep Dodge Ram", "autosalon.eu", "Volkswagen", "Concessionaria"),
    *(
        "UNIVERSITY",
        "ALUMNI",
        "My other car",
        "TEXAS LONGHORNS",
        "Garage",
        "0800 123 456",
        "Renault",
    ),
    *(
        "Kia Motors",
        "Subaru",
        "AUTOVIA",
        "Hyundai",
        "Fiat",
        "LAKERS",
        "Skoda Praha",
        "Audi Zentrum",
    ),
)


@lru_cache(maxsize=512)
def colour(name: str) -> Colour:
    """ "#rrggbb" → BGR."""
    return (int(name[5:7], 16), int(name[3:5], 16), int(name[1:3], 16))


def shade(rng: np.random.Generator, tone: Colour, spread: float = 14) -> Colour:
    """The same colour, a little off: no two batches of paint are alike."""
    shift = rng.normal(0, spread, 3) * 0.5 + rng.normal(0, spread * 0.6)
    b, g, r = (int(min(255, max(0, c + s))) for c, s in zip(tone, shift, strict=True))
    return (b, g, r)


def dim(tone: Colour, factor: int) -> Colour:
    """A colour that many times darker."""
    b, g, r = tone
    return (b // factor, g // factor, r // factor)


def one(rng: np.random.Generator, choices: Any) -> Any:
    """One of a list, all alike."""
    return choices[int(rng.integers(len(choices)))]


def within(rng: np.random.Generator, span: Any) -> float:
    """A number between the two of `span`."""
    return float(rng.uniform(span[0], span[1]))


def stamp(picture: Picture, mask: Mask, x: int, y: int, ink: Colour, strength: float = 1.0) -> None:
    """Blend `ink` in through a mask whose top left corner comes to (x, y); cut at the edges."""
    height, width = picture.shape[:2]
    left, top = max(0, -x), max(0, -y)
    mask = mask[top : max(top, height - y), left : max(left, width - x)]
    if not mask.size:
        return
    x, y = max(0, x), max(0, y)
    part = picture[y : y + mask.shape[0], x : x + mask.shape[1]]
    # All in tables and saturating arithmetic of cv2: this is most of what a plate costs.
    share = np.arange(256) * strength
    keep = cv2.LUT(mask, (255 - share).astype(np.uint8))
    add = (share[:, None] * np.array(ink) / 255).astype(np.uint8).reshape(1, 256, 3)
    kept = cv2.multiply(part, cv2.merge((keep, keep, keep)), scale=1 / 255)
    part[:] = cv2.add(kept, cv2.LUT(cv2.merge((mask, mask, mask)), add))


def write(
    rng: np.random.Generator,
    picture: Picture,
    text: str,
    box: tuple[float, float, float, float],
    ink: Colour,
    style: str = "sans",
) -> None:
    """Small text (or none) inside a box (x1, y1, x2, y2), centred, its own proportions kept."""
    if not text:
        return
    mask = words(one(rng, present(style)), text)
    x1, y1, x2, y2 = box
    scale = min((x2 - x1) / mask.shape[1], (y2 - y1) / mask.shape[0])
    size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
    if min(size) < 2:
        return
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
    stamp(picture, small, round((x1 + x2 - size[0]) / 2), round((y1 + y2 - size[1]) / 2), ink)


def disc(picture: Picture, x: float, y: float, radius: float, ink: Colour, width: int = -1) -> None:
    """A smooth circle; `width` of its line, -1 for a full one."""
    at = (round(x * 16), round(y * 16))
    cv2.circle(picture, at, max(8, round(radius * 16)), ink, width, cv2.LINE_AA, 4)


def band(rng: np.random.Generator, picture: Picture, look: Look) -> tuple[float, float]:
    """A strip at the left or right end: stars or a flag above, a country's letters below. Returns
    what it takes off the left and off the right of the plate, in pixels."""
    height, width = picture.shape[:2]
    wide = within(rng, look.get("width", (0.36, 0.44))) * height
    left = look.get("side", "left") == "left"
    x1, x2 = (0.0, wide) if left else (width - wide, float(width))
    paint = shade(rng, colour(one(rng, look.get("colours", ["#003399"]))))
    cv2.rectangle(picture, (round(x1), 0), (round(x2), height), paint, -1)
    middle, ink = (x1 + x2) / 2, colour(look.get("ink", "#f4f4f4"))
    if look.get("stars"):
        gold, radius = shade(rng, (40, 200, 245)), wide * 0.27
        for turn in range(12):
            angle = turn * np.pi / 6
            x, y = middle + radius * np.sin(angle), height * 0.29 + radius * np.cos(angle)
            disc(picture, x, y, max(1.0, wide * 0.045), gold)
    flag(
        picture, look.get("flag", ()), (x1 + wide * 0.15, 0.12 * height, wide * 0.7, 0.26 * height)
    )
    if look.get("text"):
        span = look.get("y", (0.6, 0.88))
        pad = wide * 0.14
        box = (x1 + pad, height * span[0], x2 - pad, height * span[1])
        write(rng, picture, str(one(rng, look["text"])), box, ink)
    return (wide, 0.0) if left else (0.0, wide)


def flag(picture: Picture, stripes: Any, box: tuple[float, float, float, float]) -> None:
    """Level stripes in a box (x, y, width, height)."""
    x, y, wide, high = box
    for number, stripe in enumerate(stripes):
        top = round(y + high * number / len(stripes))
        bottom = round(y + high * (number + 1) / len(stripes)) - 1
        cv2.rectangle(picture, (round(x), top), (round(x + wide), bottom), colour(stripe), -1)


def emblem(
    rng: np.random.Generator, picture: Picture, x: float, y: float, radius: float, look: Look
) -> None:
    """A seal, crest or shape between the characters."""
    tone = shade(rng, colour(one(rng, look.get("colours", STICKER_COLOURS))), 20)
    kind = one(rng, look.get("kinds", ("seal", "crest", "blob")))
    if kind == "seal":
        disc(picture, x, y, radius, tone)
        disc(picture, x, y, radius * 0.7, shade(rng, colour("#d9d9d9"), 30), 1)
        disc(picture, x, y, radius * 0.35, shade(rng, colour("#808080"), 40))
    elif kind == "crest":
        r = radius
        points: list[tuple[float, float]]
        points = [(-r, -r), (r, -r), (r * 0.9, r * 0.3), (0, r * 1.1), (-r * 0.9, r * 0.3)]
        cv2.fillPoly(picture, [_corners(points, x, y)], tone, cv2.LINE_AA)
        disc(picture, x, y - r * 0.2, r * 0.45, shade(rng, colour(one(rng, STICKER_COLOURS)), 30))
    elif kind == "seals":
        for at in (y - radius * 1.15, y + radius * 1.15):
            disc(picture, x, at, radius, tone)
            disc(picture, x, at, radius * 0.55, shade(rng, (150, 150, 150), 40))
    elif kind == "orange":
        disc(picture, x - radius * 0.3, y, radius * 0.62, tone)
        disc(picture, x + radius * 0.35, y + radius * 0.15, radius * 0.6, shade(rng, tone, 25))
        blob(rng, picture, x, y - radius * 0.7, radius * 0.4, shade(rng, colour("#4a9a40")))
    elif kind == "heart":
        for side in (-0.45, 0.45):
            disc(picture, x + radius * side, y - radius * 0.3, radius * 0.55, tone)
        wing = [(-0.95 * radius, 0.0), (0.95 * radius, 0.0), (0.0, radius)]
        cv2.fillPoly(picture, [_corners(wing, x, y)], tone, cv2.LINE_AA)
    elif kind == "star":
        turns = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2, 0.4, 1.0) * radius
        points = list(zip(reach * np.cos(turns), reach * np.sin(turns), strict=True))
        cv2.fillPoly(picture, [_corners(points, x, y)], tone, cv2.LINE_AA)
    else:
        blob(rng, picture, x, y, radius, tone)


def _corners(points: list[tuple[float, float]], x: float, y: float) -> NDArray[np.int32]:
    return np.array([(px + x, py + y) for px, py in points]).round().astype(np.int32)


def blob(
    rng: np.random.Generator, picture: Picture, x: float, y: float, radius: float, tone: Colour
) -> None:
    """A shape of no meaning: a state's outline, a fruit, a mountain."""
    count = int(rng.integers(5, 11))
    turns = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = radius * rng.uniform(0.45, 1.15, count)
    points = list(zip(reach * np.cos(turns), reach * np.sin(turns), strict=True))
    cv2.fillPoly(picture, [_corners(points, x, y)], tone, cv2.LINE_AA)


def trims(rng: np.random.Generator, picture: Picture, look: Look) -> None:
    """Stripes along the upper and the lower edge."""
    height, width = picture.shape[:2]
    tone = shade(rng, colour(one(rng, look["colours"])))
    for share in (0.04, 0.08, 0.92, 0.96):
        y = round(height * share)
        cv2.line(picture, (0, y), (width, y), tone, max(1, height // 60))


def sticker(rng: np.random.Generator, picture: Picture, corner: str) -> None:
    """A month's or year's label in a corner ("tl", "tr", "bl", "br")."""
    height, width = picture.shape[:2]
    high = height * rng.uniform(0.13, 0.22)
    wide = high * rng.uniform(1.0, 1.7)
    x = width * rng.uniform(0.02, 0.09)
    y = height * rng.uniform(0.02, 0.09)
    x1 = x if corner[1] == "l" else width - x - wide
    y1 = y if corner[0] == "t" else height - y - high
    tone = shade(rng, colour(one(rng, STICKER_COLOURS)))
    cv2.rectangle(picture, (round(x1), round(y1)), (round(x1 + wide), round(y1 + high)), tone, -1)
    ink = (15, 15, 15) if sum(tone) > 330 else (245, 245, 245)
    text = one(rng, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "DEC"))
    if rng.random() < 0.6:
        text = str(rng.integers(1, 32) if rng.random() < 0.4 else rng.integers(2004, 2028))
    pad = high * 0.15
    write(rng, picture, text, (x1 + pad, y1 + pad, x1 + wide - pad, y1 + high - pad), ink)


def screws(rng: np.random.Generator, picture: Picture, bolts: Any) -> None:
    """Screws or caps at the places given as shares of width and height."""
    height, width = picture.shape[:2]
    tone = shade(rng, colour(one(rng, ("#8d8d8d", "#3a3a3a", "#c9c9c9", "#e9e9e0", "#6b4a2f"))), 25)
    radius = height * rng.uniform(0.022, 0.05)
    for x, y in bolts:
        x, y = width * x + rng.normal(0, width * 0.006), height * y + rng.normal(0, height * 0.015)
        disc(picture, x + 1, y + 1, radius, dim(tone, 2))
        disc(picture, x, y, radius, tone)
        turn = rng.uniform(0, np.pi)
        step = np.array((np.cos(turn), np.sin(turn))) * radius * 0.7
        ends = (np.array((x, y)) - step, np.array((x, y)) + step)
        cv2.line(
            picture,
            (round(float(ends[0][0])), round(float(ends[0][1]))),
            (round(float(ends[1][0])), round(float(ends[1][1]))),
            dim(tone, 3),
            1,
            cv2.LINE_AA,
        )


def holder(rng: np.random.Generator, picture: Picture, *, broad: bool) -> None:
    """A frame whose lips cover the plate's edge; `broad`: strips above and below with a dealer's
    name, as in North America."""
    height, width = picture.shape[:2]
    tone = shade(rng, colour(one(rng, ("#151515", "#1d1d1f", "#bdbdbd", "#2b2b2b", "#8a8a8a"))), 10)
    lip = max(1, round(height * rng.uniform(0.01, 0.035)))
    top = bottom = lip
    if broad:
        top = round(height * rng.uniform(0.02, 0.13))
        bottom = round(height * rng.uniform(0.03, 0.15))
    elif rng.random() < 0.5:
        bottom = round(height * rng.uniform(0.02, 0.08))
    cv2.rectangle(picture, (0, 0), (width, top), tone, -1)
    cv2.rectangle(picture, (0, height - bottom), (width, height), tone, -1)
    cv2.rectangle(picture, (0, 0), (lip, height), tone, -1)
    cv2.rectangle(picture, (width - lip, 0), (width, height), tone, -1)
    ink = (235, 235, 235) if sum(tone) < 300 else (20, 20, 20)
    for y1, thick in ((0, top), (height - bottom, bottom)):
        if thick > height * 0.05 and rng.random() < 0.7:
            text = str(one(rng, DEALERS))
            box = (width * 0.15, y1 + thick * 0.15, width * 0.85, y1 + thick * 0.85)
            write(rng, picture, text, box, ink, one(rng, ("sans", "sans", "serif", "script")))


def dirt(rng: np.random.Generator, picture: Picture) -> None:
    """Specks, splashes and rust: small enough that the number can still be read."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(2, 26))):
        tone = shade(rng, colour(one(rng, ("#5a4a38", "#3d352c", "#7b6a52", "#8a4a22"))), 20)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius = height * min(0.05, float(rng.exponential(0.008)))
        disc(picture, float(x), float(y), radius, tone)
    if rng.random() < 0.5:
        cloud = cv2.resize(
            rng.integers(0, 255, (3, 9), dtype=np.uint8),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
        tone = shade(rng, colour("#6b5a45"), 20)
        stamp(picture, np.asarray(cloud, np.uint8), 0, 0, tone, float(rng.uniform(0.05, 0.45)))
