"""What lens, sensor and weather make of the light: blur, bloom, rain, noise, picture bytes."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demo.scenery.field import Bools, Floats, f32, mix

Picture = npt.NDArray[np.uint8]


def _line_kernel(length: float, angle: float) -> Floats:
    """A normalised line of `length` pixels at `angle` degrees, for motion blur."""
    size = max(3, int(np.ceil(length)) | 1)
    kernel = np.zeros((size, size), np.float32)
    steps = np.linspace(-length / 2, length / 2, max(8, size * 4))
    middle = size // 2
    for step in steps:
        x = middle + step * np.cos(np.radians(angle))
        y = middle + step * np.sin(np.radians(angle))
        column, row = int(np.floor(x)), int(np.floor(y))
        for dx in (0, 1):
            for dy in (0, 1):
                if 0 <= column + dx < size and 0 <= row + dy < size:
                    share = (1 - abs(x - column - dx)) * (1 - abs(y - row - dy))
                    kernel[row + dy, column + dx] += np.float32(share)
    return f32(kernel / kernel.sum())


def streak(radiance: Floats, moving: Bools, length: float, angle: float) -> Floats:
    """Motion blur of the moving vehicle only, over the still scene; `length` in pixels."""
    if length < 1:
        return radiance
    kernel = _line_kernel(length, angle)
    cover = f32(cv2.filter2D(f32(moving), -1, kernel))[:, :, None]
    body = f32(cv2.filter2D(f32(radiance * moving[:, :, None]), -1, kernel))
    # Where the vehicle's edge smears out, the road behind is only partly hidden.
    still = radiance * ~moving[:, :, None]
    weight = f32(~moving)
    around = np.maximum(f32(cv2.blur(weight, (21, 21))), 1e-3)[:, :, None]
    behind = f32(cv2.blur(f32(still), (21, 21))) / around
    backdrop = np.where(moving[:, :, None], behind, radiance)
    return f32(body + backdrop * (1.0 - cover))


def focus(radiance: Floats, distance: Floats, at: float, blur: float, defocus: float) -> Floats:
    """Depth of field: sharp at distance `at` (m), `blur` pixels wide at infinity; `defocus` pixels
    everywhere."""
    off = np.clip(np.abs(distance - at) / np.maximum(distance, at), 0.0, 1.0)
    off = f32(cv2.GaussianBlur(f32(off), (0, 0), 2.0))
    if blur > 0:
        half = f32(cv2.GaussianBlur(radiance, (0, 0), max(0.4, blur * 0.45)))
        full = f32(cv2.GaussianBlur(radiance, (0, 0), blur))
        near = np.clip((off - 0.18) * 3.2, 0, 1)[:, :, None]
        far = np.clip((off - 0.5) * 2.6, 0, 1)[:, :, None]
        radiance = mix(mix(radiance, half, near), full, far)
    if defocus > 0:
        radiance = f32(cv2.GaussianBlur(radiance, (0, 0), defocus))
    return radiance


def bloom(radiance: Floats, strength: float) -> Floats:
    """Light of the brightest points spilt around them by lens and air."""
    excess = np.clip(radiance - 1.1, 0.0, 8.0)
    small = f32(cv2.resize(excess, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
    size = (radiance.shape[1], radiance.shape[0])
    glow = np.zeros_like(radiance)
    for sigma, share in ((2.0, 0.35), (7.0, 0.20), (22.0, 0.10)):
        spread = cv2.GaussianBlur(small, (0, 0), sigma)
        glow += f32(cv2.resize(spread, size, interpolation=cv2.INTER_LINEAR)) * share
    return f32(radiance + glow * strength)


def rain(radiance: Floats, amount: float, light: Floats, rng: np.random.Generator) -> Floats:
    """Falling streaks, lit by `light`, and a thin veil."""
    if amount <= 0:
        return radiance
    rows, columns = radiance.shape[:2]
    drops = np.zeros((rows, columns), np.float32)
    for _ in range(int(1500 * amount)):
        x, y = int(rng.integers(0, columns)), int(rng.integers(0, rows))
        length = int(rng.integers(8, 34))
        lean = round(length * 0.13)
        cv2.line(drops, (x, y), (x - lean, y + length), float(rng.uniform(0.1, 0.55)), 1)
    drops = f32(cv2.GaussianBlur(drops, (0, 0), 0.8))[:, :, None]
    veiled = mix(radiance, light * 0.55, 0.10 * amount)
    return f32(veiled + drops * light * 0.34 * amount)


def develop(radiance: Floats, exposure: float, noise: float, rng: np.random.Generator) -> Picture:
    """Linear radiance to a picture (BGR bytes): vignetting, tone curve, sensor noise."""
    rows, columns = radiance.shape[:2]
    grid_x, grid_y = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-0.6, 0.6, rows))
    falloff = 1.0 - 0.20 * (grid_x**2 + grid_y**2)
    linear = np.maximum(radiance * exposure * falloff[:, :, None], 0.0)
    # The fitted ACES curve (Narkowicz 2015): soft shoulder for lamps and sky.
    toned = linear * (2.51 * linear + 0.03) / (linear * (2.43 * linear + 0.59) + 0.14)
    toned = np.clip(toned, 0.0, 1.0)
    shown = np.where(toned <= 0.0031308, 12.92 * toned, 1.055 * toned ** (1 / 2.4) - 0.055)
    if noise > 0:
        luma = rng.standard_normal((rows, columns, 1), dtype=np.float32)
        soft = cv2.GaussianBlur(
            rng.standard_normal((rows, columns, 3), dtype=np.float32), (0, 0), 1.2
        )
        shown = shown + noise * (0.75 * luma + 1.1 * f32(soft)) * (1.15 - 0.6 * shown)
    picture = np.rint(np.clip(shown, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.ascontiguousarray(picture[:, :, ::-1])


def sharpen(picture: Picture, amount: float) -> Picture:
    """The unsharp mask every camera applies."""
    soft = cv2.GaussianBlur(picture, (0, 0), 1.4)
    return np.asarray(cv2.addWeighted(picture, 1.0 + amount, soft, -amount, 0.0), dtype=np.uint8)


def encode(picture: Picture, quality: int, limit: int) -> bytes:
    """JPEG bytes at `quality`, lowered in steps until they fit in `limit` bytes."""
    while True:
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        done, data = cv2.imencode(".jpg", picture, settings)
        if not done:
            raise ValueError("the picture could not be encoded as JPEG")
        if data.size <= limit or quality <= 40:
            return bytes(data.tobytes())
        quality -= 3
