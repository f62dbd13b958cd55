"""Number plate faces: size, colours, country band and lettering of several countries.

The texts drawn are invented. Lettering is one open typeface stretched to each country's
proportions, not the official one. Sizes are the common ones of each country's regulations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo.scenery.field import Colour, Floats, cloud, f32, mix, sample, smoothstep
from demo.scenery.solids import Box, Matter, Pose, Solid, among

FONT = Path(__file__).parent.parent / "fonts" / "BarlowSemiCondensed-SemiBold-subset.ttf"
_DOTS = 3.0  # texture pixels per millimetre
_CAPITAL = 0.70  # the typeface's capital height, in ems

WHITE: Colour = (0.80, 0.80, 0.77)
YELLOW: Colour = (0.78, 0.50, 0.03)
BLACK: Colour = (0.018, 0.018, 0.02)
EU_BLUE: Colour = (0.012, 0.045, 0.30)


@dataclass(frozen=True)
class PlateStyle:
    """One country's plate; lengths in millimetres.

    `band` is the width of the blue strip on the left, `code` the letters in it, `stars` whether it
    carries the Union's ring. `lines` are thin red edges above and below, `header` a strip across
    the top with a word in it. `seal` puts round stickers between the first two groups.
    """

    width: float = 520.0
    height: float = 110.0
    letter: float = 75.0
    stretch: float = 0.92
    gap: float = 26.0
    tracking: float = 5.5
    ground: Colour = WHITE
    ink: Colour = BLACK
    border: float = 3.0
    band: float = 44.0
    code: str = ""
    stars: bool = True
    lines: bool = False
    header: str = ""
    header_ground: Colour | None = None
    seal: bool = False


STYLES: dict[str, PlateStyle] = {
    "CZ": PlateStyle(code="CZ"),
    "SK": PlateStyle(code="SK", gap=44.0, seal=True),
    "DE": PlateStyle(code="D", seal=True, gap=46.0, tracking=4.0),
    "AT": PlateStyle(code="A", lines=True, border=0.0, letter=67.0, seal=True, gap=52.0),
    "HU": PlateStyle(code="H", letter=72.0, gap=24.0),
    "PL": PlateStyle(code="PL", letter=78.0, gap=36.0),
    "GB": PlateStyle(band=0.0, letter=79.0, border=0.0, gap=33.0, tracking=10.0, stretch=0.98),
    "US": PlateStyle(
        width=305.0,
        height=152.0,
        letter=68.0,
        stretch=0.80,
        gap=16.0,
        tracking=3.0,
        band=0.0,
        border=0.0,
        ink=(0.02, 0.03, 0.16),
        header="STATE",
    ),
    "BR": PlateStyle(
        width=400.0,
        height=130.0,
        letter=65.0,
        stretch=0.90,
        gap=14.0,
        tracking=6.0,
        band=0.0,
        header="BRASIL",
        header_ground=(0.01, 0.04, 0.25),
    ),
}


def style_of(country: str, *, rear: bool) -> PlateStyle:
    """The country's plate; British ones are yellow behind."""
    style = STYLES[country]
    if country == "GB" and rear:
        return PlateStyle(**{**style.__dict__, "ground": YELLOW})
    return style


def canonical(printed: str) -> str:
    """The text without the gaps it is printed with."""
    return printed.replace(" ", "")


@cache
def _glyphs(text: str, letter: float, stretch: float, tracking: float) -> Floats:
    """Coverage (rows, columns) of `text`, capitals `letter` mm high, at texture resolution."""
    fine = 3
    size = letter * _DOTS * fine / _CAPITAL
    font = ImageFont.truetype(str(FONT), round(size))
    step = tracking * _DOTS * fine / stretch
    advance = [font.getlength(letter) for letter in text]
    width = int(sum(advance) + step * max(0, len(text) - 1)) + 4
    top = font.getbbox("H", anchor="ls")[1]
    image = Image.new("L", (width, round(-top) + 2), 0)
    pen = ImageDraw.Draw(image)
    x = 2.0
    for character, room in zip(text, advance, strict=True):
        pen.text((x, image.height - 1), character, fill=255, font=font, anchor="ls")
        x += room + step
    columns = max(1, round(width * stretch / fine))
    rows = max(1, round(letter * _DOTS))
    return f32(cv2.resize(np.asarray(image), (columns, rows), interpolation=cv2.INTER_AREA) / 255.0)


class _Face:
    """A plate's texture while it is being drawn; all lengths in millimetres from the top left."""

    def __init__(self, style: PlateStyle) -> None:
        shape = (round(style.height * _DOTS), round(style.width * _DOTS))
        self.colour = f32(np.broadcast_to(style.ground, (*shape, 3))).copy()
        self.ink = np.zeros(shape, np.float32)

    def lay(self, cover: Floats, colour: Colour) -> None:
        self.colour = mix(self.colour, colour, cover[:, :, None])

    def blank(self) -> Floats:
        return np.zeros(self.ink.shape, np.float32)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        cover = self.blank()
        cv2.rectangle(
            cover,
            (round(x * _DOTS), round(y * _DOTS)),
            (round((x + width) * _DOTS) - 1, round((y + height) * _DOTS) - 1),
            1.0,
            -1,
        )
        self.lay(cover, colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        drawn = np.zeros(self.ink.shape, np.uint8)  # cv2 smooths edges of 8-bit pictures only
        centre = (round(x * _DOTS * 16), round(y * _DOTS * 16))
        cv2.circle(drawn, centre, round(radius * _DOTS * 16), 255, -1, cv2.LINE_AA, 4)
        self.lay(f32(drawn / 255.0), colour)

    def write(self, glyphs: Floats, x: float, middle: float, colour: Colour, *, ink: bool) -> None:
        """Put glyphs with their left edge at `x` and their middle at height `middle`."""
        rows, columns = glyphs.shape
        top, left = round(middle * _DOTS - rows / 2), round(x * _DOTS)
        cover = self.blank()
        columns = min(columns, cover.shape[1] - left)
        cover[top : top + rows, left : left + columns] = glyphs[:, :columns]
        self.lay(cover, colour)
        if ink:
            self.ink = np.maximum(self.ink, cover)


def _decorate(face: _Face, style: PlateStyle) -> float:
    """Border, band, lines and header; returns the left end of the room for letters (mm)."""
    width, height = style.width, style.height
    if style.lines:
        for y in (3.0, height - 6.0):
            face.box(0, y, width, 1.6, (0.45, 0.01, 0.015))
            face.box(0, y + 2.6, width, 0.8, (0.45, 0.01, 0.015))
    if style.border:
        for inset, colour in ((0.0, style.ink), (style.border, style.ground)):
            face.box(inset, inset, width - 2 * inset, height - 2 * inset, colour)
    if style.header_ground:
        face.box(0, 0, width, 30.0, style.header_ground)
    if style.header:
        word = _glyphs(style.header, 13.0, 1.0, 4.0)
        left = (width - word.shape[1] / _DOTS) / 2
        colour = WHITE if style.header_ground else (0.45, 0.04, 0.05)
        face.write(word, left, 15.0, colour, ink=False)
    if not style.band:
        return 0.0
    face.box(0, 0, style.band, height, EU_BLUE)
    for number in range(12 if style.stars else 0):
        turn = 2 * np.pi * number / 12
        face.disc(
            style.band / 2 + 13.0 * np.sin(turn), 34.0 - 13.0 * np.cos(turn), 2.2, (0.75, 0.5, 0.02)
        )
    code = _glyphs(style.code, 20.0, 0.92, 2.0)
    face.write(code, (style.band - code.shape[1] / _DOTS) / 2, height - 23.0, WHITE, ink=False)
    return style.band


def draw_face(printed: str, style: PlateStyle) -> tuple[Floats, Floats]:
    """The plate's colour (rows, columns, 3; linear) and its retroreflection (rows, columns)."""
    face = _Face(style)
    start = _decorate(face, style)
    groups = [_glyphs(g, style.letter, style.stretch, style.tracking) for g in printed.split(" ")]
    total = sum(g.shape[1] for g in groups) / _DOTS + style.gap * (len(groups) - 1)
    room = style.width - start - 14.0
    squeeze = min(1.0, room / total)
    x = start + (style.width - start - total * squeeze) / 2
    middle = style.height / 2 + (14.0 if style.header else 0.0)
    for number, glyphs in enumerate(groups):
        columns = max(1, round(glyphs.shape[1] * squeeze))
        fitted = f32(cv2.resize(glyphs, (columns, glyphs.shape[0]), interpolation=cv2.INTER_AREA))
        face.write(fitted, x, middle, style.ink, ink=True)
        x += columns / _DOTS
        if style.seal and number == 0:
            centre = x + style.gap * squeeze / 2
            face.disc(centre, middle - 16.0, 14.0, (0.30, 0.42, 0.52))
            face.disc(centre, middle - 16.0, 8.0, (0.52, 0.56, 0.50))
            face.disc(centre, middle + 19.0, 12.0, (0.50, 0.52, 0.54))
        x += style.gap * squeeze
    pressed = f32(cv2.GaussianBlur(face.ink, (0, 0), 2.0))
    relief = np.roll(pressed, (2, 2), (0, 1)) - np.roll(pressed, (-2, -2), (0, 1))
    colour = f32(np.clip(face.colour + 0.10 * relief[:, :, None], 0.005, 0.9))
    return colour, f32(np.clip(colour.mean(axis=2) * 1.3 - 0.03, 0.0, 1.0))


def soil(
    colour: Floats, retro: Floats, amount: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Road dirt on a plate: a thin film, specks, and from about 0.6 mud that hides letters."""
    if amount <= 0:
        return colour, retro
    rows, columns = retro.shape
    grid_x, grid_y = np.meshgrid(np.arange(columns), np.arange(rows))
    coarse, fine = cloud(rng, 256, 5), cloud(rng, 256, 3, 0.9)
    flat_x, flat_y = f32(grid_x.ravel()), f32(grid_y.ravel())
    patches = sample(coarse, flat_x * 0.45, flat_y * 0.45, wrap=True).reshape(rows, columns)
    specks = sample(fine, flat_x * 0.9, flat_y * 0.9, wrap=True).reshape(rows, columns)
    low = f32(grid_y / rows)
    film = 0.30 * amount * (0.7 + 0.6 * low)
    edge = 2.7 - 5.6 * amount**1.5
    mud = smoothstep(edge, edge + 0.6, f32(patches + 0.5 * low))
    dots = smoothstep(3.1 - 1.6 * amount, 3.4 - 1.6 * amount, specks)
    cover = np.clip(np.maximum(np.maximum(film, mud * 0.96), dots * 0.9), 0, 1)[:, :, None]
    brown = f32([0.115, 0.085, 0.058]) * (1.0 + 0.16 * np.clip(patches, -2, 2))[:, :, None]
    return mix(colour, brown, cover), f32(retro * (1.0 - cover[:, :, 0]))


def mount(
    face: tuple[Floats, Floats], style: PlateStyle, pose: Pose, *, pixels: float
) -> tuple[list[Solid], Floats]:
    """The plate and its holder standing at `pose`, facing its −y, and the plate's corners.

    `pixels` is how wide the plate will be in the rendering: the texture is reduced to about that,
    since a ray samples a point. Corners (4, 3) are in the world, clockwise from the top left as
    seen from in front.
    """
    width, height = style.width / 1000, style.height / 1000
    colour, retro = face
    columns = int(np.clip(pixels, 8, colour.shape[1]))
    size = (columns, max(4, round(columns * height / width)))
    small = f32(cv2.resize(colour, size, interpolation=cv2.INTER_AREA))
    bright = f32(cv2.resize(retro, size, interpolation=cv2.INTER_AREA))

    def paint(points: Floats, normals: Floats) -> Matter:
        u = (points[:, 0] / width + 0.5) * size[0] - 0.5
        v = (0.5 - points[:, 2] / height) * size[1] - 0.5
        on_face = (normals[:, 1] < -0.5)[:, None]
        seen = np.where(on_face, sample(small, u, v), f32(BLACK))
        matter = Matter.plain(f32(seen), normals, mirror=0.035, gloss=0.35)
        matter.retro = f32(np.where(on_face[:, 0], sample(bright, u, v), 0.0))
        return matter

    def paint_holder(points: Floats, normals: Floats) -> Matter:
        edge = among(
            points[:, [0, 2]],
            (-width / 2 - 0.004, -height / 2 - 0.004),
            (width / 2 + 0.004, height / 2 + 0.004),
        )
        shade = np.where(edge[:, None], f32((0.006, 0.006, 0.006)), f32((0.022, 0.022, 0.024)))
        return Matter.plain(f32(shade), normals, mirror=0.04, gloss=0.3)

    plate = Solid(Box(f32([width / 2, 0.004, height / 2])), pose, paint, 1, casts=False)
    holder_half = f32([width / 2 + 0.011, 0.010, height / 2 + 0.011])
    behind = pose.then(Pose((0.0, 0.009, 0.0)))
    holder = Solid(Box(holder_half), behind, paint_holder, 1, casts=False)
    x, z = width / 2, height / 2
    corners = f32([[-x, -0.004, z], [x, -0.004, z], [x, -0.004, -z], [-x, -0.004, -z]])
    return [holder, plate], pose.world(corners)
