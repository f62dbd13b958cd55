"""A model's tail, nose and side, drawn flat from its measurements: glass, lamps, seams, grille."""

from __future__ import annotations

import cv2
import numpy as np

from demo.scenery.bodywork import Model
from demo.scenery.decals import (
    AMBER,
    BRIGHT_RED,
    BULB,
    CHROME,
    CLEAR,
    DARK_RED,
    GLASS,
    LENS,
    LIT_LAMP,
    LIT_RED,
    LIT_STRIP,
    PIANO,
    PLASTIC,
    RED,
    REFLECTOR,
    SEAM,
    SEAT,
    Decal,
    Finish,
    Points,
)
from demo.scenery.field import Floats, f32, sample, smoothstep
from demo.scenery.solids import Inflated


def tail(model: Model, paint: Finish, scale: float, *, lit: bool) -> Decal:
    board = Decal(-1.15, 0.0, 2.3, model.height + 0.15, paint, scale)
    glass = board.cover(model.rear_glass, rounding=0.05)
    if model.split_doors:
        glass = f32(np.maximum(glass, glass[:, ::-1]))
    rim = f32(np.clip(cv2.GaussianBlur(glass, (0, 0), 0.025 * scale) * 2.4, 0, 1))
    board.lay(rim, PIANO, rise=-0.003)
    board.lay(glass, GLASS, rise=-0.004)
    top = max(z for _, z in model.rear_glass)
    bottom = min(z for _, z in model.rear_glass)
    for x in (-0.33, 0.33):
        level = bottom + (top - bottom) * 0.45
        head = [(x - 0.11, bottom), (x + 0.11, bottom), (x + 0.09, level), (x - 0.09, level)]
        board.lay(board.cover(head, rounding=0.04) * glass, SEAT)
    if not model.split_doors:
        board.polygon(
            [(-0.17, top + 0.025), (0.17, top + 0.025), (0.17, top + 0.045), (-0.17, top + 0.045)],
            LIT_RED if lit else RED,
        )
        if model.wiper:
            board.line([(0.02, bottom + 0.012), (-0.34, bottom + 0.045)], SEAM, 0.014)
            board.disc(0.02, bottom - 0.005, 0.022, PIANO, rise=0.01)
    seam = model.hatch_seam
    board.line(seam, SEAM, 0.008, mirror=True)
    if model.split_doors:
        board.line([(0.0, 0.58), (0.0, 1.92)], SEAM, 0.010)
        board.polygon([(0.03, 1.02), (0.07, 1.02), (0.07, 1.12), (0.03, 1.12)], PIANO, rise=0.01)
    level = model.bumper_seam
    board.line(
        [(-0.95, level + 0.02), (-0.45, level), (0.45, level), (0.95, level + 0.02)], SEAM, 0.007
    )
    # The plate's recess, its upper edge overhanging and lit from within.
    low, high = model.rear_plate - 0.085, model.rear_plate + 0.105
    recess = [(-0.36, low), (0.36, low), (0.335, high), (-0.335, high)]
    board.lift(board.cover(recess, rounding=0.02), -0.030, 0.012)
    board.shade_down(board.cover(recess, rounding=0.02), 0.55, 0.95)
    board.polygon(
        [(-0.30, high - 0.015), (0.30, high - 0.015), (0.30, high + 0.012), (-0.30, high + 0.012)],
        CHROME if not model.split_doors else PLASTIC,
        rounding=0.008,
        rise=0.008,
    )
    lip = min(level - 0.20, model.floor + 0.17)
    valance = [(-0.80, 0.1), (0.80, 0.1), (0.70, lip), (0.50, lip + 0.02), (-0.50, lip + 0.02),
               (-0.70, lip)]  # fmt: skip
    board.polygon(valance, PLASTIC, rounding=0.03, rise=-0.01)
    for side in (-1, 1):
        strip = [(side * 0.60, lip + 0.045), (side * 0.84, lip + 0.055),
                 (side * 0.84, lip + 0.085), (side * 0.60, lip + 0.070)]  # fmt: skip
        board.polygon(strip, DARK_RED, rounding=0.008, rise=0.003)
    board.polygon(model.tail_lamp, DARK_RED, rounding=0.025, rise=0.014, mirror=True)
    board.polygon(model.tail_core, LIT_RED if lit else RED, rounding=0.02, mirror=True)
    _lamp_details(board, model, lit=lit)
    if not model.split_doors:
        badge = (high + bottom) / 2 + 0.005
        board.disc(0.0, badge, 0.040, CHROME, rise=0.012)
        board.disc(0.0, badge, 0.026, PIANO)
    return board


def _lamp_details(board: Decal, model: Model, *, lit: bool) -> None:
    """Indicator, reversing light and a bright strip within the tail lamps."""
    core = np.array(model.tail_core)
    low, high = core.min(axis=0), core.max(axis=0)
    size = high - low

    def part(x0: float, x1: float, z0: float, z1: float) -> Points:
        left, right = low[0] + size[0] * x0, low[0] + size[0] * x1
        bottom, top = low[1] + size[1] * z0, low[1] + size[1] * z1
        return [(left, bottom), (right, bottom), (right, top), (left, top)]

    if model.split_doors:
        board.polygon(part(0.0, 1.0, 1.15, 1.60), AMBER, rounding=0.012, mirror=True)
        board.polygon(part(0.0, 1.0, -0.32, -0.08), CLEAR, rounding=0.012, mirror=True)
        return
    board.polygon(part(0.04, 0.34, 0.12, 0.52), CLEAR, rounding=0.012, mirror=True)
    board.polygon(part(0.40, 0.92, 0.12, 0.34), AMBER, rounding=0.012, mirror=True)
    bright = LIT_RED if lit else BRIGHT_RED
    board.polygon(part(0.05, 0.95, 0.66, 0.80), bright, rounding=0.008, mirror=True)


def nose(model: Model, paint: Finish, scale: float, *, lit: bool) -> Decal:
    board = Decal(-1.15, 0.0, 2.3, model.height + 0.15, paint, scale)
    glass = board.cover(model.windscreen, rounding=0.05)
    rim = f32(np.clip(cv2.GaussianBlur(glass, (0, 0), 0.02 * scale) * 2.2, 0, 1))
    board.lay(rim, PIANO, rise=-0.003)
    board.lay(glass, GLASS, rise=-0.002)
    top = max(z for _, z in model.windscreen)
    bottom = min(z for _, z in model.windscreen)
    tall = top - bottom
    dash = [
        (-0.8, bottom),
        (0.8, bottom),
        (0.8, bottom + tall * 0.20),
        (-0.8, bottom + tall * 0.16),
    ]
    board.lay(board.cover(dash, rounding=0.02) * glass, Finish((0.020, 0.019, 0.018), 0.07, 1.0))
    for x in (-0.34, 0.34):
        rest = [(x - 0.12, bottom + tall * 0.30), (x + 0.12, bottom + tall * 0.30),
                (x + 0.09, bottom + tall * 0.72), (x - 0.09, bottom + tall * 0.72)]  # fmt: skip
        board.lay(board.cover(rest, rounding=0.05) * glass, SEAT)
    board.lay(
        board.cover(
            [(-0.10, top - 0.07), (0.10, top - 0.07), (0.10, top - 0.025), (-0.10, top - 0.025)],
            rounding=0.015,
        )
        * glass,
        PIANO,
    )
    board.line([(0.55, bottom + 0.015), (-0.02, bottom + 0.045)], SEAM, 0.014)
    board.line([(0.02, bottom + 0.010), (-0.56, bottom + 0.035)], SEAM, 0.014)
    nose = max(z for _, z in model.grille)
    board.line([(0.0, nose + 0.030), (0.42, nose + 0.030), (0.56, nose + 0.09),
                (0.66, bottom - 0.07)], SEAM, 0.005, mirror=True)  # fmt: skip
    board.polygon(model.intake, PLASTIC, rounding=0.03, rise=-0.02, bevel=0.010)
    board.polygon(model.fog, PLASTIC, rounding=0.02, rise=-0.015, bevel=0.008, mirror=True)
    fog = np.array(model.fog).mean(axis=0)
    for side in (-1, 1):
        board.disc(side * float(fog[0]), float(fog[1]), 0.030, REFLECTOR, rise=0.006)
    board.polygon(model.grille, PIANO, rounding=0.02, rise=-0.015, bevel=0.006)
    low = min(z for _, z in model.grille)
    reach = max(x for x, _ in model.grille) - 0.03
    for slat in range(model.slats):
        z = low + (nose - low) * (slat + 0.5) / model.slats
        board.line([(-reach, z), (reach, z)], PLASTIC, 0.010)
        board.line([(-reach, z + 0.007), (reach, z + 0.007)], CHROME, 0.004)
    board.disc(0.0, model.badge, 0.052, CHROME, rise=0.010)
    board.disc(0.0, model.badge, 0.036, PIANO)
    for row in range(3):
        z = model.intake[0][1] + 0.025 + row * 0.035
        board.line([(-0.5, z), (0.5, z)], SEAM, 0.012)
    board.polygon(model.head_lamp, PIANO, rounding=0.022, rise=0.010, mirror=True)
    inner = np.array(model.head_lamp)
    shrunk = (inner - inner.mean(axis=0)) * (0.93, 0.82) + inner.mean(axis=0)
    board.polygon([(float(x), float(z)) for x, z in shrunk], LENS, rounding=0.02, mirror=True)
    for x, z, radius in model.head_bulbs:
        for side in (-1, 1):
            board.disc(side * x, z, radius + 0.006, PIANO)
            board.disc(side * x, z, radius, LIT_LAMP if lit else REFLECTOR, rise=0.006)
            if not lit:
                board.disc(side * x, z, radius * 0.62, LENS)
                board.disc(side * x + 0.006, z + 0.008, radius * 0.26, BULB)
    board.polygon(model.strip, LIT_STRIP if lit else BULB, rounding=0.006, mirror=True)
    return board


def side(model: Model, paint: Finish, scale: float, inside: Floats) -> Decal:
    board = Decal(-0.2, 0.0, model.length + 0.4, model.height + 0.15, paint, scale)
    rows, columns = board.rise.shape
    y = (np.arange(columns) + 0.5) / board.scale + board.left
    z = board.height - (np.arange(rows) + 0.5) / board.scale
    grid_y, grid_z = np.meshgrid(f32(y), f32(z))
    points = (grid_y.ravel() + Inflated.margin) * Inflated.scale
    depth = sample(inside, f32(points), f32((grid_z.ravel() + Inflated.margin) * Inflated.scale))
    depth = depth.reshape(rows, columns)
    room = smoothstep(0.075, 0.090, depth) * smoothstep(model.belt, model.belt + 0.02, f32(grid_z))
    if not model.side_glass:
        room = room * smoothstep(model.doors[1] + 0.05, model.doors[1] + 0.08, f32(grid_y))
    board.lay(f32(room), GLASS, rise=-0.004)
    for door in model.doors:
        post = smoothstep(0.050, 0.035, f32(np.abs(grid_y - door)))
        board.lay(f32(post * room), PIANO)
        board.line([(door, 0.34), (door, model.belt)], SEAM, 0.007)
        handle = [(door + 0.08, model.belt - 0.16), (door + 0.26, model.belt - 0.16),
                  (door + 0.26, model.belt - 0.12), (door + 0.08, model.belt - 0.12)]  # fmt: skip
        board.polygon(handle, paint, rounding=0.015, rise=0.012)
    sill = smoothstep(0.36, 0.34, f32(grid_z))
    board.lay(f32(sill), PLASTIC)
    for axle in model.wheels[:2]:
        board.disc(axle, model.wheels[2], model.wheels[2] + 0.055, SEAM)
    return board
