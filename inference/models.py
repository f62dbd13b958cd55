"""The models this package may load: where each file lies, and what it must be, to the byte.

Nothing is ever downloaded. The PP-OCRv6 files come inside the `rapidocr` wheel, which is found
without being imported (its code pulls in much that is not needed here) and read with onnxruntime
directly. A file whose sha256 differs is refused: a silently changed reader would put other texts
under the same version in evidence.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnxruntime


class ModelError(Exception):
    """A model file is missing or is not the one that was registered."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """`path` is relative to the installed package's folder; `sha256` is of the whole file."""

    name: str
    package: str
    path: str
    sha256: str

    @property
    def version(self) -> str:
        return f"{self.name}@{self.sha256[:12]}"


# The digests stand in rapidocr 3.10's own default_models.yaml as well.
REGISTRY: Final = {
    model.name: model
    for model in (
        ModelFile(
            name="pp-ocrv6-det-small",
            package="rapidocr",
            path="models/PP-OCRv6_det_small.onnx",
            sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        ),
        ModelFile(
            name="pp-ocrv6-rec-small",
            package="rapidocr",
            path="models/PP-OCRv6_rec_small.onnx",
            sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        ),
    )
}


def locate(model: ModelFile) -> Path:
    """Path of the model file in its installed package. Raises ModelError."""
    spec = importlib.util.find_spec(model.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / model.path
        if path.is_file():
            return path
    raise ModelError(
        f"Model {model.name} was not found: the Python package {model.package!r} is not "
        f"installed or does not hold {model.path}. Install the requirements again."
    )


def load_session(model: ModelFile) -> onnxruntime.InferenceSession:
    """Check the file's sha256 and open it on the CPU with one thread. Raises ModelError.

    One thread a process, and as many processes as cores, gives the most pictures per second; call
    this only after the process has forked.
    """
    data = locate(model).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != model.sha256:
        raise ModelError(
            f"Model {model.name} is not the registered file: its sha256 is {found[:12]}…, "
            f"expected {model.sha256[:12]}…. Install the requirements again."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # every picture has another size: patterns only hold memory
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
