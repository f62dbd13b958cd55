"""Frames for the throughput benchmark: a road as cameras see it, drawn, with many number plates.

Two of the demo's own scenes are drawn, and onto the vehicle in them the plates of many: so a frame
costs milliseconds to make and looks to every stage like any other of 1280×720. Nothing of it is a
real vehicle.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from demo.scenery.plates import FONT, STYLES, canonical, draw_face
from demo.scenes import draw, read_script, spec_of

SCENES = ("05-guest-permit-in.jpg", "11-keying-error-in.jpg")
QUALITY = 75
_LETTERS = "ABCEHJKLMPSTUZ"  # what Czech plates use
_SHIFTS = (0, 2, 5)  # pixels the vehicle moves from frame to frame
_SUFFIXES = {".jpg", ".jpeg"}

STYLE = STYLES["CZ"]
_DOTS = 2.0  # pixels per millimetre of a plate

Picture = NDArray[np.uint8]
Quad = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Vehicle:
    """One vehicle: the JPEG frames it is seen in, and its canonical plate ("" where unknown)."""

    text: str
    frames: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True)
class Stock:
    """What the cameras send over and over: vehicles, and frames on which nobody passes."""

    vehicles: tuple[Vehicle, ...]
    empty: tuple[bytes, ...] = field(repr=False)

    def sequence(self, index: int, start: int = 0) -> bytes:
        """Frame number `index` of a camera that begins with vehicle `start`: every vehicle in all
        of its frames, then one frame without any."""
        of_each = len(self.vehicles[0].frames) + 1
        number, place = divmod(index, of_each)
        vehicle = self.vehicles[(start + number) % len(self.vehicles)]
        if place < len(vehicle.frames):
            return vehicle.frames[place]
        return self.empty[number % len(self.empty)]


def drawn(vehicles: int, seed: int = 1) -> Stock:
    """A stock of `vehicles` different plates, the same for one seed on one version of cv2."""
    rng = np.random.default_rng(seed)
    script = {entry["picture"]: entry for entry in read_script()["pictures"]}
    scenes = [draw(spec_of(script[name])) for name in SCENES]
    bare = [_without_plate(scene.picture, scene.quad) for scene in scenes]
    made = []
    for number, printed in enumerate(plate_texts(vehicles, rng)):
        place = number % len(scenes)
        whole = _with_plate(bare[place], scenes[place].quad, printed)
        frames = tuple(_jpeg(np.roll(whole, (shift // 2, shift), (0, 1))) for shift in _SHIFTS)
        made.append(Vehicle(canonical(printed), frames))
    return Stock(tuple(made), tuple(_jpeg(picture) for picture in bare))


def real(folder: Path) -> Stock:
    """The JPEG files below a folder, each a vehicle seen once or none; OSError if there is none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise FileNotFoundError(f"no JPEG below {folder}")
    pictures = [path.read_bytes() for path in files]
    return Stock(tuple(Vehicle("", (one,)) for one in pictures), (pictures[0],))


def plate_texts(count: int, rng: np.random.Generator) -> list[str]:
    """Different texts of the Czech syntax, as printed."""
    found: dict[str, None] = {}
    while len(found) < count:
        digits = rng.integers(0, 10, 6)
        letter = _LETTERS[int(rng.integers(len(_LETTERS)))]
        found[f"{max(1, digits[0])}{letter}{digits[1]} {''.join(map(str, digits[2:]))}"] = None
    return list(found)


def _without_plate(picture: Picture, quad: Quad) -> Picture:
    """The picture with a plain panel where the plate was."""
    bare = picture.copy()
    corners = np.asarray(quad)
    grown = corners.mean(axis=0) + (corners - corners.mean(axis=0)) * 1.12
    around = picture[tuple(np.round(grown[0] - 8).astype(int)[::-1])]
    cv2.fillConvexPoly(bare, np.round(grown).astype(np.int32), [int(value) for value in around])
    return bare


@cache
def _blank() -> tuple[Picture, ImageFont.FreeTypeFont]:
    """A plate without its text, two pixels a millimetre, and the lettering."""
    face, _ = draw_face("", STYLE)
    light = np.clip(face * 1.05, 0, 1) ** (1 / 2.2) * 255  # linear light to a picture's values
    size = (round(STYLE.width * _DOTS), round(STYLE.height * _DOTS))
    blank = cv2.resize(light[:, :, ::-1].astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    return np.asarray(blank), ImageFont.truetype(str(FONT), round(STYLE.letter * _DOTS / 0.7))


def _with_plate(picture: Picture, quad: Quad, printed: str) -> Picture:
    blank, font = _blank()
    image = Image.fromarray(blank)
    middle = ((STYLE.band + STYLE.width) / 2 * _DOTS, STYLE.height / 2 * _DOTS)
    ImageDraw.Draw(image).text(middle, printed, fill=(25, 22, 22), font=font, anchor="mm")
    corners = np.asarray(quad, np.float32)
    low = np.floor(corners.min(axis=0)).astype(int) - 2
    high = np.ceil(corners.max(axis=0)).astype(int) + 2
    size = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    width, height = (round(float(side) * 2) for side in size)
    small = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getPerspectiveTransform(source, corners - low.astype(np.float32))
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    laid = cv2.warpPerspective(small, turn, shape)
    mask = cv2.warpPerspective(np.full(small.shape[:2], 255, np.uint8), turn, shape)
    made = picture.copy()
    part = made[low[1] : high[1], low[0] : high[0]]
    part[mask > 127] = laid[mask > 127]
    return made


def _jpeg(picture: Picture) -> bytes:
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return jpeg.tobytes()
