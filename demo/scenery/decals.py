"""What is painted on a vehicle's body: glass, lamps, shut lines, drawn flat and laid on.

A `Decal` is a drawing board over one side of the body, in metres, with a colour, a finish, a glow
and a height at each point; the height bends the surface's normal, so that seams and lamps catch
the light.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from demo.scenery.field import Colour, Floats, f32, sample

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Finish:
    """A material: linear colour, share mirrored head-on, sharpness of the mirror, own glow."""

    colour: Colour
    mirror: float = 0.04
    gloss: float = 0.3
    glow: Colour = (0.0, 0.0, 0.0)
    retro: float = 0.0


GLASS = Finish((0.010, 0.012, 0.013), 0.07, 1.0)
SEAT = Finish((0.030, 0.029, 0.028), 0.07, 1.0)
PLASTIC = Finish((0.016, 0.016, 0.017), 0.035, 0.35)
PIANO = Finish((0.006, 0.006, 0.007), 0.05, 0.95)
SEAM = Finish((0.008, 0.008, 0.008), 0.0, 0.0)
CHROME = Finish((0.10, 0.10, 0.10), 0.72, 0.9)
RED = Finish((0.26, 0.008, 0.012), 0.05, 0.95, retro=0.15)
DARK_RED = Finish((0.085, 0.004, 0.006), 0.05, 0.95, retro=0.05)
BRIGHT_RED = Finish((0.55, 0.03, 0.035), 0.05, 0.9, (0.05, 0.002, 0.002), retro=0.25)
AMBER = Finish((0.55, 0.16, 0.01), 0.05, 0.9)
CLEAR = Finish((0.42, 0.43, 0.45), 0.10, 0.95)
REFLECTOR = Finish((0.10, 0.105, 0.11), 0.45, 0.9)
LENS = Finish((0.045, 0.048, 0.052), 0.16, 0.95)
BULB = Finish((0.42, 0.43, 0.46), 0.30, 1.0, (0.05, 0.05, 0.055))
LIT_RED = Finish((0.6, 0.02, 0.02), 0.05, 0.9, (2.6, 0.075, 0.05))
LIT_LAMP = Finish((0.8, 0.8, 0.8), 0.05, 0.9, (6.5, 6.1, 5.2))
LIT_STRIP = Finish((0.8, 0.8, 0.8), 0.05, 0.9, (1.5, 1.5, 1.6))


@dataclass
class Decal:
    """A board `width` × `height` metres, its lower left corner at (`left`, `bottom`)."""

    left: float
    bottom: float
    width: float
    height: float
    paint: Finish
    scale: float
    colour: Floats = field(init=False)
    finish: Floats = field(init=False)
    glow: Floats = field(init=False)
    rise: Floats = field(init=False)

    def __post_init__(self) -> None:
        shape = (round(self.height * self.scale), round(self.width * self.scale))
        self.colour = f32(np.broadcast_to(self.paint.colour, (*shape, 3))).copy()
        self.finish = f32(np.broadcast_to((self.paint.mirror, self.paint.gloss, 0), (*shape, 3)))
        self.finish = self.finish.copy()
        self.glow = np.zeros((*shape, 3), np.float32)
        self.rise = np.zeros(shape, np.float32)

    def _pixels(self, points: Points) -> np.ndarray:
        flat = (np.array(points) - (self.left, self.bottom)) * self.scale
        flat[:, 1] = self.rise.shape[0] - flat[:, 1]
        return np.rint(flat * 16).astype(np.int32)

    def cover(self, points: Points, *, rounding: float = 0.0) -> Floats:
        """Coverage of a polygon (m), its corners rounded by about `rounding` metres."""
        drawn = np.zeros(self.rise.shape, np.uint8)  # cv2 smooths edges of 8-bit pictures only
        cv2.fillPoly(drawn, [self._pixels(points)], 255, cv2.LINE_AA, 4)
        mask = f32(drawn / 255.0)
        if rounding > 0:
            soft = f32(cv2.GaussianBlur(mask, (0, 0), rounding * self.scale * 0.6))
            slope = max(2.0, rounding * self.scale * 0.9)
            mask = f32(np.clip((soft - 0.5) * slope + 0.5, 0.0, 1.0))
        return mask

    def lay(self, mask: Floats, finish: Finish, *, rise: float = 0.0, bevel: float = 0.004) -> None:
        """Put `finish` where `mask` is; lift it by `rise` metres over a slope `bevel` wide."""
        window = _covered(mask)
        share = mask[window][:, :, None]
        kind = f32([finish.mirror, finish.gloss, finish.retro])
        self.colour[window] += (f32(finish.colour) - self.colour[window]) * share
        self.finish[window] += (kind - self.finish[window]) * share
        self.glow[window] += (f32(finish.glow) - self.glow[window]) * share
        if rise:
            self.lift(mask, rise, bevel)

    def lift(self, mask: Floats, rise: float, bevel: float) -> None:
        sigma = max(0.6, bevel * self.scale)
        window = _covered(mask, round(4 * sigma) + 2)
        self.rise[window] += f32(cv2.GaussianBlur(mask[window], (0, 0), sigma)) * rise

    def polygon(
        self,
        points: Points,
        finish: Finish,
        *,
        rounding: float = 0.0,
        rise: float = 0.0,
        bevel: float = 0.004,
        mirror: bool = False,
    ) -> None:
        """Lay a polygon, and its mirror image about x = 0 with `mirror`."""
        self.lay(self.cover(points, rounding=rounding), finish, rise=rise, bevel=bevel)
        if mirror:
            flipped = [(-x, y) for x, y in points]
            self.lay(self.cover(flipped, rounding=rounding), finish, rise=rise, bevel=bevel)

    def line(self, points: Points, finish: Finish, thick: float, *, mirror: bool = False) -> None:
        """Lay a line `thick` metres wide, sunk like a seam."""
        for path in [points, [(-x, y) for x, y in points]] if mirror else [points]:
            drawn = np.zeros(self.rise.shape, np.uint8)
            width = max(1, round(thick * self.scale))
            cv2.polylines(drawn, [self._pixels(path)], False, 255, width, cv2.LINE_AA, 4)
            self.lay(f32(drawn / 255.0), finish, rise=-0.004, bevel=0.004)

    def disc(self, x: float, y: float, radius: float, finish: Finish, *, rise: float = 0.0) -> None:
        turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        points = [(x + radius * float(np.cos(t)), y + radius * float(np.sin(t))) for t in turns]
        self.polygon(points, finish, rise=rise)

    def shade_down(self, mask: Floats, top: float, bottom: float) -> None:
        """Darken the colour under `mask` from factor `top` at its upper end to `bottom`."""
        rows = np.flatnonzero(mask.max(axis=1) > 0.5)
        if rows.size:
            ramp = np.interp(np.arange(mask.shape[0]), [rows[0], rows[-1]], [top, bottom])
            self.colour *= 1.0 + (f32(ramp)[:, None, None] - 1.0) * mask[:, :, None]

    def slopes(self) -> Floats:
        """The height's slope along the board's two axes, (rows, columns, 2)."""
        across = cv2.Sobel(self.rise, cv2.CV_32F, 1, 0, ksize=3) * self.scale / 8
        up = -cv2.Sobel(self.rise, cv2.CV_32F, 0, 1, ksize=3) * self.scale / 8
        return f32(np.dstack([across, up]))

    def at(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Board coordinates (px) of points (m)."""
        return (
            f32((x - self.left) * self.scale - 0.5),
            f32(self.rise.shape[0] - (y - self.bottom) * self.scale - 0.5),
        )


def _covered(mask: Floats, margin: int = 0) -> tuple[slice, slice]:
    """The part of a board where `mask` isn't zero, and `margin` pixels more on every side."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )


def take(decal: Decal, layers: dict[str, Floats], x: Floats, y: Floats) -> dict[str, Floats]:
    """The decal's layers looked up at points (m)."""
    u, v = decal.at(x, y)
    return {name: sample(layer, u, v) for name, layer in layers.items()}


def layers_of(decal: Decal) -> dict[str, Floats]:
    return {
        "colour": decal.colour,
        "finish": decal.finish,
        "glow": decal.glow,
        "slope": decal.slopes(),
    }
