"""Plate reading: our own CTC reader of one- and two-line plates (`weights/plate-reader.md`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import onnxruntime

from inference.geometry import grow, rectify
from inference.models import CPU, ModelError, ModelFile, load_session, registered
from inference.results import ALPHABET, Corners, Picture, Recognition

WIDTH: Final = 160
HEIGHT: Final = 64
MARGIN: Final = 0.10
"""Share of the plate's height added on every side, as in training: a corner that lies a little off
must not cost a character."""
NAMED: Final = 0.005
"""Share of the region head under which a region is left out."""


class Network(NamedTuple):
    session: onnxruntime.InferenceSession
    regions: tuple[str, ...]


class PlateReader:
    """Reads the plates inside quads, all of one picture in one run of the network."""

    def __init__(
        self, model: ModelFile | None = None, *, providers: Sequence[str] = (CPU,)
    ) -> None:
        self._providers = tuple(providers)
        self._model = model or registered("plate-reader")
        self._raw, self._right = zip(*self._model.calibration, strict=True)

    @property
    def version(self) -> str:
        return self._model.version

    @cached_property
    def _network(self) -> Network:
        session = load_session(self._model, self._providers)
        metadata = session.get_modelmeta().custom_metadata_map
        if metadata.get("alphabet") != ALPHABET:
            raise ModelError(f"Model {self._model.name} reads another alphabet than this product.")
        return Network(session, tuple(metadata["regions"].split(",")))

    def read(self, picture: Picture, quads: Sequence[Corners]) -> list[Recognition]:
        """What stands inside each quad (a plate's outer edge). Raises ModelError."""
        if not quads:
            return []
        crops = np.stack([crop_of(picture, quad) for quad in quads])
        session, codes = self._network
        emissions, regions = session.run(["emissions", "regions"], {"crops": crops})
        return [
            Recognition(
                matrix, {codes[i]: float(shares[i]) for i in np.flatnonzero(shares > NAMED)}
            )
            for matrix, shares in zip(emissions, regions, strict=True)
        ]

    def calibrate(self, raw: float) -> float:
        """A raw score → the share of reads with such a score that were right, 0–1, on plates the
        reader was not trained on. Rising; from the manifest."""
        return float(np.interp(raw, self._raw, self._right))


def crop_of(picture: Picture, quad: Corners) -> Picture:
    """A plate as the reader sees it: [64, 160, 3], whatever its shape, with the margin."""
    return rectify(picture, grow(quad, MARGIN, MARGIN), WIDTH, HEIGHT)
