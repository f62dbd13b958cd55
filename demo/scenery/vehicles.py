"""A vehicle built from a model's measurements: body, wheels, mirrors, lamps, and its plate's place."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from demo.scenery.bodywork import MODELS, PAINTS, Model
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
    layers_of,
    take,
)
from demo.scenery.field import Colour, Floats, f32, mix, sample, smoothstep, unit
from demo.scenery.light import Lamp
from demo.scenery.solids import Box, Cylinder, Ellipsoid, Inflated, Matter, Painter, Pose, Solid
from demo.scenery.world import Footprint

def _rounded(points: Points, times: int = 2) -> Points:
    """The outline with its corners cut `times` times over (Chaikin)."""
    path = np.array(points)
    for _ in range(times):
        after = np.roll(path, -1, axis=0)
        path = np.stack([0.82 * path + 0.18 * after, 0.18 * path + 0.82 * after], axis=1)
        path = path.reshape(-1, 2)
    return [(float(y), float(z)) for y, z in path]


def _maps(model: Model) -> tuple[Floats, Floats]:
    """Signed distance to the silhouette and half width, over the (z, y) map of `Inflated`."""
    scale, margin = Inflated.scale, Inflated.margin
    shape = (
        round((model.height + 2 * margin) * scale),
        round((model.length + 2 * margin) * scale),
    )
    fine = 2
    drawn = np.zeros((shape[0] * fine, shape[1] * fine), np.uint8)
    # The sides go straight down: the outline is closed well below the floor that cuts the body.
    y0, y1 = model.silhouette[0][0], model.silhouette[-1][0]
    closed = [*model.silhouette, (y1 - 0.1, -0.45), (y0 + 0.1, -0.45)]
    outline = (np.array(_rounded(closed)) + margin) * scale * fine
    cv2.fillPoly(drawn, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    inner = cv2.distanceTransform(drawn, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outer = cv2.distanceTransform(255 - drawn, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    signed = cv2.GaussianBlur(inner - outer, (0, 0), 3.0 * fine) / (scale * fine)
    inside = f32(cv2.resize(signed, shape[::-1], interpolation=cv2.INTER_AREA))
    y = f32(np.arange(shape[1]) / scale - margin)[None, :]
    z = f32(np.arange(shape[0]) / scale - margin)[:, None]
    above = np.clip((z - model.belt) / (model.height - model.belt), -0.4, 1.0)
    waist = 1.0 - model.lean * np.maximum(above, 0.0) ** 1.15 - 0.05 * np.minimum(above, 0.0) ** 2
    middle = model.length / 2
    ends = 1.0 - 0.10 * np.clip(np.abs(y - middle) / middle, 0, 1.1) ** 6
    width = cv2.GaussianBlur(f32(model.half_width * waist * ends), (0, 0), 3.0)
    return inside, f32(width)


@dataclass(frozen=True)
class Build:
    """How to build a vehicle. `pose` is where the end that faces the camera stands (y ahead is away
    from the camera); `front` turns it round. `group` 1 marks the one photographed."""

    model: str
    paint: str
    pose: Pose
    front: bool = False
    lit: bool = False
    dirt: float = 0.0
    group: int = 1
    noise: Floats = field(default_factory=lambda: np.zeros((8, 8), np.float32), repr=False)


def _tail(model: Model, paint: Finish, scale: float, *, lit: bool) -> Decal:
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
    board.line([(-0.95, level + 0.02), (-0.45, level), (0.45, level), (0.95, level + 0.02)], SEAM, 0.007)
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


def _nose(model: Model, paint: Finish, scale: float, *, lit: bool) -> Decal:
    board = Decal(-1.15, 0.0, 2.3, model.height + 0.15, paint, scale)
    glass = board.cover(model.windscreen, rounding=0.05)
    rim = f32(np.clip(cv2.GaussianBlur(glass, (0, 0), 0.02 * scale) * 2.2, 0, 1))
    board.lay(rim, PIANO, rise=-0.003)
    board.lay(glass, GLASS, rise=-0.002)
    top = max(z for _, z in model.windscreen)
    bottom = min(z for _, z in model.windscreen)
    tall = top - bottom
    dash = [(-0.8, bottom), (0.8, bottom), (0.8, bottom + tall * 0.20), (-0.8, bottom + tall * 0.16)]
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


def _side(model: Model, paint: Finish, scale: float, inside: Floats) -> Decal:
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


def _body(model: Model, order: Build) -> Solid:
    """The body in its own frame, tail at y = 0, wearing its decals."""
    colour, dirt, noise = PAINTS[order.paint], order.dirt, order.noise
    paint = Finish(colour, 0.05, 0.80)
    scale = 360.0 if order.group else 120.0
    inside, width = _maps(model)
    form = Inflated(
        inside,
        width,
        depth=model.depth,
        power=model.power,
        extent=(model.half_width, model.length, model.height),
        floor=model.floor,
    )
    # The end turned away from the camera still shows its glass and lamps past the roof.
    far = min(scale, 120.0)
    tail = _tail(model, paint, far if order.front else scale, lit=order.lit)
    nose = _nose(model, paint, scale if order.front else far, lit=order.lit)
    side = _side(model, paint, scale * 0.66, inside)
    boards = {"tail": (tail, layers_of(tail)), "nose": (nose, layers_of(nose))}
    side_layers = layers_of(side)

    def paint_body(points: Floats, normals: Floats) -> Matter:
        matter = Matter.plain(colour, normals, mirror=paint.mirror, gloss=paint.gloss)
        rearward = (normals[:, 1] < -0.24) & (points[:, 1] < model.length / 2)
        forward = (normals[:, 1] > 0.24) & (points[:, 1] > model.length / 2)
        flank = (np.abs(normals[:, 0]) > 0.45) & ~rearward & ~forward
        flank |= np.abs(normals[:, 0]) > 0.90
        for name, where in (("tail", rearward & ~flank), ("nose", forward & ~flank)):
            rows = np.flatnonzero(where)
            board, layers = boards[name]
            seen = take(board, layers, points[rows, 0], points[rows, 2])
            _wear(matter, rows, seen, across=0)
        rows = np.flatnonzero(flank)
        _wear(matter, rows, take(side, side_layers, points[rows, 1], points[rows, 2]), across=1)
        under = points[:, 2] < model.floor + 0.02
        matter.colour[under] = PLASTIC.colour
        if dirt > 0:
            speck = sample(noise, points[:, 0] * 260 + points[:, 1] * 190, points[:, 2] * 260, wrap=True)
            low = smoothstep(0.95, 0.25, points[:, 2])
            film = np.clip(dirt * low * (0.75 + 0.35 * speck), 0, 0.92)
            matter.colour = mix(matter.colour, (0.13, 0.10, 0.075), film[:, None])
            matter.gloss = f32(matter.gloss * (1 - film))
        return matter

    return Solid(form, Pose(), paint_body, 1)


def _wear(matter: Matter, rows: np.ndarray, seen: dict[str, Floats], *, across: int) -> None:
    """Lay a decal's look-up over `rows`; its slope turns the normal along `across` and z."""
    if not rows.size:
        return
    matter.colour[rows] = seen["colour"]
    matter.mirror[rows] = seen["finish"][:, 0]
    matter.gloss[rows] = seen["finish"][:, 1]
    matter.retro[rows] = seen["finish"][:, 2]
    matter.glow[rows] = seen["glow"]
    bent = matter.normal[rows]
    bent[:, across] -= np.clip(seen["slope"][:, 0], -1.2, 1.2)
    bent[:, 2] -= np.clip(seen["slope"][:, 1], -1.2, 1.2)
    matter.normal[rows] = unit(bent)


def plain(finish: Finish) -> Painter:
    """A painter of one finish all over."""

    def paint(_points: Floats, normals: Floats) -> Matter:
        matter = Matter.plain(
            finish.colour, normals, mirror=finish.mirror, gloss=finish.gloss, glow=finish.glow
        )
        matter.retro[:] = finish.retro
        return matter

    return paint


def _mirror_painter(colour: Colour) -> Painter:
    def paint(_points: Floats, normals: Floats) -> Matter:
        glass = normals[:, 1] < -0.80
        matter = Matter.plain(colour, normals, mirror=0.05, gloss=0.8)
        matter.colour[glass], matter.mirror[glass], matter.gloss[glass] = 0.05, 0.75, 0.95
        return matter

    return paint


def _wheel(points: Floats, normals: Floats) -> Matter:
    reach = np.hypot(points[:, 1], points[:, 2])
    turn = np.arctan2(points[:, 1], points[:, 2])
    rim = (reach < 0.215) & (np.abs(normals[:, 0]) > 0.5)
    spoke = np.cos(turn * 5) > -0.15
    matter = Matter.plain((0.014, 0.014, 0.015), normals, mirror=0.03, gloss=0.15)
    matter.colour[rim] = np.where(spoke[rim, None], 0.30, 0.02)
    matter.gloss[rim] = 0.6
    return matter


@dataclass(frozen=True)
class Vehicle:
    """A vehicle standing in the world: its solids, what it lights up, and its plate's pose."""

    solids: tuple[Solid, ...]
    lamps: tuple[Lamp, ...]
    footprint: Footprint
    plate: Pose


def build(order: Build) -> Vehicle:
    model, colour = MODELS[order.model], PAINTS[order.paint]
    frame = order.pose
    if order.front:
        frame = order.pose.then(Pose((0.0, model.length, 0.0), yaw=180.0))
    body = _body(model, order)
    rear_axle, front_axle, radius = model.wheels
    parts: list[Solid] = [body]
    for side in (-1.0, 1.0):
        for axle in (rear_axle, front_axle):
            place = Pose((side * (model.half_width - 0.125), axle, radius))
            parts.append(Solid(Cylinder(radius, 0.10, 0), place, _wheel))
        place = Pose((side * (model.half_width + 0.075), model.mirror_y, model.belt + 0.085))
        shell = Ellipsoid(f32([0.115, 0.06, 0.075]))
        parts.append(Solid(shell, place, _mirror_painter(colour)))
        stalk = Box(f32([0.09, 0.025, 0.014]))
        foot = Pose((side * (model.half_width - 0.03), model.mirror_y + 0.01, model.belt + 0.045))
        parts.append(Solid(stalk, foot, plain(PIANO), casts=False))
    belly = Box(f32([model.half_width - 0.16, model.length / 2 - 0.35, 0.09]))
    parts.append(Solid(belly, Pose((0.0, model.length / 2, model.floor)), plain(PLASTIC)))
    fin = Ellipsoid(f32([0.022, 0.09, 0.05]))
    parts.append(Solid(fin, Pose((0.0, 0.85, model.height - 0.015)), plain(PIANO)))
    solids = tuple(
        Solid(part.form, frame.then(part.pose), part.paint, order.group, part.casts)
        for part in parts
    )
    plate, lamps = _plate_pose(model, body.form, front=order.front), _lamps(model, order, frame)
    footprint = Footprint(frame, 2 * model.half_width, model.length)
    return Vehicle(solids, lamps, footprint, frame.then(plate))


def _plate_pose(model: Model, form: object, *, front: bool) -> Pose:
    """Where the plate is screwed on, in the vehicle's frame: just clear of the body."""
    assert isinstance(form, Inflated)
    height = model.front_plate if front else model.rear_plate
    search = np.linspace(-0.05, 0.6, 651)
    clear = []
    for z in (height - 0.06, height + 0.06):
        y = model.length - search if front else search
        points = f32(np.stack([np.full(y.size, 0.2), y, np.full(y.size, z)], axis=1))
        clear.append(float(y[np.flatnonzero(form.level(points) < 0)[0]]))
    low, high = clear
    if front:
        tilt = -float(np.degrees(np.arctan2(low - high, 0.12))) * 0.6
        return Pose((0.0, max(low, high) + 0.026, height), yaw=180.0, tilt=tilt)
    tilt = -float(np.degrees(np.arctan2(high - low, 0.12))) * 0.6
    return Pose((0.0, min(low, high) - 0.022, height), tilt=tilt)


def _lamps(model: Model, order: Build, frame: Pose) -> tuple[Lamp, ...]:
    """The light its own lamps throw on the road, when lit."""
    if not order.lit:
        return ()
    lamps = []
    bulb = np.array(model.head_bulbs[-1]) if order.front else np.array(model.tail_core).mean(axis=0)
    y = model.length + 0.06 if order.front else -0.06
    for side in (-1.0, 1.0):
        x, py, z = frame.world(f32([[side * float(bulb[0]), y, float(bulb[1])]]))[0]
        place = (float(x), float(py), float(z))
        if order.front:
            ahead = frame.rotation() @ f32([0.0, 1.0, -0.13])
            aim = (float(ahead[0]), float(ahead[1]), float(ahead[2]))
            lamps.append(Lamp(place, (3.0, 2.8, 2.4), aim, spread=0.72))
        else:
            lamps.append(Lamp(place, (0.05, 0.002, 0.001)))
    return tuple(lamps)
