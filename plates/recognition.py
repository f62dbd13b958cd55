"""From a capture's picture to plain facts about its plates: the one place that calls inference.

Heavy libraries are imported on first use, in the worker process, after the fork (house.md).
"""

from dataclasses import dataclass, field
from typing import Any

JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Found:
    """One plate of a capture, before it is sealed. `crop` is a JPEG of the plate, or None."""

    text: str
    score: float
    detector_score: float | None = None
    char_scores: tuple[float, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()
    country: str = ""
    category: str = ""
    box: tuple[float, ...] | None = None
    quad: tuple[float, ...] | None = None
    crop: bytes | None = None

    def __repr__(self) -> str:
        return f"<found, score {self.score:.2f}>"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a capture yielded: plates best first, rejections by reason, or why it failed."""

    plates: tuple[Found, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)
    models_used: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    sentence: str = ""


def recognise_picture(
    data: bytes, *, kind: str, regions: tuple[str, ...], strict: bool = False
) -> Outcome:
    """Read a JPEG, PNG or WebP; a picture that can't be used gives an outcome with a failure.

    `regions`, `strict`: as of a `cameras.Site`.
    """
    from django.conf import settings

    from inference.engine import Options, engine_for
    from inference.pictures import PictureError, decode_picture

    try:
        picture = decode_picture(data, max_pixels=settings.PICTURE_MAX_PIXELS)
    except PictureError as error:
        return Outcome(failure=error.code, sentence=error.sentence)
    options = Options(second=settings.SECOND_READER, tiles=settings.PICTURE_TILES)
    engine = engine_for(regions, strict=strict, options=options)
    reading = engine.read(picture, kind="crop" if kind == "crop" else "frame")
    rejected: dict[str, int] = {}
    for refused in reading.rejected:
        rejected[refused.reason] = rejected.get(refused.reason, 0) + 1
    plates = tuple(
        Found(
            text=plate.text,
            score=plate.score,
            detector_score=plate.detector_score,
            char_scores=tuple(round(score, 4) for score in plate.chars),
            candidates=tuple((other.text, round(other.score, 4)) for other in plate.candidates),
            country=(plate.region or "").split("-")[0],
            box=tuple(float(value) for value in plate.box),
            quad=tuple(float(value) for point in plate.quad for value in point),
            crop=None if kind == "crop" else _cut(picture, plate.quad),
        )
        for plate in reading.plates
    )
    return Outcome(plates=plates, rejected=rejected, models_used=dict(engine.versions))


def _cut(picture: Any, quad: Any) -> bytes | None:
    """A JPEG of the picture around a quad, with a third of the plate's size as margin."""
    import cv2
    import numpy as np

    points = np.asarray(quad, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = (high - low) / 3
    height, width = picture.shape[:2]
    x1, y1 = np.maximum(low - margin, 0).astype(int)
    x2, y2 = np.minimum(high + margin + 1, (width, height)).astype(int)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return None
    done, jpeg = cv2.imencode(
        ".jpg", picture[y1:y2, x1:x2], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return jpeg.tobytes() if done else None


def from_device(read: dict[str, Any]) -> Outcome:
    """A finished read as a device sent it (already checked at intake)."""
    score = float(read.get("score", 1.0))
    quad, box = read.get("quad"), read.get("box")
    found = Found(
        text=read["text"],
        score=score,
        char_scores=tuple(read.get("char_scores") or ()),
        candidates=tuple((text, float(value)) for text, value in read.get("candidates") or ()),
        country=read.get("country") or "",
        category=read.get("category") or "",
        box=tuple(box) if box else None,
        quad=tuple(value for point in quad for value in point) if quad else None,
    )
    return Outcome(plates=(found,), models_used={"device": "its own"})
