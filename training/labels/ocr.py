"""PP-OCRv6 small (Apache-2.0), as `rapidocr` packages it: lines of text in a crop, and their texts.

Kept apart from the product's own use of these networks on purpose: `choices.json` refers to what
this module reads, so nothing here may change without making the proposals anew. The files are
checked by sha256 for the same reason.
"""

from __future__ import annotations

import hashlib
import importlib.util
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference.geometry import grow, order_corners, side_lengths
from inference.results import Corners, Picture

CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""What PP-OCR's characters are folded to; provinces come labelled (`crops/china`)."""

FILES: Final = {
    "PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    "PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
STRIDE: Final = 32
LINE_HEIGHT: Final = 48
LINE_STRIDE: Final = 8
LINE_WIDTHS: Final = (192, 480)
"""Narrow plate faces are widened to at least four times their height: the network was trained on
ordinary type and needs its steps, one per 8 pixels, to keep seven characters apart."""

# A plate has no lower case: what the reader calls "l" or "|" is a bare upright stroke there.
_BY_SHAPE: Final = {"l": "I", "i": "I", "|": "I", "ı": "I", "ß": "B", "ø": "O", "Ø": "O"}


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of text: its corners and the detector's score, 0–1."""

    quad: Corners
    score: float


@dataclass(frozen=True, slots=True)
class Text:
    """What one cut says. `score`: its weakest character, 0–1; 0 for an empty text."""

    text: str
    score: float


def _session(name: str) -> onnxruntime.InferenceSession:
    spec = importlib.util.find_spec("rapidocr")
    folders = (spec.submodule_search_locations or ()) if spec else ()
    paths = [path for folder in folders if (path := Path(folder) / "models" / name).is_file()]
    if not paths:
        raise FileNotFoundError(f"{name}: install rapidocr (training/requirements.txt)")
    data = paths[0].read_bytes()
    if hashlib.sha256(data).hexdigest() != FILES[name]:
        raise ValueError(f"{name} is not the file the proposals were made with")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _as_input(picture: Picture) -> NDArray[np.float32]:
    """BGR [h, w, 3] → [1, 3, h, w] in −1…1, as both networks were trained."""
    values = picture.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def folded(character: str) -> str | None:
    """The one of `CHARACTERS` this stands for, or None. Ö is O, as on the canonical plate."""
    if character in _BY_SHAPE:
        return _BY_SHAPE[character]
    base = unicodedata.normalize("NFKD", character)[:1].upper()
    return base if base and base in CHARACTERS else None


class Ocr:
    """Both networks. One thread."""

    def __init__(self) -> None:
        self._find = _session("PP-OCRv6_det_small.onnx")
        self._read = _session("PP-OCRv6_rec_small.onnx")
        listed = self._read.get_modelmeta().custom_metadata_map["character"].split("\n")
        # Class 0 is the CTC blank, the last one the space; neither stands in the list.
        kept = [
            (i, 1 + CHARACTERS.index(char))
            for i, char in ((i, folded(char)) for i, char in enumerate(listed, start=1))
            if char
        ]
        self._classes, self._columns = np.array(kept, dtype=np.intp).T

    def lines(self, picture: Picture, scale: float) -> list[Line]:
        """Lines of text in a BGR picture scaled by `scale` first; in the picture's own pixels."""
        height, width = picture.shape[:2]
        size = (_to_stride(width * scale), _to_stride(height * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scaled = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
        (maps,) = self._find.run(None, {"x": _as_input(scaled)})
        return lines_from_map(maps[0, 0], width, height)

    def read(self, picture: Picture, quad: Corners) -> Text:
        """The text in a quad."""
        across, down = side_lengths(quad)
        least, most = LINE_WIDTHS
        width = round(across / max(down, 1.0) * LINE_HEIGHT / LINE_STRIDE) * LINE_STRIDE
        line = cut_line(picture, quad, min(most, max(least, width)))
        (batch,) = self._read.run(None, {"x": _as_input(line)})
        emissions = np.zeros((len(batch[0]), 1 + len(CHARACTERS)), dtype=np.float32)
        np.add.at(emissions.T, self._columns, batch[0][:, self._classes].T)
        emissions[:, 0] = np.maximum(0.0, 1.0 - emissions[:, 1:].sum(axis=1))
        return greedy(emissions)


def cut_line(picture: Picture, quad: Corners, width: int) -> Picture:
    """A quad by perspective transform, `width` × `LINE_HEIGHT` pixels.

    The product's own `rectify` may become a better one; this one stays, as one other grey value can
    put two candidates into another order.
    """
    across, down = side_lengths(quad)
    finer = min(8, max(1, round(down / LINE_HEIGHT), round(across / width)))
    wide, high = width * finer, LINE_HEIGHT * finer
    target = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], dtype=np.float32)
    transform = cv2.getPerspectiveTransform(quad, target)
    cut = cv2.warpPerspective(
        picture, transform, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if finer > 1:
        cut = cv2.resize(cut, (width, LINE_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(cut, dtype=np.uint8)


def greedy(emissions: NDArray[np.float32]) -> Text:
    """Best character of each step, repeats merged. Column 0 of [steps, 37] is the blank."""
    best = emissions.argmax(axis=1)
    text, scores, last = "", [], 0
    for column, score in zip(best, emissions.max(axis=1), strict=True):
        if column and column != last:
            text += CHARACTERS[column - 1]
            scores.append(float(score))
        elif column:
            scores[-1] = max(scores[-1], float(score))
        last = int(column)
    return Text(text, round(min(scores, default=0.0), 3))


def _to_stride(length: float) -> int:
    return max(STRIDE, round(length / STRIDE) * STRIDE)


def lines_from_map(
    probabilities: NDArray[np.float32], width: int, height: int, *, unclip: float = 1.6
) -> list[Line]:
    """Differentiable binarisation's post-process (arXiv:1911.08947), top to bottom.

    The network marks the shrunken core of each line; a core's turned rectangle is grown again by
    area × `unclip` / perimeter, the inverse of the shrinking it was trained with.
    """
    rows, columns = probabilities.shape
    mask = cv2.dilate((probabilities > 0.3).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        rectangle = cv2.minAreaRect(contour)
        long, short = max(rectangle[1]), min(rectangle[1])
        if short < 2:
            continue
        core = np.zeros((rows, columns), np.uint8)
        cv2.drawContours(core, [contour], -1, 1, cv2.FILLED)
        score = float(cv2.mean(probabilities, core)[0])
        if score < 0.4:
            continue
        offset = long * short * unclip / (2 * (long + short))
        corners = order_corners(cv2.boxPoints(rectangle))
        share = offset / max(float(np.linalg.norm(corners[3] - corners[0])), 1e-6)
        grown = grow(corners, share, share) * (width / columns, height / rows)
        found.append(Line(np.asarray(grown, np.float32), min(1.0, score)))
    return sorted(found, key=lambda line: (float(line.quad[:, 1].mean()), line.quad[0, 0]))
