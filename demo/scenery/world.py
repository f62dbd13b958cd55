"""Rays through a scene: who is met first, what shades it, and the picture that makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo.scenery.field import Bools, Floats, f32, mix, unit
from demo.scenery.light import Lamp, Surroundings, shade
from demo.scenery.optics import Camera
from demo.scenery.solids import FAR, Matter, Painter, Pose, Solid

_TILE = 120  # pixels a side of what is traced at once


@dataclass(frozen=True)
class Footprint:
    """The rectangle a vehicle darkens on the ground: pose of its tail's middle, size in metres."""

    pose: Pose
    width: float
    length: float

    def open_sky(self, points: Floats) -> Floats:
        """How much sky ground points (N, 3) still see past this vehicle, 0..1."""
        local = self.pose.local(points)
        across = np.abs(local[:, 0]) - self.width / 2 + 0.22
        along = np.abs(local[:, 1] - self.length / 2) - self.length / 2 + 0.22
        outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
        inside = np.minimum(np.maximum(across, along), 0)
        gap = f32(outside + inside)
        return f32(1.0 - 0.90 / (1.0 + np.exp(np.clip(gap * 7.5, -20, 20))) ** 0.8)


@dataclass(frozen=True)
class World:
    solids: tuple[Solid, ...]
    ground: Painter
    around: Surroundings
    lamps: tuple[Lamp, ...] = ()
    footprints: tuple[Footprint, ...] = ()
    wet: float = 0.0
    """How much of a mirror the ground is."""

    def _first(
        self, origins: Floats, rays: Floats, among: Sequence[int]
    ) -> tuple[Floats, npt.NDArray[np.int16]]:
        """Distance (N,) to the first solid or the ground, and whose it is (-1 ground, -2 sky)."""
        down = rays[:, 2] < -1e-5
        distance = np.full(len(rays), FAR, np.float32)
        distance[down] = -origins[down, 2] / rays[down, 2]
        owner = np.where(down, -1, -2).astype(np.int16)
        for number in among:
            met = self.solids[number].meet(origins, rays, distance)
            nearer = met < distance
            distance[nearer] = met[nearer]
            owner[nearer] = number
        return distance, owner

    def _sunlit(self, points: Floats, normals: Floats, grain: Floats) -> Floats:
        """Whether the sun reaches surface points; `grain` (N, 3) blurs the shadow's edge."""
        light = self.around.light
        lit = np.ones(len(points), np.float32)
        facing = np.flatnonzero(f32(normals @ light.sunward) > 0)
        if max(light.sun) <= 0 or not facing.size:
            return lit
        starts = points[facing] + normals[facing] * 0.03
        toward = unit(f32(light.sunward + grain[facing] * 0.004))
        limit = np.full(len(facing), 60.0, np.float32)
        # Looking from the sun: a solid beside all the points shades none of them.
        flat = _across(light.sunward)
        seen = starts @ flat.T
        low, high = seen.min(axis=0), seen.max(axis=0)
        for solid in self.solids:
            centre, radius = solid.ball()
            there, reach = centre @ flat.T, radius * 1.1 + 0.3
            if solid.casts and np.all(there > low - reach) and np.all(there < high + reach):
                blocked = solid.meet(starts, toward, limit) < FAR
                lit[facing[blocked]] = 0.0
        return lit

    def trace(
        self,
        origins: Floats,
        rays: Floats,
        grain: Floats,
        among: Sequence[int],
        *,
        mirrors: bool,
    ) -> tuple[Floats, Floats, Bools]:
        """Radiance (N, 3), distance (N,) and whether the photographed vehicle was met (N,), of rays
        that can meet only the solids numbered in `among`."""
        distance, owner = self._first(origins, rays, among)
        radiance = np.zeros((len(rays), 3), np.float32)
        moving = np.zeros(len(rays), np.bool_)
        sky = owner == -2
        if sky.any():
            radiance[sky] = self.around.look(rays[sky])
        for number in np.unique(owner):
            if number == -2:
                continue
            rows = np.flatnonzero(owner == number)
            points = f32(origins[rows] + rays[rows] * distance[rows, None])
            if number == -1:
                matter, open_sky = self._on_ground(points)
            else:
                matter = self.solids[number].matter(points)
                open_sky = f32(np.clip(0.45 + points[:, 2] * 0.75, 0.45, 1.0))
                moving[rows] = self.solids[number].group == 1
            mirrored = None
            if mirrors and number == -1 and self.wet > 0:
                mirrored = self._mirrored(points, rays[rows], matter, grain[rows])
            radiance[rows] = shade(
                matter,
                points,
                rays[rows],
                around=self.around,
                lamps=self.lamps,
                sunlit=self._sunlit(points, matter.normal, grain[rows]),
                open_sky=open_sky,
                mirrored=mirrored,
            )
        veil = 1.0 - np.exp(-np.minimum(distance, 400.0) / 100.0 * self.around.light.haze)
        hazed = mix(radiance, self.around.light.horizon, veil[:, None])
        return f32(np.where(sky[:, None], radiance, hazed)), distance, moving

    def _on_ground(self, points: Floats) -> tuple[Matter, Floats]:
        upward = np.zeros_like(points)
        upward[:, 2] = 1.0
        open_sky = np.ones(len(points), np.float32)
        for footprint in self.footprints:
            open_sky *= footprint.open_sky(points)
        return self.ground(points, upward), open_sky

    def _mirrored(self, points: Floats, rays: Floats, matter: Matter, grain: Floats) -> Floats:
        ruffled = unit(f32(matter.normal + grain * f32([0.006, 0.035, 0.0])))
        facing = np.einsum("ij,ij->i", rays, ruffled)[:, None]
        bounce = unit(f32(rays - 2.0 * facing * ruffled))
        bounce[:, 2] = np.maximum(bounce[:, 2], 1e-3)
        origins = f32(points + f32([0, 0, 0.01]))
        # Only what is large shows in a wet road.
        large = [n for n, solid in enumerate(self.solids) if solid.ball()[1] > 0.4]
        return self.trace(origins, bounce, grain, large, mirrors=False)[0]

    def render(
        self, camera: Camera, columns: int, rows: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats, Bools]:
        """Radiance (rows, columns, 3), distance and photographed-vehicle mask (rows, columns)."""
        rays = camera.directions(columns, rows).reshape(rows, columns, 3)
        grain = rng.standard_normal((rows, columns, 3), dtype=np.float32)
        radiance = np.empty((rows, columns, 3), np.float32)
        distance = np.empty((rows, columns), np.float32)
        moving = np.empty((rows, columns), np.bool_)
        frames = [self._frame(camera, solid, columns / camera.width) for solid in self.solids]
        for top in range(0, rows, _TILE):
            for left in range(0, columns, _TILE):
                tile = np.s_[top : top + _TILE, left : left + _TILE]
                shape = radiance[tile].shape[:2]
                flat = rays[tile].reshape(-1, 3)
                among = [
                    number
                    for number, (x0, y0, x1, y1) in enumerate(frames)
                    if x0 < left + _TILE and x1 > left and y0 < top + _TILE and y1 > top
                ]
                origins = f32(np.broadcast_to(f32(camera.position), flat.shape))
                light, away, met = self.trace(
                    origins, flat, grain[tile].reshape(-1, 3), among, mirrors=True
                )
                radiance[tile] = light.reshape(*shape, 3)
                distance[tile], moving[tile] = away.reshape(shape), met.reshape(shape)
        return radiance, distance, moving

    @staticmethod
    def _frame(camera: Camera, solid: Solid, scale: float) -> tuple[float, float, float, float]:
        """The rectangle of the rendering (px) outside which a solid can't be seen."""
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
        corners = solid.pose.world(f32(solid.form.centre + signs * solid.form.half))
        ahead = (corners - f32(camera.position)) @ camera.axes()[2]
        if ahead.min() < 0.1:
            return -np.inf, -np.inf, np.inf, np.inf
        seen = camera.project(corners) * scale
        (x0, y0), (x1, y1) = seen.min(axis=0) - 1, seen.max(axis=0) + 1
        return float(x0), float(y0), float(x1), float(y1)


def _across(direction: Floats) -> Floats:
    """Two unit vectors (2, 3) at right angles to `direction` and to each other."""
    other = f32([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.9 else f32([1.0, 0.0, 0.0])
    first = np.cross(direction, other)
    first = first / np.linalg.norm(first)
    return f32(np.stack([first, np.cross(direction, first)]))
