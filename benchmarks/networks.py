"""Our two networks alone: the INT8 files the product runs against the FP32 ones beside them."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
import onnxruntime

from benchmarks.measures import share
from inference.detector import CLOSER_SIDE, STRIDE
from inference.models import load_session, registered
from inference.reader import HEIGHT, WIDTH

OTHER_SIDES: Final = (320, 640, 1280)
"""Longer sides the detector is timed at beside those the product uses."""
CROPS: Final = (1, 4)
"""Plates in one run of the reader."""

Shape = tuple[int, int, int, int]


def picture_shape(long_side: int) -> Shape:
    """The detector's input for a frame of 16:9: both sides padded to multiples of `STRIDE`."""
    height = round(long_side * 9 / 16)
    return 1, -(-height // STRIDE) * STRIDE, -(-long_side // STRIDE) * STRIDE, 3


def compare(rounds: int) -> list[dict[str, Any]]:
    """Median CPU milliseconds of both files at each input size, run in turn; sizes the product
    itself uses first (`product`). Raises ModelError where a file is missing.

    CPU time, because the networks do nothing but compute: other load on the machine shows in it
    less than in the clock on the wall.
    """
    rng = np.random.default_rng(1)
    rows = []
    for name in ("plate-detector", "plate-reader"):
        sessions = {
            "int8": load_session(registered(name)),
            "fp32": load_session(registered(f"{name}.fp32")),
        }
        for shape, product in _sizes(name, sessions["int8"]):
            values = rng.integers(0, 256, shape, dtype=np.uint8)
            spent: dict[str, list[float]] = {kind: [] for kind in sessions}
            for _ in range(rounds + 2):
                for kind, network in sessions.items():
                    begun = time.process_time()
                    network.run(None, {network.get_inputs()[0].name: values})
                    spent[kind].append((time.process_time() - begun) * 1000)
            medians = {kind: share(times[2:], 0.5) for kind, times in spent.items()}
            size = "×".join(map(str, shape))
            rows.append({"network": name, "input": size, "product": product, **medians})
    return rows


def _sizes(name: str, network: onnxruntime.InferenceSession) -> list[tuple[Shape, bool]]:
    """Inputs to time a network at, and whether the product uses them."""
    if name == "plate-reader":
        return [((count, HEIGHT, WIDTH, 3), True) for count in CROPS]
    usual = int(network.get_modelmeta().custom_metadata_map.get("long_side", 512))
    own = [usual, CLOSER_SIDE]
    others = [side for side in OTHER_SIDES if side not in own]
    return [(picture_shape(side), side in own) for side in [*own, *others]]
