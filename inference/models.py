"""The models this package may load: where each file lies, and what it must be, to the byte.

Nothing is ever downloaded. Ours lie in `weights/` beside this module, listed in its
`manifest.json`: name → `file`, `sha256` and, for a reader, `calibration`. The PP-OCRv6 reader (the
second opinion) comes inside the `rapidocr` wheel, which is found without being imported (its code
pulls in much that is not needed here) and read with onnxruntime directly. A file whose sha256
differs is refused: a silently changed reader would put other texts under the same version in
evidence.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import onnxruntime

CPU: Final = "CPUExecutionProvider"

WEIGHTS: Final = Path(__file__).with_name("weights")

Calibration = tuple[tuple[float, float], ...]
"""Points of a rising line from a raw score to the share of such reads that are right."""

IDENTITY: Final[Calibration] = ((0.0, 0.0), (1.0, 1.0))


class ModelError(Exception):
    """A model file is missing or is not the one that was registered."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """`path` is relative to the installed package's folder, or absolute where `package` is empty;
    `sha256` is of the whole file."""

    name: str
    package: str
    path: str
    sha256: str
    calibration: Calibration = IDENTITY

    @property
    def version(self) -> str:
        return f"{self.name}@{self.sha256[:12]}"


# The digest stands in rapidocr 3.10's own default_models.yaml as well.
SECOND_READER: Final = ModelFile(
    name="pp-ocrv6-rec-small",
    package="rapidocr",
    path="models/PP-OCRv6_rec_small.onnx",
    sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
)


@cache
def registry(folder: Path = WEIGHTS) -> dict[str, ModelFile]:
    """The models of a folder's manifest by name: ours, or those of a training run. ModelError."""
    try:
        rows = json.loads((folder / "manifest.json").read_bytes())
        return {
            name: ModelFile(
                name=name,
                package="",
                path=str(folder / row["file"]),
                sha256=row["sha256"],
                calibration=tuple(
                    (float(raw), float(right)) for raw, right in row.get("calibration", IDENTITY)
                ),
            )
            for name, row in rows.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The list of models in {folder.name} cannot be read ({type(error).__name__}). "
            "Install the product again."
        ) from error


def registered(name: str) -> ModelFile:
    """The model of this name, ours. Raises ModelError."""
    models = registry()
    if name not in models:
        raise ModelError(f"No model {name} is registered; there are {', '.join(sorted(models))}.")
    return models[name]


def locate(model: ModelFile) -> Path:
    """Path of the model file. Raises ModelError."""
    if not model.package:
        if (path := Path(model.path)).is_file():
            return path
        raise ModelError(
            f"Model {model.name} was not found: there is no {path.name}. Install the product again."
        )
    spec = importlib.util.find_spec(model.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / model.path
        if path.is_file():
            return path
    raise ModelError(
        f"Model {model.name} was not found: the Python package {model.package!r} is not "
        f"installed or does not hold {model.path}. Install the requirements again."
    )


def load_session(
    model: ModelFile, providers: Sequence[str] = (CPU,)
) -> onnxruntime.InferenceSession:
    """Check the file's sha256 and open it with one thread. Raises ModelError. `providers`: of
    onnxruntime, the first that can is used.

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
    return onnxruntime.InferenceSession(data, options, providers=list(providers))
