"""A peer: PP-OCRv6 small as `rapidocr` runs it, for general text: every line is handed on."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from rapidocr import RapidOCR

from benchmarks.peers.protocol import Clock, serve


class PpOcr:
    def __init__(self) -> None:
        self.found: list[list[float]] = []
        self.engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def versions(self) -> dict[str, str]:
        return {"engine": "rapidocr 3.10.0 PP-OCRv6 small"}

    def look(self, data: bytes, kind: str, clock: Clock, hint: str) -> list[dict[str, Any]]:
        with clock.stage("decode"):
            picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        result: Any = self.engine(picture)
        # The second one is its line turner; without any line the list is shorter.
        for stage, seconds in zip(("detect", "text", "read"), result.elapse_list, strict=False):
            clock.ms[stage] += (seconds or 0.0) * 1000
        plates = []
        self.found = []
        if result.boxes is not None:
            for quad, line, score in zip(result.boxes, result.txts, result.scores, strict=True):
                box = [*np.min(quad, axis=0).tolist(), *np.max(quad, axis=0).tolist()]
                self.found.append([*box, float(score)])
                text = "".join(c for c in line.upper() if c.isalnum())
                if text:
                    plates.append({"text": text, "box": box, "score": float(score)})
        return plates

    def marks(self) -> dict[str, Any]:
        return {"found": self.found, "floor": 0.0}


if __name__ == "__main__":
    sys.exit(serve(PpOcr, sys.argv[1:]))
