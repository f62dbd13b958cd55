"""A peer: fastanpr 0.1.13's YOLOv8n plate detector, then fast-plate-ocr's cct-xs-v1 reader.

    python -m benchmarks.peers.yolo_cct DETECTOR.onnx READER.onnx

Prepared as ultralytics does for an ONNX file and fast-plate-ocr by default: longer side 640,
padded to 640×640; score ≥ 0.25, NMS at IoU 0.7; the box with 5 % added on each side, stretched to
128×64 RGB.
"""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.peers.protocol import Clock, serve

Values = NDArray[Any]

SIDE = 640
SCORE, NMS = 0.25, 0.7
LOW = 0.001  # down to which score boxes are listed, as ultralytics does for average precision
MARGIN = 0.05
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_"


def session(path: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def letterbox(picture: Values) -> tuple[Values, float, int, int]:
    """(network input [1, 3, 640, 640], scale, pixels of padding left, above)."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    new = round(width * scale), round(height * scale)
    if new != (width, height):
        picture = cv2.resize(picture, new, interpolation=cv2.INTER_LINEAR)
    left, top = (SIDE - new[0]) // 2, (SIDE - new[1]) // 2
    picture = cv2.copyMakeBorder(
        picture, top, SIDE - new[1] - top, left, SIDE - new[0] - left,
        cv2.BORDER_CONSTANT, value=(114, 114, 114),
    )  # fmt: skip
    return cv2.dnn.blobFromImage(picture, 1 / 255, swapRB=True), scale, left, top


class YoloCct:
    def __init__(self, detector: str, reader: str) -> None:
        self.detector, self.reader = session(detector), session(reader)
        self.rows = np.empty((0, 5))
        self.names = self.detector.get_inputs()[0].name, self.reader.get_inputs()[0].name

    def versions(self) -> dict[str, str]:
        return {"detector": "fastanpr 0.1.13 YOLOv8n", "reader": "cct-xs-v1-global"}

    def detect(self, picture: Values) -> list[list[float]]:
        values, scale, left, top = letterbox(picture)
        (output,) = self.detector.run(None, {self.names[0]: values})
        x, y, w, h, score = output[0].T[output[0][4] >= LOW].T
        corners = (x - w / 2 - left) / scale, (y - h / 2 - top) / scale
        self.rows = np.stack([*corners, w / scale, h / scale, score], axis=1)
        return self.boxes(SCORE)

    def boxes(self, least: float) -> list[list[float]]:
        """[x1, y1, x2, y2, score] of the last picture, from this score on."""
        rows = self.rows[self.rows[:, 4] >= least]
        kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), least, NMS)
        return [
            [x, y, x + w, y + h, score]
            for x, y, w, h, score in rows[np.asarray(kept, dtype=int).ravel()].tolist()
        ]

    def marks(self) -> dict[str, Any]:
        return {"found": self.boxes(LOW), "floor": SCORE}

    def cut(self, picture: Values, box: list[float]) -> Values:
        height, width = picture.shape[:2]
        x1, y1, x2, y2 = box
        across, down = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
        left, top = max(0, round(x1 - across)), max(0, round(y1 - down))
        right, bottom = min(width, round(x2 + across)), min(height, round(y2 + down))
        crop = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
        return np.asarray(cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), (128, 64)))

    def look(self, data: bytes, kind: str, clock: Clock, hint: str) -> list[dict[str, Any]]:
        with clock.stage("decode"):
            picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        height, width = picture.shape[:2]
        with clock.stage("detect"):
            crop = [[0.0, 0.0, float(width), float(height), 1.0]]
            found = crop if kind == "crop" else self.detect(picture)
        with clock.stage("read"):
            outputs = np.empty((0, 9, 37), np.float32)
            if found:
                crops = np.stack([self.cut(picture, one[:4]) for one in found])
                (outputs,) = self.reader.run(None, {self.names[1]: crops})
        plates = []
        with clock.stage("text"):
            for one, output in zip(found, outputs, strict=True):
                text = "".join(ALPHABET[i] for i in output.argmax(axis=1)).replace("_", "")
                if text:
                    score = float(output.max(axis=1).mean())
                    plates.append({"text": text, "box": one[:4], "score": score})
        return plates


if __name__ == "__main__":
    sys.exit(serve(lambda: YoloCct(sys.argv[1], sys.argv[2]), sys.argv[3:]))
