"""Bodies a ray can meet. Each lives in its own frame (a `Pose`) and answers with distances there.

Rotation keeps lengths, so a distance along a local ray is the distance along the world's ray.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from demo.scenery.field import Bools, Colour, Floats, dot, f32, sample, unit

FAR = np.float32(1e9)


@dataclass
class Matter:
    """What N surface points are made of; colours (N, 3), the rest (N,).

    `mirror` is the share of light reflected head-on (0.04 for lacquer and glass), `gloss` how sharp
    the reflection is (0 none, 1 a mirror), `glow` light of its own, `retro` how much of a lamp
    beside the camera comes straight back (number plates, road markings, reflectors).
    """

    colour: Floats
    normal: Floats
    mirror: Floats
    gloss: Floats
    glow: Floats
    retro: Floats

    @staticmethod
    def plain(
        colour: Floats | Colour,
        normal: Floats,
        *,
        mirror: float = 0.03,
        gloss: float = 0.0,
        glow: Colour = (0.0, 0.0, 0.0),
        retro: float = 0.0,
    ) -> Matter:
        count = len(normal)
        return Matter(
            colour=f32(np.broadcast_to(colour, (count, 3))).copy(),
            normal=normal,
            mirror=np.full(count, mirror, np.float32),
            gloss=np.full(count, gloss, np.float32),
            glow=f32(np.broadcast_to(glow, (count, 3))).copy(),
            retro=np.full(count, retro, np.float32),
        )


Painter = Callable[[Floats, Floats], Matter]
"""Local points (N, 3) and local normals (N, 3) to what is there, normals still local."""


@dataclass(frozen=True)
class Pose:
    """Where a local frame's origin is and how it is turned: yaw about z, then tilt about its x."""

    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    tilt: float = 0.0

    def rotation(self) -> Floats:
        """Columns: the local axes in the world."""
        yaw, tilt = np.radians([self.yaw, self.tilt])
        about_z = np.array(
            [[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]]
        )
        about_x = np.array(
            [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
        )
        return f32(about_z @ about_x)

    def world(self, points: Floats) -> Floats:
        return f32(points @ self.rotation().T + f32(self.origin))

    def local(self, points: Floats) -> Floats:
        return f32((points - f32(self.origin)) @ self.rotation())

    def then(self, inner: Pose) -> Pose:
        """`inner`, given in this frame, as a pose in the world.

        Right where this frame isn't tilted or the inner one isn't yawed.
        """
        x, y, z = self.world(f32([inner.origin]))[0]
        origin = (float(x), float(y), float(z))
        return Pose(origin, self.yaw + inner.yaw, self.tilt + inner.tilt)


class Form(Protocol):
    """A shape in its own frame."""

    @property
    def half(self) -> Floats:
        """Half extents (3,) of a box about `centre` that holds the shape."""
        ...

    @property
    def centre(self) -> Floats: ...

    def meet(self, origins: Floats, rays: Floats, near: Floats, far: Floats) -> Floats:
        """Distance (N,) of the first meeting between `near` and `far`; FAR where there is none."""
        ...

    def normal(self, points: Floats) -> Floats: ...


@dataclass(frozen=True)
class Solid:
    """A form somewhere in the world, painted. `group` 1 moves with the vehicle photographed."""

    form: Form
    pose: Pose
    paint: Painter
    group: int = 0
    casts: bool = True

    def ball(self) -> tuple[Floats, float]:
        """A ball that holds the solid: centre in the world and radius."""
        return self.pose.world(self.form.centre[None, :])[0], float(np.linalg.norm(self.form.half))

    def span(self, origins: Floats, rays: Floats) -> tuple[Floats, Floats]:
        """Where local rays enter and leave the holding box; leaving before entering: never."""
        near = np.zeros(len(rays), np.float32)
        far = np.full(len(rays), FAR, np.float32)
        for axis in range(3):
            ray = rays[:, axis]
            inverse = 1.0 / np.where(np.abs(ray) < 1e-7, np.float32(1e-7), ray)
            middle = (self.form.centre[axis] - origins[:, axis]) * inverse
            reach = np.abs(self.form.half[axis] * inverse)
            np.maximum(near, middle - reach, out=near)
            np.minimum(far, middle + reach, out=far)
        return near, far

    def meet(self, origins: Floats, rays: Floats, limit: Floats) -> Floats:
        """Distance (N,) along world rays of the first meeting nearer than `limit`, else FAR."""
        turn = self.pose.rotation()
        local_origins = f32((origins - f32(self.pose.origin)) @ turn)
        local_rays = f32(rays @ turn)
        near, far = self.span(local_origins, local_rays)
        far = np.minimum(far, limit)
        chance = np.flatnonzero(far > near)
        distance = np.full(len(rays), FAR, np.float32)
        if chance.size:
            met = self.form.meet(
                local_origins[chance], local_rays[chance], near[chance], far[chance]
            )
            distance[chance] = np.where(met < limit[chance], met, FAR)
        return distance

    def matter(self, points: Floats) -> Matter:
        """What lies at world `points` on the surface, normals in the world."""
        local = self.pose.local(points)
        found = self.paint(local, self.form.normal(local))
        found.normal = f32(found.normal @ self.pose.rotation().T)
        return found


@dataclass(frozen=True)
class Box:
    half: Floats
    centre: Floats = field(default_factory=lambda: np.zeros(3, np.float32))

    def meet(self, origins: Floats, rays: Floats, near: Floats, far: Floats) -> Floats:
        return f32(np.where(near > 1e-4, near, FAR))

    def normal(self, points: Floats) -> Floats:
        reach = (points - self.centre) / self.half
        axis = np.argmax(np.abs(reach), axis=1)
        rows = np.arange(len(points))
        normals = np.zeros_like(points)
        normals[rows, axis] = np.sign(reach[rows, axis])
        return normals


@dataclass(frozen=True)
class Cylinder:
    """A round bar of `radius` and half length along axis 0 (x) or 2 (z)."""

    radius: float
    length: float
    axis: int

    @property
    def half(self) -> Floats:
        size = np.full(3, self.radius, np.float32)
        size[self.axis] = self.length
        return size

    @property
    def centre(self) -> Floats:
        return np.zeros(3, np.float32)

    def _across(self) -> list[int]:
        return [i for i in range(3) if i != self.axis]

    def meet(self, origins: Floats, rays: Floats, near: Floats, far: Floats) -> Floats:
        o, d = origins[:, self._across()], rays[:, self._across()]
        a = np.maximum(dot(d, d), 1e-9)
        b, c = dot(o, d), dot(o, o) - self.radius**2
        root = b * b - a * c
        inside = c + 2 * b * near + a * near * near <= 0  # enters through an end
        wall = (-b - np.sqrt(np.maximum(root, 0))) / a
        distance = np.where(inside, near, wall)
        good = (root > 0) & (distance >= near - 1e-4) & (distance <= far) & (distance > 1e-4)
        return f32(np.where(good, distance, FAR))

    def normal(self, points: Floats) -> Floats:
        normals = points.copy()
        normals[:, self.axis] = 0.0
        ends = np.abs(points[:, self.axis]) > self.length - 1e-3
        normals[ends] = 0.0
        normals[ends, self.axis] = np.sign(points[ends, self.axis])
        return unit(normals)


@dataclass(frozen=True)
class Ellipsoid:
    half: Floats
    centre: Floats = field(default_factory=lambda: np.zeros(3, np.float32))

    def meet(self, origins: Floats, rays: Floats, near: Floats, far: Floats) -> Floats:
        o, d = origins / self.half, rays / self.half
        a, b, c = dot(d, d), dot(o, d), dot(o, o) - 1.0
        root = b * b - a * c
        distance = (-b - np.sqrt(np.maximum(root, 0))) / a
        return f32(np.where((root > 0) & (distance > 1e-4), distance, FAR))

    def normal(self, points: Floats) -> Floats:
        return unit(f32(points / self.half**2))


class Inflated:
    """A silhouette in the (y, z) plane, filled out sideways: a vehicle's body.

    At distance e inside the silhouette the half width is `width(y, z) · S(e)`; S rises from 0 at
    the silhouette to 1 at depth `depth`, a superellipse of power `power`, so that roof, bonnet and
    bumpers are crowned and run into the sides in a round shoulder.
    """

    scale = 100.0  # map pixels per metre
    margin = 0.5  # metres of map around the silhouette

    def __init__(
        self,
        inside: Floats,
        width: Floats,
        *,
        depth: float,
        power: float,
        extent: tuple[float, float, float],
        floor: float,
    ) -> None:
        """`inside` is the signed distance to the silhouette (m, positive within) and `width` the
        half width (m), both as maps over (z, y); `extent` is half width, length and height (m).
        Below `floor` (m) the body is cut off."""
        self._maps = f32(np.dstack([inside, width]))
        slopes = [
            f32(cv2.Sobel(cv2.GaussianBlur(image, (0, 0), 2.0), cv2.CV_32F, dy, dz, ksize=3))
            for image in (inside, width)
            for dy, dz in ((1, 0), (0, 1))
        ]
        self._slopes = f32(np.dstack(slopes) * (self.scale / 8.0))
        self._floor = floor
        self._depth, self._power = depth, power
        self.half = f32([extent[0] + 0.02, extent[1] / 2 + 0.02, (extent[2] - floor) / 2 + 0.02])
        self.centre = f32([0.0, extent[1] / 2, (extent[2] + floor) / 2])

    def _look(self, image: Floats, points: Floats) -> Floats:
        u = (points[:, 1] + self.margin) * self.scale
        v = (points[:, 2] + self.margin) * self.scale
        return sample(image, u, v)

    def level(self, points: Floats) -> Floats:
        """Negative inside the body, zero on its surface, growing outside."""
        inside, width = self._look(self._maps, points).reshape(-1, 2).T
        short = np.maximum(1.0 - inside / self._depth, 0.0)
        round_the_side = (np.abs(points[:, 0]) / width) ** self._power + short * short - 1.0
        return f32(np.maximum(round_the_side, (self._floor - points[:, 2]) * 4.0))

    def meet(self, origins: Floats, rays: Floats, near: Floats, far: Floats) -> Floats:
        found = np.full(len(rays), FAR, np.float32)
        last = near.copy()
        live = np.arange(len(rays))
        o, d, t, end = origins, rays, near.copy(), far
        for _ in range(120):
            if not live.size:
                break
            level = self.level(f32(o + d * t[:, None]))
            struck = level < 0
            found[live[struck]] = t[struck]
            # Near the surface `level` grows by at most about 8 per metre.
            step = np.clip(level * 0.09, 0.012, 0.30)
            keep = ~struck & (t + step < end)
            last[live[keep]] = t[keep]
            live, o, d, end = live[keep], o[keep], d[keep], end[keep]
            t = f32((t + step)[keep])
        hit = np.flatnonzero(found < FAR)
        low, high = last[hit], found[hit].copy()
        for _ in range(8):
            middle = (low + high) / 2
            within = self.level(f32(origins[hit] + rays[hit] * middle[:, None])) < 0
            high = np.where(within, middle, high)
            low = np.where(within, low, middle)
        found[hit] = high
        return found

    def normal(self, points: Floats) -> Floats:
        inside, width = self._look(self._maps, points).reshape(-1, 2).T
        slopes = self._look(self._slopes, points).reshape(-1, 4)
        short = np.maximum(1.0 - inside / self._depth, 0.0)
        reach = np.abs(points[:, 0]) / width
        steep = self._power * reach ** (self._power - 1.0) / width
        slope = np.empty_like(points)
        slope[:, 0] = steep * np.sign(points[:, 0])
        for axis in (1, 2):
            slope[:, axis] = (
                -2.0 * short / self._depth * slopes[:, axis - 1]
                - steep * reach * slopes[:, axis + 1]
            )
        normals = unit(slope)
        normals[points[:, 2] < self._floor + 0.004] = (0.0, 0.0, -1.0)
        return normals


def among(points: Floats, low: tuple[float, float], high: tuple[float, float]) -> Bools:
    """Whether (N, 2) points lie in the rectangle from `low` to `high`."""
    return np.asarray(
        (points[:, 0] > low[0])
        & (points[:, 0] < high[0])
        & (points[:, 1] > low[1])
        & (points[:, 1] < high[1])
    )
