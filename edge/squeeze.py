"""Pictures made small for a thin line: each step can be set, and what is left of a plate is known.

What this grew from: 480×270 frames cut by the top 45 %, made 416 px wide and grey, at a low JPEG
quality: 7–10 kB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from edge.settings import Settings
from inference.results import Picture

LEAST_QUALITY: Final = 25
"""JPEG quality under which characters break up: rather fewer pixels than less."""
_QUALITIES: Final = (85, 70, 55, 40, LEAST_QUALITY)
_SMALLER: Final = 0.8


@dataclass(frozen=True, slots=True)
class Squeeze:
    """How a frame is made small: `width` px (0: as it is; never enlarged), `grey`, `cut_top`: share
    cut off the top, `quality`: JPEG 1–100."""

    width: int = 0
    grey: bool = False
    cut_top: float = 0.0
    quality: int = 80

    @classmethod
    def of(cls, settings: Settings) -> Squeeze:
        return cls(
            settings.squeeze_width,
            settings.squeeze_grey,
            settings.squeeze_cut_top,
            settings.squeeze_quality,
        )

    def scale(self, width: int) -> float:
        """What one pixel of a picture of this width becomes, at most 1."""
        return min(1.0, self.width / width) if self.width else 1.0


def squeezed(picture: Picture, how: Squeeze) -> bytes:
    """A JPEG of the picture, made small."""
    height, width = picture.shape[:2]
    picture = picture[min(height - 1, round(height * how.cut_top)) :]
    scale = how.scale(width)
    if scale < 1.0:
        size = (how.width, max(1, round(picture.shape[0] * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if how.grey:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return jpeg(picture, how.quality)


def jpeg(picture: Picture, quality: int) -> bytes:
    """Colour [h, w, 3] or grey [h, w] → JPEG, with Huffman tables made for it: a tenth smaller."""
    done, data = cv2.imencode(
        ".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    )
    if not done:
        raise ValueError("the picture can't be written as JPEG")
    return bytes(data)


def fitted(picture: Picture, most_bytes: int) -> tuple[bytes, float]:
    """A JPEG of at most so many bytes, and the scale that took: coarser first, then smaller. What
    fits at no size comes as small as it gets."""
    scale = 1.0
    while True:
        for quality in _QUALITIES:
            data = jpeg(picture, quality)
            if len(data) <= most_bytes:
                return data, scale
        high, wide = picture.shape[:2]
        if min(high, wide) < 16:
            return data, scale
        size = (max(1, round(wide * _SMALLER)), max(1, round(high * _SMALLER)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        scale *= _SMALLER
