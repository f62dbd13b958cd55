"""A second opinion: PP-OCRv6 small, a CTC reader of 18,708 characters, folded to 67.

It was trained on all sorts of writing, so it errs otherwise than our reader, which knows nothing
but plates. It takes about ten times as long, and is asked only where ours is unsure.
"""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference.geometry import rectify, side_lengths
from inference.models import SECOND_READER, load_session
from inference.results import ALPHABET, Corners, Emissions, Picture

HEIGHT: Final = 48
STRIDE: Final = 8
MIN_WIDTH: Final = 192
MAX_WIDTH: Final = 480
"""Narrow plate faces are widened to at least four times their height, as the network was trained
on ordinary type and needs its steps (one per 8 pixels) to keep seven characters apart."""
LEAST_ASPECT: Final = 2.4
"""Width over height of a plate under which it may hold two lines: this reader knows one."""

# A plate has no lower case: what the reader calls "l", "i" or "|" is a bare upright stroke there,
# whatever the letter is called.
_BY_SHAPE: Final = {"l": "I", "i": "I", "|": "I", "ı": "I", "ß": "B", "ø": "O", "Ø": "O"}


def plate_character(character: str) -> str | None:
    """The character of `ALPHABET` this one stands for, or None.

    Full-width forms and letters with diacritics fold to their base letter (Ö to O): the canonical
    plate has none.
    """
    if character in _BY_SHAPE:
        return _BY_SHAPE[character]
    base = unicodedata.normalize("NFKD", character)[:1].upper()
    return base if base and base in ALPHABET else None


class _Network(NamedTuple):
    session: onnxruntime.InferenceSession
    classes: NDArray[np.intp]
    columns: NDArray[np.intp]


class SecondReader:
    """Reads one line. Its characters come from the model file's own metadata."""

    def __init__(self) -> None:
        self._model = SECOND_READER

    @property
    def version(self) -> str:
        return self._model.version

    @cached_property
    def _network(self) -> _Network:
        session = load_session(self._model)
        listed = session.get_modelmeta().custom_metadata_map["character"].split("\n")
        # Class 0 is the CTC blank, the last one the space; neither stands in the list.
        folded = [(i, plate_character(char)) for i, char in enumerate(listed, start=1)]
        kept = [(i, 1 + ALPHABET.index(char)) for i, char in folded if char]
        return _Network(session, *np.array(kept, dtype=np.intp).T)

    def read(self, picture: Picture, quad: Corners) -> Emissions | None:
        """The line inside a plate's quad, or None where there may be two. Raises ModelError."""
        across, down = side_lengths(quad)
        if across < LEAST_ASPECT * down:
            return None
        width = round(across / max(down, 1.0) * HEIGHT / STRIDE) * STRIDE
        line = rectify(picture, quad, min(MAX_WIDTH, max(MIN_WIDTH, width)), HEIGHT)
        network = self._network
        (batch,) = network.session.run(None, {"x": as_input(line)})
        return fold(batch[0], network.classes, network.columns)


def as_input(picture: Picture) -> NDArray[np.float32]:
    """BGR [h, w, 3] → [1, 3, h, w] in −1…1, as the network was trained."""
    values = picture.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def fold(
    probabilities: NDArray[np.float32], classes: NDArray[np.intp], columns: NDArray[np.intp]
) -> Emissions:
    """Add up the reader's classes [steps, classes] by plate character: [steps, 68].

    Whatever is no plate character (a space, a hyphen, a dot, an emblem read as a sign) becomes
    blank: it separates characters and is none itself.
    """
    emissions = np.zeros((len(probabilities), 1 + len(ALPHABET)), dtype=np.float32)
    np.add.at(emissions.T, columns, probabilities[:, classes].T)
    emissions[:, 0] = np.maximum(0.0, 1.0 - emissions[:, 1:].sum(axis=1))
    return emissions
