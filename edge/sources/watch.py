"""Notices a picture that stands still or shows nothing.

A camera that hangs goes on sending its last picture, and one whose lens is covered sends black:
both look well to everything else. A real picture, even of an empty road at night, has noise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.health import Health
from inference.results import Picture

_EVERY_SECONDS: Final = 1.0
_SAMPLES: Final = 64
"""Pixels compared along each side. Picked, not averaged: an average hides noise."""

_STILL: Final = 0.02
"""Mean change of a sample, 0–255. What a decoder's rounding may do to a picture sent again."""

_BLACK: Final = 24
"""Level that all but three of a thousand samples stay below; a headlight has more."""

_EVEN: Final = 2.0
"""Deviation of each colour's levels: a lens in fog has more."""


class Watch:
    """Reports to `health`: counters `frames_frozen` and `frames_black` (frames while it lasted,
    the seconds until it was noticed not counted), trouble `picture`.

    `frozen_after`, `black_after`: seconds. The former must exceed the interval of a camera's key
    frames: an encoder may repeat a quiet scene bit by bit between two.
    """

    def __init__(
        self, health: Health, *, frozen_after: float = 30.0, black_after: float = 10.0
    ) -> None:
        self._health = health
        self._frozen_after, self._black_after = frozen_after, black_after
        self._reference: NDArray[np.int16] | None = None
        self._still_since = self._shown_since = self._looked_at = float("-inf")
        self.frozen = self.black = False

    def saw(self, picture: Picture, at: float) -> None:
        """Look at a picture taken at a moment of the clock, in seconds; most are let pass."""
        if at - self._looked_at >= _EVERY_SECONDS or self._reference is None:
            self._looked_at = at
            self._look(picture, at)
        if self.frozen:
            self._health.count("frames_frozen")
        if self.black:
            self._health.count("frames_black")

    def _look(self, picture: Picture, at: float) -> None:
        height, width = picture.shape[:2]
        rows, columns = max(1, height // _SAMPLES), max(1, width // _SAMPLES)
        samples = picture[::rows, ::columns].astype(np.int16)
        before = self._reference
        if (
            before is None
            or before.shape != samples.shape
            or float(np.abs(before - samples).mean()) > _STILL
        ):
            self._reference, self._still_since = samples, at
        shown = (
            float(np.percentile(samples, 99.7)) >= _BLACK
            and float(samples.std(axis=(0, 1)).max()) >= _EVEN
        )
        if shown or self._shown_since == float("-inf"):
            self._shown_since = at
        self.frozen = at - self._still_since >= self._frozen_after
        self.black = at - self._shown_since >= self._black_after
        if self.black:
            self._health.trouble("picture", "The picture is black or empty: look at the lens.")
        elif self.frozen:
            seconds = at - self._still_since
            self._health.trouble("picture", f"The picture has stood still for {seconds:.0f} s.")
        else:
            self._health.trouble("picture", None)
