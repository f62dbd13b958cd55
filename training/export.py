"""`./run train export [--which detector|reader]`: ONNX in full precision and in eight bits.

Batch normalisation is folded into the convolutions, activations are calibrated on training
pictures and quantised statically, per channel, as QDQ. The normalisation (x − 114) / 64 of the
first layer is exactly what a DequantizeLinear with zero point 114 and scale 1/64 does to 8-bit
pixels, so the quantised network takes the picture's bytes as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from inference.results import Picture
from training.bank import PlateBank
from training.detector.data import FrameStore
from training.detector.measure import letterbox
from training.detector.network import DetectorNet
from training.detector.network import Exported as ExportedDetector
from training.paths import CACHE, WEIGHTS
from training.reader.crops import RealCrops
from training.reader.data import CHARACTERS, Crops
from training.reader.network import Exported as ExportedReader
from training.reader.network import ReaderNet

Which = Literal["detector", "reader"]
FILES: Final = {"detector": "plate-detector", "reader": "plate-reader"}
LONG_SIDE: Final = 512
ZERO: Final = 114
SCALE: Final = 1 / 64
CALIBRATION: Final = {"detector": 160, "reader": 400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--which", choices=["detector", "reader"], help="only this one")
    parser.add_argument("--name", help="folder of the run in the cache; as the network by default")
    parser.add_argument("--into", type=Path, default=WEIGHTS, help="where the files go")
    parser.add_argument("--long-side", type=int, default=LONG_SIDE)


def main(options: argparse.Namespace) -> int:
    options.into.mkdir(parents=True, exist_ok=True)
    wanted: Sequence[Which] = [options.which] if options.which else ["detector", "reader"]
    for which in wanted:
        run = CACHE / (options.name or which)
        full = options.into / f"{FILES[which]}.fp32.onnx"
        small = options.into / f"{FILES[which]}.onnx"
        example = _write(which, run, full, options.long_side)
        inputs = list(_calibration(which, run, options.long_side))
        quantise(full, small, inputs)
        report = parity(which, run, full, small, inputs[:40], example)
        (run / "parity.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(json.dumps(report, ensure_ascii=False), flush=True)
    register(options.into)
    return 0


def register(folder: Path) -> None:
    """List the folder's models in its `manifest.json`, by which the product knows them.

    What else an entry holds (a calibration) was measured on other weights and goes, unless the
    file is the same.
    """
    path = folder / "manifest.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    rows = {}
    for model in sorted(folder.glob("*.onnx")):
        name = model.name.removesuffix(".onnx")
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        same = known.get(name, {}) if known.get(name, {}).get("sha256") == digest else {}
        rows[name] = {**same, "file": model.name, "sha256": digest}
        print(json.dumps({"file": model.name, "bytes": model.stat().st_size, "sha256": digest}))
    path.write_text(json.dumps(rows, indent=1) + "\n")


def _network(which: Which, run: Path) -> nn.Module:
    """The averaged network of a run, folded, as it is exported."""
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)["average"]
    if which == "detector":
        detector = DetectorNet()
        detector.load_state_dict(state)
        return ExportedDetector(fold(detector)).eval()
    reader = ReaderNet(len(json.loads((run / "regions.json").read_text())))
    reader.load_state_dict(state)
    return ExportedReader(fold(reader)).eval()


def fold(net: nn.Module) -> Any:
    """Batch normalisation into the convolutions before it, everywhere. In place."""
    net.eval()
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                if isinstance(module[i], nn.Conv2d) and isinstance(module[i + 1], nn.BatchNorm2d):
                    module[i] = fuse_conv_bn_eval(module[i], module[i + 1])
                    module[i + 1] = nn.Identity()
    return net


def _write(which: Which, run: Path, path: Path, long_side: int) -> NDArray[np.uint8]:
    """The full-precision ONNX file, with what the product must know in its metadata."""
    net = _network(which, run)
    if which == "detector":
        example = np.full((1, 288, 512, 3), ZERO, np.uint8)
        names = (["picture"], ["plates"])
        axes = {"picture": {1: "height", 2: "width"}, "plates": {0: "cells"}}
        known = {"long_side": str(long_side)}
    else:
        example = np.full((2, 64, 160, 3), ZERO, np.uint8)
        names = (["crops"], ["emissions", "regions"])
        axes = {name: {0: "batch"} for name in ("crops", "emissions", "regions")}
        regions = json.loads((run / "regions.json").read_text())
        known = {"alphabet": CHARACTERS, "regions": ",".join(regions)}
    torch.onnx.export(
        net,
        (torch.from_numpy(example),),
        str(path),
        input_names=names[0],
        output_names=names[1],
        dynamic_axes=axes,
        opset_version=18,
        dynamo=False,
    )
    model = onnx.load(path)
    helper.set_model_props(model, known)
    onnx.save(model, path)
    return example


class _Reader(CalibrationDataReader):
    def __init__(self, inputs: Sequence[dict[str, Any]]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


def _calibration(which: Which, run: Path, long_side: int) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Training pictures as the network will see them."""
    store = FrameStore(CACHE / "frames")
    rng = np.random.default_rng(11)
    if which == "detector":
        frames = [frame for frame in store.frames if frame.part == "train"]
        for index in rng.permutation(len(frames))[: CALIBRATION[which]]:
            picture: Picture = store.picture(frames[index])
            yield {"picture": letterbox(picture, long_side)[0][None]}
        return
    regions = json.loads((run / "regions.json").read_text())
    bank = PlateBank(CACHE / "bank")
    crops = Crops(store, bank, RealCrops(CACHE / "crops"), regions, seed=3)
    for _ in range(CALIBRATION[which] // 8):
        yield {"crops": np.stack([crops.crop(rng)[0] for _ in range(8)])}


def quantise(full: Path, small: Path, inputs: Sequence[dict[str, Any]]) -> None:
    """Static INT8: weights signed per channel, activations unsigned; QDQ."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(full), str(ready), skip_symbolic_shape=True)
        model = onnx.load(ready)
        quantize_static(
            str(ready),
            str(small),
            _Reader(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Relu", "Add", "Resize"],
            nodes_to_exclude=_kept_whole(model),
        )
    model = onnx.load(small)
    take_bytes(model)
    helper.set_model_props(model, {p.key: p.value for p in onnx.load(full).metadata_props})
    onnx.checker.check_model(model)
    onnx.save(model, small)


def _kept_whole(model: onnx.ModelProto) -> list[str]:
    """Nodes that stay in full precision: the last convolution, whose values are the answer, and
    every addition that is not one of two feature maps."""
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    kept = [
        node.name
        for node in model.graph.node
        if node.op_type == "Add" and {made.get(name) for name in node.input} != {"Relu", "Resize"}
    ]
    return kept + ([convs[-1].name] if any(n.op_type == "Resize" for n in model.graph.node) else [])


def take_bytes(model: onnx.ModelProto) -> None:
    """The network takes bytes, and the first convolution pairs of pixels. In place.

    Cast, Sub, Mul and QuantizeLinear of the input become one DequantizeLinear: the pixels are whole
    numbers already, so their own steps lose nothing.
    """
    graph = model.graph
    source = graph.input[0].name
    by_input: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            by_input.setdefault(name, []).append(node)
    chain = []
    name = source
    while True:
        (node,) = by_input[name]
        chain.append(node)
        name = node.output[0]
        if node.op_type == "DequantizeLinear":
            break
        if node.op_type not in {"Transpose", "Cast", "Sub", "Mul", "Div", "Add", "QuantizeLinear"}:
            raise ValueError(f"unexpected {node.op_type} before the first convolution")
    last = chain[-1].output[0]
    (conv,) = by_input[last]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    _deepen(conv, constants[makers[conv.input[1]].input[0]])

    def constant(name: str, value: Any, kind: Any) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    scale, zero = constant("pixel_scale", SCALE, np.float32), constant("pixel_zero", ZERO, np.uint8)
    # [1, H, W, 3] → [1, H, W/2, 6]: the same bytes in the same order.
    paired = constant("paired", [0, 0, -1, 6], np.int64)
    nodes = [
        helper.make_node("Reshape", [source, paired], ["pairs"]),
        helper.make_node("Transpose", ["pairs"], ["pixels"], perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", ["pixels", scale, zero], [last]),
    ]
    for number, node in enumerate(nodes):
        node.name = f"pixels_{number}"
    gone = {node.name for node in chain}
    rest = [node for node in graph.node if node.name not in gone]
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def _deepen(conv: onnx.NodeProto, weights: onnx.TensorProto) -> None:
    """A 3×3 convolution of stride 2 over 3 channels as the same one of 3×2 over pairs of pixels.

    Eight-bit convolutions are slow on three channels. Column 2x − 1 of the picture is the second
    pixel of pair x − 1, columns 2x and 2x + 1 are those of pair x; the first of pair x − 1 gets 0.
    """
    before = numpy_helper.to_array(weights)
    after = np.zeros((before.shape[0], 2, 3, 3, 2), before.dtype)
    for column in range(3):
        pair, second = divmod(column + 1, 2)
        after[:, second, :, :, pair] = before[:, :, :, column]
    deep = after.reshape(before.shape[0], 6, 3, 2)
    weights.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(deep), weights.name))
    for attribute in list(conv.attribute):
        conv.attribute.remove(attribute)
    for name, value in {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 1, 1, 0]}.items():
        conv.attribute.append(helper.make_attribute(name, value))


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def parity(
    which: Which,
    run: Path,
    full: Path,
    small: Path,
    inputs: Sequence[dict[str, Any]],
    example: NDArray[np.uint8],
) -> dict[str, Any]:
    """Largest difference torch ↔ ONNX, and how far eight bits are from full precision."""
    net = _network(which, run)
    first, second = session(full), session(small)
    worst = 0.0
    off: list[float] = []
    for feed in inputs:
        (given,) = feed.values()
        with torch.no_grad():
            expected = net(torch.from_numpy(given))
        expected = expected if which == "detector" else expected[0]
        whole = first.run(None, feed)[0]
        bits = second.run(None, feed)[0]
        if which == "detector":
            # Scores everywhere, places where there is a plate.
            sure = whole[:, 0] > 0.3
            worst = max(worst, float(np.abs(expected.numpy() - whole)[:, 0].max()))
            off.append(float(np.abs(bits - whole)[sure, 1:].mean()) if sure.any() else 0.0)
        else:
            worst = max(worst, float(np.abs(expected.numpy() - whole).max()))
            off.append(float((bits.argmax(-1) != whole.argmax(-1)).mean()))
    what = (
        "mean pixels off at plates" if which == "detector" else "share of places read differently"
    )
    return {
        "network": which,
        "torch ↔ ONNX, largest difference": worst,
        f"INT8: {what}": float(np.mean(off)),
    }


def onnx_runner(path: Path) -> Any:
    """A detector file as a function of a letterboxed picture, for `measure`."""
    opened = session(path)
    return lambda picture: opened.run(None, {"picture": picture[None]})[0]
