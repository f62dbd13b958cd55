"""Contact sheets: many pictures on one, each with a caption, to be looked at by eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.measures import Box
from inference.results import Picture

CAPTION: Final = 34
CJK: Final = ("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "wqy-microhei.ttc")


@dataclass(frozen=True, slots=True)
class Tile:
    """A BGR picture, two lines about it, and boxes to draw: true ones green, read ones red."""

    picture: Picture
    lines: tuple[str, str]
    true: tuple[Box, ...] = ()
    read: tuple[Box, ...] = ()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in CJK:  # Chinese provinces need such a font; without one they show as boxes
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def sheet(tiles: Sequence[Tile], out: Path, *, columns: int = 5, size: int = 320) -> None:
    """Draw the tiles, `size` pixels wide each, into one picture file."""
    font = _font(13)
    height = round(size * 0.75) + CAPTION
    rows = -(-len(tiles) // columns) or 1
    page = Image.new("RGB", (columns * size, rows * height), (20, 20, 20))
    draw = ImageDraw.Draw(page)
    for index, tile in enumerate(tiles):
        left, top = index % columns * size, index // columns * height
        picture = Image.fromarray(np.ascontiguousarray(tile.picture[:, :, ::-1]))
        scale = min(size / picture.width, (height - CAPTION) / picture.height)
        shown = picture.resize(
            (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        )
        page.paste(shown, (left, top))
        for boxes, colour in ((tile.true, (60, 220, 90)), (tile.read, (255, 80, 80))):
            for x1, y1, x2, y2 in boxes:
                a, b = (left + x1 * scale, top + y1 * scale), (left + x2 * scale, top + y2 * scale)
                draw.rectangle((a, b), outline=colour)
        for line, text in enumerate(tile.lines):
            draw.text((left + 3, top + height - CAPTION + 16 * line), text, (230, 230, 230), font)
    page.save(out)
