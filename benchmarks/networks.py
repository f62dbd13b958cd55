"""Our two networks alone: the INT8 files the product runs against the FP32 ones beside them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from benchmarks.datasets import ROOT
from benchmarks.measures import share

WEIGHTS: Final = ROOT / "inference" / "weights"
PICTURES: Final = ((192, 320), (288, 512), (384, 640), (736, 1280))
"""Heights and widths for the detector: 16:9 with a longer side of 320, 512, 640 and 1280."""
CROPS: Final = (1, 4)
"""Plates in one run of the reader."""


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(rounds: int) -> list[dict[str, Any]]:
    """Median CPU milliseconds of both files at each input size, run in turn; [] without the files.

    CPU time, because the networks do nothing but compute: other load on the machine shows in it
    less than in the clock on the wall.
    """
    rng = np.random.default_rng(1)
    rows = []
    sizes = {
        "plate-detector": [(1, height, width, 3) for height, width in PICTURES],
        "plate-reader": [(count, 64, 160, 3) for count in CROPS],
    }
    for name, shapes in sizes.items():
        files = {kind: WEIGHTS / f"{name}{end}" for kind, end in _ENDS.items()}
        if not all(path.is_file() for path in files.values()):
            return []
        sessions = {kind: session(path) for kind, path in files.items()}
        for shape in shapes:
            values = rng.integers(0, 256, shape, dtype=np.uint8)
            spent: dict[str, list[float]] = {kind: [] for kind in files}
            for _ in range(rounds + 2):
                for kind, network in sessions.items():
                    begun = time.process_time()
                    network.run(None, {network.get_inputs()[0].name: values})
                    spent[kind].append((time.process_time() - begun) * 1000)
            medians = {kind: share(times[2:], 0.5) for kind, times in spent.items()}
            rows.append({"network": name, "input": "×".join(map(str, shape)), **medians})
    return rows


_ENDS: Final = {"int8": ".onnx", "fp32": ".fp32.onnx"}
