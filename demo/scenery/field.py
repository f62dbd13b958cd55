"""Arrays, noise and the sampling of two-dimensional maps: what every other room here stands on."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Colour = tuple[float, float, float]

_ROW = 4096  # cv2.remap refuses destinations of 32,767 pixels and more on a side


def f32(values: Any) -> Floats:
    """`values` as a contiguous float32 array."""
    return np.ascontiguousarray(values, dtype=np.float32)


def unit(vectors: Floats) -> Floats:
    """Rows of (N, 3) scaled to length one."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return f32(vectors / np.maximum(length, 1e-9))


def dot(a: Floats, b: Floats) -> Floats:
    """Row-wise scalar product of two (N, 3) arrays, as (N,)."""
    return f32(np.einsum("ij,ij->i", a, b))


def smoothstep(low: float, high: float, values: Floats) -> Floats:
    """0 at `low`, 1 at `high`, smooth between; `low` may exceed `high`."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return f32(t * t * (3.0 - 2.0 * t))


def mix(a: Any, b: Any, weight: Any) -> Floats:
    """Linear blend, `a` where `weight` is 0."""
    return f32(np.asarray(a) + (np.asarray(b) - np.asarray(a)) * weight)


def sample(image: npt.NDArray[Any], u: Floats, v: Floats, *, wrap: bool = False) -> Floats:
    """Bilinear look-up of `image` at columns `u` and rows `v` (pixels), each (N,).

    Outside the image the edge is repeated, or the image itself with `wrap`. Returns (N,) or (N, C).
    """
    count = u.size
    rows = max(1, -(-count // _ROW))
    grid_u = np.zeros(rows * _ROW, np.float32)
    grid_v = np.zeros(rows * _ROW, np.float32)
    grid_u[:count], grid_v[:count] = u, v
    if wrap:
        grid_u %= image.shape[1]
        grid_v %= image.shape[0]
    taken = cv2.remap(
        image,
        grid_u.reshape(rows, _ROW),
        grid_v.reshape(rows, _ROW),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP if wrap else cv2.BORDER_REPLICATE,
    )
    flat = f32(taken).reshape(rows * _ROW, -1)[:count]
    return f32(flat[:, 0]) if image.ndim == 2 else flat


def detail(noise: Floats) -> Floats:
    """Tileable noise without its large shapes, mean 0, deviation 1: repeats without showing it."""
    wrapped = np.pad(noise, 24, mode="wrap")
    fine = noise - f32(cv2.GaussianBlur(wrapped, (0, 0), 6.0))[24:-24, 24:-24]
    return f32(fine / fine.std())


def cloud(
    rng: np.random.Generator, size: int = 512, octaves: int = 6, fall: float = 0.55
) -> Floats:
    """Tileable fractal noise of `size` × `size`, mean 0, standard deviation 1."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = min(size, 4 << octave)
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        step = np.arange(size, dtype=np.float32) * cells / size
        columns, rows = np.meshgrid(step, step)
        layer = cv2.remap(
            np.pad(grid, ((0, 2), (0, 2)), mode="wrap"), columns, rows, cv2.INTER_LINEAR
        )
        total += f32(layer) * fall**octave
    return f32((total - total.mean()) / total.std())
