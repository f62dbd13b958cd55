"""Pictures and probability matrices the tests make themselves: no real plate is stored here."""

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.results import ALPHABET, Emissions, Picture


def emissions_of(*steps: dict[str, float] | str) -> Emissions:
    """A probability matrix: each step a character (97 % sure), or {character: probability};
    blank gets the rest, and a blank step stands between all of them."""
    rows = []
    for step in steps:
        row = np.zeros(1 + len(ALPHABET), dtype=np.float32)
        shares = {step: 0.97} if isinstance(step, str) else step
        for char, share in shares.items():
            row[1 + ALPHABET.index(char)] = share
        row[0] = 1 - row.sum()
        blank = np.zeros_like(row)
        blank[0] = 1
        rows += [row, blank]
    return np.array(rows)


def plate_face(*rows: str, scale: float = 2.2, ink: int = 25, room: float = 12) -> Picture:
    """A white plate with dark characters, one line of text per row, `room` × `scale` apart."""
    font, thick = cv2.FONT_HERSHEY_DUPLEX, max(2, round(scale * 2))
    sizes = [cv2.getTextSize(row, font, scale, thick)[0] for row in rows]
    line, pad = max(high for _, high in sizes), round(room * scale)
    face = np.full(
        ((line + pad) * len(rows) + pad, max(wide for wide, _ in sizes) + 2 * pad, 3), 238, np.uint8
    )
    cv2.rectangle(face, (2, 2), (face.shape[1] - 3, face.shape[0] - 3), (ink,) * 3, 2)
    for number, (row, (wide, _)) in enumerate(zip(rows, sizes, strict=True), start=1):
        left = (face.shape[1] - wide) // 2
        cv2.putText(face, row, (left, number * (line + pad)), font, scale, (ink,) * 3, thick, 16)
    return face


def scene_with(
    face: Picture, corners: list[tuple[float, float]], size: tuple[int, int] = (800, 500)
) -> Picture:
    """A dim scene with the plate's face put on four corners, clockwise from top left."""
    width, height = size
    rng = np.random.default_rng(7)
    coarse = rng.integers(40, 90, (height // 40, width // 40, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    high, wide = face.shape[:2]
    source: NDArray[np.float32] = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    transform = cv2.getPerspectiveTransform(source, np.array(corners, np.float32))
    placed = cv2.warpPerspective(face, transform, size, flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.full(face.shape[:2], 255, np.uint8), transform, size)
    scene[mask > 127] = placed[mask > 127]
    return np.asarray(cv2.GaussianBlur(scene, (3, 3), 0), dtype=np.uint8)
