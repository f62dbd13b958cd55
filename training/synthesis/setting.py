"""Set the rows of a plate: characters, marks between them, and how they are struck."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from inference.results import PROVINCES
from training.synthesis import marks
from training.synthesis.fonts import GLYPH_HEIGHT, Face, Mask, glyph, present
from training.synthesis.marks import Colour, Look, Picture, one, within
from training.synthesis.templates import Piece

LATIN_STYLES: Final = ("fe", "din", "uk", "narrow", "us", "cn", "din", "us")
USUAL_WIDTH: Final = 0.52
"""A character's width over its height, where all are alike."""

Room = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the plate's picture."""


@dataclass(frozen=True, slots=True)
class Hand:
    """How the characters of one plate are made.

    `stretch`: factor on every width. `even`: 0, each as wide as its font has it, to 1, all alike;
    `even_thin`: whether 1 and I take as much room as the rest. `weight`: the level at which a
    blurred stroke ends, below .5 thicker. `gap`, `space`: shares of the characters' height.
    `alike`: pairs written with one shape, as "1IO0". `serif_i`: an I with feet; `slash`: through
    every zero. `slant`: pixels aside per pixel up.
    """

    face: Face
    province: Face | None
    stretch: float
    even: float
    even_thin: bool
    weight: float
    gap: float
    space: float
    alike: str
    serif_i: bool
    slash: bool
    slant: float


@dataclass(frozen=True, slots=True)
class _Letter:
    """A glyph, and its own width as a share of its height."""

    mask: Mask
    wide: float


@dataclass(frozen=True, slots=True)
class _Box:
    """Something in a row: its room and the gap after it, as shares of the row's height."""

    wide: float
    gap: float
    piece: Piece
    letters: tuple[_Letter, ...] = ()


def take_hand(rng: np.random.Generator, look: Look) -> Hand:
    """A way to make characters that suits the template, now and then quite another."""
    style = str(one(rng, look["fonts"]))
    if rng.random() < 0.08:
        style = str(one(rng, LATIN_STYLES))
    wear = look.get("wear", {})
    pitch = look.get("pitch")
    return Hand(
        face=one(rng, present(style)),
        province=one(rng, present("cjk")) if look.get("provinces") else None,
        stretch=within(rng, look.get("stretch", (0.8, 1.15))),
        even=within(rng, pitch or (0.0, 0.7)),
        even_thin=bool(pitch) or rng.random() < 0.4,
        weight=float(np.clip(rng.normal(0.5, 0.12), 0.22, 0.8)),
        gap=within(rng, look.get("gap", (0.06, 0.16))),
        space=within(rng, look.get("space", (0.15, 0.4))),
        alike=look.get("alike", "") if rng.random() < 0.85 else "",
        serif_i=rng.random() < wear.get("serif_i", 0.02),
        slash=rng.random() < wear.get("slash", 0.01),
        slant=float(rng.uniform(0.08, 0.3)) if rng.random() < look.get("slant", 0.01) else 0.0,
    )


def row_hand(hand: Hand, look: Look, row: int) -> Hand:
    """The same hand, its characters broader where a template says so of this row."""
    factors = look.get("row_stretch", ())
    return replace(hand, stretch=hand.stretch * factors[row]) if factors else hand


def set_row(
    rng: np.random.Generator,
    picture: Picture,
    row: tuple[Piece, ...],
    room: Room,
    hand: Hand,
    ink: Colour,
    look: Look,
) -> None:
    """Write one row of characters into its room."""
    x1, y1, x2, y2 = room
    high = y2 - y1
    boxes = _boxes(rng, row, hand, look)
    natural = (sum(box.wide + box.gap for box in boxes) - boxes[-1].gap) * high
    # Too long: condense, as makers do. Too short: space out a little, then centre.
    across = min(1.0, (x2 - x1) / natural)
    spread = max(0.0, (x2 - x1) * within(rng, look.get("fill", (0.85, 1.0))) - natural)
    spread = min(spread / max(1, len(boxes) - 1), look.get("spread", 0.12) * high)
    slack = (x2 - x1 - natural * across - spread * (len(boxes) - 1)) / 2
    where = 0.0 if look.get("align") == "left" else 1 + float(np.clip(rng.normal(0, 0.12), -1, 1))
    x = x1 + max(0.0, slack * where)
    base = np.zeros((round(high) + 8, round(x2 - x1) + 16), np.uint8)
    left, top = round(x1) - 8, round(y1) - 4
    for box in boxes:
        wide = box.wide * high * across
        if box.piece.mark == "emblem":
            about = look.get("emblem", {})
            if rng.random() < about.get("chance", 0.9):
                marks.emblem(rng, picture, x + wide / 2, y1 + high / 2, wide / 2, about)
        else:
            _set(rng, base, box, (x - left, y1 - top, wide, high), look)
        x += wide + box.gap * high * across + spread
    if hand.slant:
        lean = np.array([[1, -hand.slant, hand.slant * high / 2], [0, 1, 0]], np.float32)
        base = np.asarray(cv2.warpAffine(base, lean, (base.shape[1], base.shape[0])), np.uint8)
    ready = _stroke(rng, base, high, hand.weight)
    _emboss(rng, picture, ready, left, top)
    if rng.random() < 0.08:
        ready = _peel(rng, ready)
    strength = 1.0 if rng.random() < 0.8 else float(rng.uniform(0.6, 1.0))
    marks.stamp(picture, ready, left, top, ink, strength)


def _boxes(rng: np.random.Generator, row: tuple[Piece, ...], hand: Hand, look: Look) -> list[_Box]:
    boxes: list[_Box] = []
    for piece in row:
        letters = tuple(_letter(hand, char) for char in piece.text)
        if piece.mark in ("text", "small"):
            size = look.get("small", 0.72) if piece.mark == "small" else 1.0
            boxes.extend(
                _Box(_room(hand, char, letter.wide) * size, hand.gap, piece, (letter,))
                for char, letter in zip(piece.text, letters, strict=True)
            )
        elif piece.mark == "stack":
            wide = max(letter.wide for letter in letters) * 0.55
            boxes.append(_Box(wide, hand.gap, piece, letters))
        elif piece.mark == "emblem":
            size = within(rng, look.get("emblem", {}).get("size", (0.3, 0.5)))
            boxes.append(_Box(size, hand.gap, piece))
        elif piece.mark in ("space", "half"):
            boxes.append(_Box(hand.space * (1.0 if piece.mark == "space" else 0.5), 0.0, piece))
        else:
            span = {"hyphen": (0.14, 0.28), "dot": (0.1, 0.22), "bar": (0.03, 0.04)}[piece.mark]
            boxes.append(_Box(within(rng, span), hand.gap, piece))
    return boxes


def _letter(hand: Hand, char: str) -> _Letter:
    province = char in PROVINCES
    if hand.alike and char in hand.alike:
        char = hand.alike[hand.alike.index(char) // 2 * 2]
    mask = glyph(hand.province if province and hand.province else hand.face, char)
    high, wide = mask.shape
    if char == "I" and hand.serif_i:
        mask = _feet(mask)
        wide = mask.shape[1]
    elif char == "0" and hand.slash:
        mask = mask.copy()
        ends = (wide // 5, high * 4 // 5), (wide * 4 // 5, high // 5)
        cv2.line(mask, *ends, 255, high // 12, cv2.LINE_AA)
    share = wide / GLYPH_HEIGHT
    if province or char not in "I1":
        share = share * (1 - hand.even) + USUAL_WIDTH * hand.even
    return _Letter(mask, share * hand.stretch)


def _feet(stem: Mask) -> Mask:
    """The letter I with a serif above and below."""
    high, wide = stem.shape
    mask = np.zeros((high, max(wide, high * 2 // 5)), np.uint8)
    left = (mask.shape[1] - wide) // 2
    mask[:, left : left + wide] = stem
    mask[: high // 8] = 255
    mask[-(high // 8) :] = 255
    return mask


def _room(hand: Hand, char: str, wide: float) -> float:
    """What a character takes up: its own width, or with `even_thin` nearly that of the rest."""
    if char not in "I1" or not hand.even_thin:
        return wide
    return max(wide, wide * (1 - hand.even) + USUAL_WIDTH * hand.stretch * hand.even)


def _set(rng: np.random.Generator, base: Mask, box: _Box, at: Room, look: Look) -> None:
    """Put one box into the row's mask; `at`: x, y, width and height."""
    x, y, wide, high = at
    mark = box.piece.mark
    if mark == "text":
        _put(
            base,
            box.letters[0],
            x,
            y + float(rng.normal(0, look.get("jitter", 0.008))) * high,
            wide,
            high,
            box.wide,
        )
    elif mark == "small":
        small = look.get("small", 0.72)
        level = y + look.get("small_y", 0.0) * high
        _put(base, box.letters[0], x, level, wide, small * high, box.wide / small)
    elif mark == "stack":
        each = high / len(box.letters)
        for number, letter in enumerate(box.letters):
            _put(base, letter, x, y + number * each, wide, each * 0.88, letter.wide)
    elif mark == "hyphen":
        middle, thick = y + high * rng.uniform(0.46, 0.54), high * rng.uniform(0.09, 0.14)
        _bar(base, x, middle - thick / 2, x + wide, middle + thick / 2)
    elif mark == "bar":
        _bar(base, x, y - high * 0.12, x + wide, y + high * 1.12)
    elif mark == "dot":
        at_y = y + high * look.get("dot", 0.5)
        centre = (round((x + wide / 2) * 16), round(at_y * 16))
        radius = round(high * rng.uniform(0.05, 0.085) * 16)
        cv2.circle(base, centre, radius, 255, -1, cv2.LINE_AA, 4)


def _bar(base: Mask, x1: float, y1: float, x2: float, y2: float) -> None:
    cv2.rectangle(base, (round(x1), round(y1)), (round(x2), round(y2)), 255, -1)


def _put(
    base: Mask, letter: _Letter, x: float, y: float, wide: float, high: float, room: float
) -> None:
    """Resize a glyph to its place in the row's mask, in the middle of its room (`wide` in pixels,
    `room` as a share of the height)."""
    own = wide * min(1.0, letter.wide / room)
    size = (max(2, round(own)), max(2, round(high)))
    small = np.asarray(cv2.resize(letter.mask, size, interpolation=cv2.INTER_AREA), np.uint8)
    left, top = max(0, round(x + (wide - own) / 2)), max(0, round(y))
    part = base[top : top + size[1], left : left + size[0]]
    np.maximum(part, small[: part.shape[0], : part.shape[1]], out=part)


def _stroke(rng: np.random.Generator, mask: Mask, high: float, weight: float) -> Mask:
    """Thicken or thin every stroke: blur, then cut at another level."""
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.6, high * 0.018))
    level, slope = weight * 255, float(rng.uniform(2.5, 4.0))
    table = np.clip((np.arange(256) - level) * slope + 128, 0, 255)
    table[0] = 0
    return np.asarray(cv2.LUT(soft, table.astype(np.uint8)), np.uint8)


def _peel(rng: np.random.Generator, mask: Mask) -> Mask:
    """Ink that came off in flakes: under a third of it, so that the text stays."""
    flakes = rng.integers(0, 256, (mask.shape[0] // 5 + 1, mask.shape[1] // 5 + 1), dtype=np.uint8)
    noise = cv2.resize(flakes, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_CUBIC)
    level, depth = rng.uniform(20, 80), rng.uniform(0.3, 0.85)
    keep = np.where(np.arange(256) < level, 255 * (1 - depth), 255).astype(np.uint8)
    return np.asarray(cv2.multiply(mask, cv2.LUT(noise, keep), scale=1 / 255), np.uint8)


def _emboss(rng: np.random.Generator, picture: Picture, mask: Mask, x: int, y: int) -> None:
    """Struck characters catch light on one side and throw shade on the other."""
    if rng.random() < 0.45:
        return
    reach = int(rng.integers(1, 3))
    down = 1 if rng.random() < 0.8 else -1
    strength = float(rng.uniform(0.1, 0.5))
    for step, tone in ((down, (30, 30, 30)), (-down, (250, 250, 250))):
        moved = np.roll(mask, (reach * step, reach * step), (0, 1))
        marks.stamp(picture, moved, x, y, tone, strength)
