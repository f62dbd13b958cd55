"""The pinhole camera: rays out of it, points into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.scenery.field import Floats, f32, unit


@dataclass(frozen=True)
class Camera:
    """A camera at `position` (m) looking along +y, turned by `yaw` (to the right), `pitch` (down)
    and `roll`, all in degrees. `focal` is in pixels of a picture `width` × `height`."""

    position: tuple[float, float, float]
    yaw: float
    pitch: float
    roll: float
    focal: float
    width: int = 1280
    height: int = 720

    def axes(self) -> Floats:
        """Rows: the camera's right, down and forward directions in the world."""
        yaw, pitch, roll = np.radians([self.yaw, self.pitch, self.roll])
        forward = np.array(
            [np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)]
        )
        right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
        down = np.cross(forward, right)
        turned_right = right * np.cos(roll) + down * np.sin(roll)
        turned_down = down * np.cos(roll) - right * np.sin(roll)
        return f32(np.stack([turned_right, turned_down, forward]))

    def directions(self, columns: int, rows: int) -> Floats:
        """Unit directions through the pixel centres of a `columns` × `rows` picture, (N, 3)."""
        x = ((np.arange(columns) + 0.5) * self.width / columns - self.width / 2) / self.focal
        y = ((np.arange(rows) + 0.5) * self.height / rows - self.height / 2) / self.focal
        grid_x, grid_y = np.meshgrid(x, y)
        local = np.stack([grid_x, grid_y, np.ones_like(grid_x)], axis=-1).reshape(-1, 3)
        return unit(f32(f32(local) @ self.axes()))

    def project(self, points: Floats) -> Floats:
        """Picture coordinates (px) of world points (N, 3), as (N, 2). Points must lie ahead."""
        local = (f32(points) - f32(self.position)) @ self.axes().T
        ahead = np.maximum(local[:, 2], 1e-3)
        u = local[:, 0] / ahead * self.focal + self.width / 2
        v = local[:, 1] / ahead * self.focal + self.height / 2
        return f32(np.stack([u, v], axis=1))
