"""The demo's two places: a motorway seen from its gantry, and the lanes of a car park."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.scenery.decals import PLASTIC, Finish
from demo.scenery.field import Colour, Floats, detail, f32, mix, sample, smoothstep
from demo.scenery.light import Lamp
from demo.scenery.solids import Box, Cylinder, Matter, Painter, Pose, Solid
from demo.scenery.vehicles import plain

LANE = 3.6
STEEL = Finish((0.24, 0.25, 0.26), 0.25, 0.45)
CONCRETE = Finish((0.30, 0.29, 0.27), 0.02, 0.0)
_PAINT_WHITE: Colour = (0.62, 0.62, 0.60)
_GREEN: Colour = (0.042, 0.062, 0.022)


@dataclass(frozen=True)
class Place:
    ground: Painter
    solids: tuple[Solid, ...]
    lamps: tuple[Lamp, ...]
    treetop: float


def _asphalt(
    points: Floats, noise: Floats, fine: Floats, tone: float, wet: float
) -> tuple[Floats, Floats]:
    """Colour of asphalt at ground points, and its coarse unevenness (N,)."""
    size = noise.shape[0]
    x, y = points[:, 0], points[:, 1]
    grit = sample(fine, f32(x * size * 0.55), f32(y * size * 0.55), wrap=True)
    patch = sample(noise, f32(x * size * 0.047), f32(y * size * 0.021), wrap=True)
    stain = sample(noise, f32(x * size * 0.012 + 50), f32(y * size * 0.011), wrap=True)
    far = np.clip(1.2 - np.abs(y) / 28.0, 0.15, 1.0)
    value = tone * (1.0 + 0.11 * grit * far + 0.09 * patch + 0.07 * stain) * (1.0 - 0.55 * wet)
    return f32(value[:, None] * f32([1.0, 0.985, 0.96])), patch


def _stripe(offset: Floats, half: float) -> Floats:
    """Coverage of a line `half` wide either side of `offset` zero."""
    return smoothstep(half + 0.012, half - 0.012, f32(np.abs(offset)))


def _marks(matter: Matter, cover: Floats, worn: Floats) -> None:
    """Lay road paint, its edges and middle worn where `worn` is low."""
    cover = f32(cover * np.clip(0.93 + 0.16 * worn, 0.35, 1.0))
    matter.colour = mix(matter.colour, _PAINT_WHITE, cover[:, None])
    matter.retro = f32(np.maximum(matter.retro, 0.30 * cover))


def _grass(matter: Matter, points: Floats, noise: Floats, fine: Floats, cover: Floats) -> None:
    if not cover.any():
        return
    size = noise.shape[0]
    x, y = points[:, 0], points[:, 1]
    blades = sample(fine, f32((x + 0.3 * y) * size * 0.31), f32(y * size * 0.13), wrap=True)
    tufts = sample(
        noise,
        f32((x * 0.037 + y * 0.013) * size),
        f32((y * 0.019 - x * 0.011) * size),
        wrap=True,
    )
    value = np.clip(1.0 + 0.30 * blades + 0.16 * tufts, 0.25, 2.2)[:, None]
    straw = np.clip(0.35 + 0.16 * tufts, 0, 0.8)[:, None]
    colour = mix(_GREEN, (0.12, 0.105, 0.045), straw) * value
    matter.colour = mix(matter.colour, colour, cover[:, None])
    matter.gloss *= 1.0 - cover


def _rail(x: float, start: float, end: float) -> list[Solid]:
    """A crash barrier: two beams on posts, at `x` from `start` to `end`."""
    half, middle = (end - start) / 2, (start + end) / 2
    solids = [
        Solid(Box(f32([0.035, half, 0.075])), Pose((x, middle, z)), plain(STEEL))
        for z in (0.52, 0.70)
    ]
    solids.append(
        Solid(Box(f32([0.012, half, 0.15])), Pose((x + 0.03, middle, 0.61)), plain(STEEL))
    )
    for y in np.arange(start + 1.0, end, 4.0):
        post = Box(f32([0.05, 0.06, 0.34]))
        solids.append(Solid(post, Pose((x + 0.06, float(y), 0.34)), plain(STEEL), casts=False))
    return solids


def motorway(noise: Floats, *, wet: float, night: bool, lit_left: bool) -> Place:
    """Two lanes and a hard shoulder on the right, barriers, verges, the gantry's shadow.

    The near lanes' middles are at x = -LANE / 2 and x = LANE / 2. By night a lamp column stands on
    the left or right verge.
    """
    fine = detail(noise)

    def ground(points: Floats, upward: Floats) -> Matter:
        colour, worn = _asphalt(points, noise, fine, 0.125, wet)
        matter = Matter.plain(colour, upward, mirror=0.03, gloss=0.0)
        x, y = points[:, 0], points[:, 1]
        tracks = sum(
            np.exp(-(((x - lane - side * 0.78) / 0.34) ** 2))
            for lane in (-LANE / 2, LANE / 2)
            for side in (-1, 1)
        )
        matter.colour *= f32(1.0 - 0.16 * np.asarray(tracks))[:, None]
        wobble = sample(noise, f32(y * 9.0), np.full_like(x, 11.0), wrap=True)
        tar = _stripe(f32(x - 0.35 + 0.035 * wobble), 0.012)
        tar = np.maximum(tar, _stripe(f32(np.mod(y + 0.04 * wobble, 23.0) - 17.0), 0.02))
        matter.colour *= 1.0 - 0.55 * tar[:, None]
        pool = smoothstep(0.2, 1.4, worn) * wet
        matter.gloss = f32(np.clip(wet * 0.50 + 0.45 * pool, 0.0, 1.0))
        dash = smoothstep(0.0, 0.03, f32(np.mod(y + 1.5, 9.0))) * smoothstep(
            4.5, 4.47, f32(np.mod(y + 1.5, 9.0))
        )
        cover = _stripe(x, 0.065) * dash
        cover = np.maximum(cover, _stripe(f32(x + LANE), 0.12))
        cover = np.maximum(cover, _stripe(f32(x - LANE), 0.12))
        _marks(matter, f32(cover), worn)
        edge = sample(noise, f32(y * 40), f32(x * 40), wrap=True)
        _grass(matter, points, noise, fine, smoothstep(5.9, 6.1, f32(x + 0.08 * edge)))
        _grass(matter, points, noise, fine, smoothstep(-4.9, -5.1, f32(x + 0.08 * edge)))
        return matter

    solids = _rail(6.6, 2.0, 120.0) + _rail(-5.4, 2.0, 120.0)
    lamps: list[Lamp] = []
    if night:
        side = -1.0 if lit_left else 1.0
        for y, strength in ((7.0, 19.0), (24.0, 19.0)):
            colour = (strength * 1.0, strength * 0.80, strength * 0.52)
            lamps.append(Lamp((side * 5.0, y, 8.0), colour, (-side * 0.35, 0.0, -1.0), 0.15))
    return Place(ground, tuple(solids), tuple(lamps), 0.045)


def _bands(colours: tuple[Colour, Colour], pitch: float, axis: int) -> Painter:
    """Stripes of two colours, `pitch` metres each, along a local axis."""

    def paint(points: Floats, normals: Floats) -> Matter:
        phase = np.mod(points[:, axis] / (2 * pitch), 1.0) < 0.5
        colour = np.where(phase[:, None], f32(colours[0]), f32(colours[1]))
        matter = Matter.plain(f32(colour), normals, mirror=0.04, gloss=0.5)
        matter.retro[:] = np.where(phase, 0.05, 0.2)
        return matter

    return paint


def _facade(noise: Floats, *, night: bool) -> Painter:
    """A brick building with rows of windows; some lit by night."""

    def paint(points: Floats, normals: Floats) -> Matter:
        size = noise.shape[0]
        along = np.where(np.abs(normals[:, 0]) > 0.5, points[:, 1], points[:, 0])
        up = points[:, 2]
        grain = sample(noise, f32(along * size * 0.5), f32(up * size * 0.5), wrap=True)
        course = np.mod(up, 0.085) < 0.012
        shift = np.floor(up / 0.085) * 0.125
        joint = np.mod(along + shift, 0.25) < 0.012
        brick = f32([0.22, 0.105, 0.070]) * (1.0 + 0.16 * grain)[:, None]
        brick = np.where((course | joint)[:, None], f32([0.24, 0.22, 0.20]), brick)
        cell_x, cell_z = np.mod(along, 2.6), np.mod(up + 4.5, 2.9)
        opening = (cell_x > 0.7) & (cell_x < 2.0) & (cell_z > 0.9) & (cell_z < 2.35)
        frame = opening & (
            (cell_x < 0.77) | (cell_x > 1.93) | (cell_z > 2.28) | (cell_z < 0.97)
            | (np.abs(cell_x - 1.35) < 0.03)
        )  # fmt: skip
        glass = opening & ~frame
        matter = Matter.plain(f32(brick), normals, mirror=0.02)
        matter.colour[frame] = (0.55, 0.55, 0.53)
        matter.colour[glass] = (0.012, 0.015, 0.018)
        matter.mirror[glass], matter.gloss[glass] = 0.10, 0.95
        if night:
            number = np.floor(along / 2.6) * 3.0 + np.floor((up + 4.5) / 2.9) * 5.0
            lit = glass & (np.mod(number, 4.0) < 1.0)
            matter.glow[lit] = (0.55, 0.40, 0.20)
        return matter

    return paint


def _hedge(noise: Floats) -> Painter:
    def paint(points: Floats, normals: Floats) -> Matter:
        size = noise.shape[0]
        along = f32((points[:, 0] + points[:, 1]) * size * 0.55)
        leaves = sample(noise, along, f32(points[:, 2] * size * 0.55), wrap=True)
        clumps = sample(noise, f32(along * 0.13), f32(points[:, 2] * size * 0.09), wrap=True)
        value = np.clip(1.0 + 0.5 * leaves + 0.3 * clumps, 0.15, 2.6)[:, None]
        return Matter.plain(f32(f32([0.034, 0.062, 0.018]) * value), normals)

    return paint


def _gate(x: float, y: float, *, arm: float, screen: Colour) -> list[Solid]:
    """A barrier beside a lane: cabinet, arm raised by `arm` degrees, and a ticket pillar."""
    yellow = Finish((0.60, 0.30, 0.012), 0.04, 0.55)
    solids = [
        Solid(Box(f32([0.17, 0.19, 0.50])), Pose((x, y, 0.66)), plain(yellow)),
        Solid(Box(f32([0.19, 0.21, 0.02])), Pose((x, y, 1.18)), plain(PLASTIC)),
    ]
    pillar = y - 2.6
    solids += [
        Solid(Box(f32([0.15, 0.13, 0.58])), Pose((x, pillar, 0.74)), plain(PLASTIC)),
        Solid(
            Box(f32([0.10, 0.01, 0.10])),
            Pose((x, pillar - 0.14, 1.12)),
            plain(Finish((0.02, 0.02, 0.02), 0.05, 0.9, screen)),
        ),
        Solid(Box(f32([0.20, 0.22, 0.02])), Pose((x, pillar, 1.34)), plain(yellow)),
    ]
    red_white = _bands(((0.42, 0.012, 0.014), (0.66, 0.66, 0.64)), 0.34, 2)
    angle = np.radians(arm)
    centre = (x + 1.45 * float(np.cos(angle)), y, 0.98 + 1.45 * float(np.sin(angle)))
    lean = Box(f32([0.025, 0.05, 1.45])) if arm > 45 else Box(f32([1.45, 0.025, 0.05]))
    if arm <= 45:
        red_white = _bands(((0.42, 0.012, 0.014), (0.66, 0.66, 0.64)), 0.34, 0)
    else:
        centre = (x + 0.1, y, 0.98 + 1.45)
    solids.append(Solid(lean, Pose(centre), red_white))
    return solids


def car_park(noise: Floats, *, wet: float, night: bool, outward: bool) -> Place:
    """A lane between kerbed islands with a barrier behind the vehicle, and a building or hedge.

    `outward` is the way out: hedge and trees ahead; the way in has the building.
    """
    fine = detail(noise)

    def ground(points: Floats, upward: Floats) -> Matter:
        colour, worn = _asphalt(points, noise, fine, 0.14 if outward else 0.16, wet)
        matter = Matter.plain(colour, upward, mirror=0.03, gloss=0.0)
        x, y = points[:, 0], points[:, 1]
        matter.gloss = f32(np.clip(wet * (0.45 + 0.4 * smoothstep(0.0, 1.3, worn)), 0, 1))
        cover = np.maximum(_stripe(f32(x + 1.55), 0.05), _stripe(f32(x - 1.55), 0.05))
        cover = cover * (y < 15.0)
        stop = _stripe(f32(y - 3.3), 0.14) * (np.abs(x) < 1.45)
        bays = _stripe(f32(np.mod(x + 1.3, 2.6) - 1.3), 0.05) * (y > 17.5) * (y < 22.8)
        _marks(matter, f32(np.maximum(np.maximum(cover, stop), bays)), worn)
        if outward:
            _grass(matter, points, noise, fine, smoothstep(23.6, 23.9, y))
        return matter

    solids: list[Solid] = []
    for x in (-2.55, 2.55):
        island = Box(f32([0.62, 6.2, 0.07]))
        solids.append(Solid(island, Pose((x, 8.2, 0.07)), plain(CONCRETE), casts=False))
        nose = Cylinder(0.055, 0.46, 2)
        bands = _bands(((0.60, 0.30, 0.012), (0.012, 0.012, 0.012)), 0.11, 2)
        solids.append(Solid(nose, Pose((x + 0.25 * np.sign(x), 2.9, 0.55)), bands))
    screen = (0.10, 0.34, 0.55) if not night else (0.25, 0.75, 1.2)
    solids += _gate(-2.55, 9.6, arm=80.0, screen=screen)
    if outward:
        hedge = Box(f32([30.0, 0.6, 1.05]))
        solids.append(Solid(hedge, Pose((0.0, 24.8, 1.05)), _hedge(noise)))
    else:
        block = Box(f32([26.0, 5.0, 4.6]))
        solids.append(Solid(block, Pose((3.0, 30.5, 4.6)), _facade(noise, night=night)))
    lamps: list[Lamp] = []
    if night:
        for x, y in ((-3.6, 7.0), (4.2, 16.0)):
            mast = Cylinder(0.06, 2.6, 2)
            solids.append(Solid(mast, Pose((x, y, 2.6)), plain(STEEL)))
            lamps.append(Lamp((x + 0.4, y - 0.4, 5.1), (9.5, 8.3, 6.4), (0.1, -0.05, -1.0), 0.1))
    return Place(ground, tuple(solids), tuple(lamps), 0.10)
