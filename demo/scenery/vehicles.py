"""A vehicle built from a model's measurements: body, wheels, mirrors, lamps; where its plate is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np

from demo.scenery import panels
from demo.scenery.bodywork import MODELS, PAINTS, Model
from demo.scenery.decals import PIANO, PLASTIC, Finish, Points, layers_of, take
from demo.scenery.field import Colour, Floats, f32, mix, sample, smoothstep, unit
from demo.scenery.light import Lamp
from demo.scenery.solids import Box, Cylinder, Ellipsoid, Inflated, Matter, Painter, Pose, Solid
from demo.scenery.world import Footprint


def _rounded(points: Sequence[tuple[float, float]], times: int = 2) -> Points:
    """The outline with its corners cut `times` times over (Chaikin)."""
    path = np.array(points)
    for _ in range(times):
        after = np.roll(path, -1, axis=0)
        path = np.stack([0.82 * path + 0.18 * after, 0.18 * path + 0.82 * after], axis=1)
        path = path.reshape(-1, 2)
    return [(float(y), float(z)) for y, z in path]


def _inside(outline: Points, y: Floats, z: Floats) -> Floats:
    """Signed distance (m) of the points of a (z, y) grid to a closed outline, positive within."""
    grid_y, grid_z = np.meshgrid(y, z)
    nearest = np.full(grid_y.shape, np.inf)
    crossings = np.zeros(grid_y.shape, np.bool_)
    for (y0, z0), (y1, z1) in zip(outline, [*outline[1:], outline[0]], strict=True):
        dy, dz = y1 - y0, z1 - z0
        along = ((grid_y - y0) * dy + (grid_z - z0) * dz) / max(dy * dy + dz * dz, 1e-12)
        along = np.clip(along, 0.0, 1.0)
        gap = np.hypot(grid_y - y0 - along * dy, grid_z - z0 - along * dz)
        nearest = np.minimum(nearest, gap)
        if z0 != z1:
            between = (grid_z > min(z0, z1)) & (grid_z <= max(z0, z1))
            crossings ^= between & (grid_y < y0 + (grid_z - z0) * dy / dz)
    return f32(np.where(crossings, nearest, -nearest))


@cache
def _maps(model: Model) -> tuple[Floats, Floats]:
    """Signed distance to the silhouette and half width, over the (z, y) map of `Inflated`."""
    scale, margin = Inflated.scale, Inflated.margin
    y = f32(np.arange(round((model.length + 2 * margin) * scale)) / scale - margin)
    z = f32(np.arange(round((model.height + 2 * margin) * scale)) / scale - margin)
    # The sides go straight down: the outline is closed well below the floor that cuts the body.
    y0, y1 = model.silhouette[0][0], model.silhouette[-1][0]
    closed = (*model.silhouette, (y1 - 0.1, -0.45), (y0 + 0.1, -0.45))
    inside = f32(cv2.GaussianBlur(_inside(_rounded(closed), y, z), (0, 0), 2.5))
    y, z = y[None, :], z[:, None]
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
    tail = panels.tail(model, paint, far if order.front else scale, lit=order.lit)
    nose = panels.nose(model, paint, scale if order.front else far, lit=order.lit)
    side = panels.side(model, paint, scale * 0.66, inside)
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
            speck = sample(
                noise, points[:, 0] * 260 + points[:, 1] * 190, points[:, 2] * 260, wrap=True
            )
            low = smoothstep(0.95, 0.25, points[:, 2])
            film = np.clip(dirt * low * (0.80 + 0.35 * speck), 0, 0.95)
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
