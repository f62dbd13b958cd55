"""`./run train detector [--minutes 45]`: train the detector; the same command resumes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from inference.results import Picture
from training.bank import PlateBank
from training.curves import draw
from training.detector.data import Frame, FrameStore, Windows
from training.detector.loss import losses
from training.detector.measure import measure
from training.detector.network import DetectorNet, decode
from training.loop import Averaged, Run, device, rate
from training.paths import CACHE, data

PEAK = 2e-3
QUAD = 30.0
"""At 2 the corners stayed those of the box over a whole run; at 30 they follow a tilt after some
hundred steps, and then half of it keeps them there and leaves more to score and box."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=45, help="time to train")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1, help="processes that make windows")
    parser.add_argument("--name", default="detector", help="folder of the run in the cache")
    parser.add_argument("--from", dest="start", help="name of a run whose weights to start from")
    parser.add_argument("--drawn", type=int, default=20_000, help="plates in the drawn bank")
    parser.add_argument("--peak", type=float, default=PEAK, help="highest learning rate")
    parser.add_argument("--quad", type=float, default=QUAD, help="weight of the corners' loss")


def main(options: argparse.Namespace) -> int:
    FrameStore.build(data(), CACHE / "frames")
    PlateBank.build(CACHE / "bank", options.drawn, seed=1)
    store = FrameStore(CACHE / "frames")
    run = Run(CACHE / options.name, options.minutes)
    where = device()
    torch.manual_seed(1)
    net = DetectorNet().to(where, memory_format=torch.channels_last)
    if options.start:
        state = torch.load(
            CACHE / options.start / "state.pt", map_location=where, weights_only=True
        )
        net.load_state_dict(state["average"])
    average = Averaged(net)
    optimiser = torch.optim.AdamW(net.parameters(), options.peak, weight_decay=0.02, foreach=True)
    run.load(net, average, optimiser)
    windows = Windows(store, PlateBank(CACHE / "bank"), seed=run.step + 1)
    loader = DataLoader(windows, options.batch, num_workers=options.workers, prefetch_factor=4)
    _train(run, net, average, optimiser, iter(loader), store, options)
    return 0


def _train(
    run: Run,
    net: DetectorNet,
    average: Averaged,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[Sequence[torch.Tensor]],
    store: FrameStore,
    options: argparse.Namespace,
) -> None:
    where = device()
    net.train()
    sums = np.zeros(3)
    measured = run.seconds()
    while run.progress() < 1:
        pixels, plates = next(batches)
        for group in optimiser.param_groups:
            group["lr"] = rate(run.progress(), options.peak)
        pictures = pixels.to(where).to(memory_format=torch.channels_last).float()
        with torch.autocast(where.type, torch.bfloat16):
            maps = net(pictures)
        parts = losses(maps, plates.to(where))
        loss = parts.score + 2.0 * parts.box + options.quad * parts.quad
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        average.update(net)
        run.step += 1
        sums += [float(part.detach()) for part in parts]
        if run.step % 100 == 0:
            score, box, quad = (sums / 100).round(4).tolist()
            run.log(score=score, box=box, quad=quad, rate=optimiser.param_groups[0]["lr"])
            sums[:] = 0
        if run.seconds() - measured > 480 or run.progress() >= 1:
            measured = run.seconds()
            run.save(net, average, optimiser)
            run.log(**evaluate(average.net, store))
            draw(run.folder, ["score", "box", "quad"], ["romania ap", "validation ap"])


def evaluate(net: torch.nn.Module, store: FrameStore, long_side: int = 512) -> dict[str, float]:
    """AP50 of the held romania clips and of at most 250 validation frames."""
    held = [frame for frame in store.frames if frame.part == "held"]
    validation = [frame for frame in store.frames if frame.part == "validation"][::2][:250]
    result: dict[str, float] = {}
    for name, frames in (("romania", held), ("validation", validation)):
        measured = measure(runner(net), pairs(store, frames), long_side)
        result |= {f"{name} {key}": value for key, value in measured.items()}
    return result


def pairs(
    store: FrameStore, frames: Sequence[Frame]
) -> Iterator[tuple[Picture, NDArray[np.float32]]]:
    for frame in frames:
        yield store.picture(frame), frame.boxes


def runner(net: torch.nn.Module) -> Callable[[Picture], NDArray[np.float32]]:
    """The network as a function of a letterboxed picture."""
    where = device()

    @torch.no_grad()
    def run(picture: Picture) -> NDArray[np.float32]:
        tensor = torch.from_numpy(picture).to(where).permute(2, 0, 1)[None].float()
        tensor = tensor.contiguous(memory_format=torch.channels_last)
        with torch.autocast(where.type, torch.bfloat16):
            maps = net.eval()(tensor)
        return np.asarray(decode(maps.float())[0].cpu().numpy(), np.float32)

    return cast(Callable[[Picture], NDArray[np.float32]], run)
