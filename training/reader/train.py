"""`./run train reader [--minutes 45]`: train the reader; the same command resumes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from inference.detector import PlateDetector
from inference.results import Picture
from training.bank import PlateBank
from training.curves import draw
from training.detector.data import FrameStore
from training.labels.load import load_labels
from training.loop import Averaged, Run, device, rate
from training.paths import CACHE, WEIGHTS, data
from training.reader.crops import RealCrops
from training.reader.data import CHARACTERS, NO_REGION, Crops
from training.reader.network import ReaderNet
from training.synthesis.photograph import cut, photograph

PEAK = 1.5e-3
REGION_WEIGHT = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=45, help="time to train")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1, help="processes that make crops")
    parser.add_argument("--name", default="reader", help="folder of the run in the cache")
    parser.add_argument("--from", dest="start", help="name of a run whose weights to start from")
    parser.add_argument("--drawn", type=int, default=45_000, help="plates in the drawn bank")
    parser.add_argument("--peak", type=float, default=PEAK, help="highest learning rate")
    parser.add_argument(
        "--ramp", type=float, default=5, help="minutes from easy crops to hard ones"
    )
    parser.add_argument("--relabel", action="store_true", help="cut the real plates out again")


def main(options: argparse.Namespace) -> int:
    FrameStore.build(data(), CACHE / "frames")
    PlateBank.build(CACHE / "bank", options.drawn, seed=1)
    if options.relabel or not (CACHE / "crops" / "crops.jsonl").is_file():
        labels = load_labels("train", "validation", "held")
        detector = PlateDetector() if (WEIGHTS / "manifest.json").is_file() else None
        RealCrops.build(data(), CACHE / "crops", labels, detector)
    bank, real = PlateBank(CACHE / "bank"), RealCrops(CACHE / "crops")
    run = Run(CACHE / options.name, options.minutes)
    regions = sorted(set(bank.regions))
    (run.folder / "regions.json").write_text(json.dumps(regions))
    where = device()
    torch.manual_seed(1)
    net = ReaderNet(len(regions)).to(where, memory_format=torch.channels_last)
    if options.start:
        state = torch.load(
            CACHE / options.start / "state.pt", map_location=where, weights_only=True
        )
        net.load_state_dict(state["average"])
    average = Averaged(net)
    optimiser = torch.optim.AdamW(net.parameters(), options.peak, weight_decay=0.02, foreach=True)
    run.load(net, average, optimiser)
    ramp = max(0.0, options.ramp * 60 - run.seconds())
    crops = Crops(FrameStore(CACHE / "frames"), bank, real, regions, seed=run.step + 1, ramp=ramp)
    loader = DataLoader(crops, options.batch, num_workers=options.workers, prefetch_factor=4)
    _train(run, net, average, optimiser, iter(loader), bank, real, options.peak)
    return 0


def ctc(logits: Tensor, classes: Tensor, lengths: Tensor) -> Tensor:
    """CTC loss per character, over [B, 80, 68] logits; texts of no character are all blank."""
    steps = functional.log_softmax(logits.float(), -1).transpose(0, 1)
    whole = torch.full((logits.shape[0],), steps.shape[0], dtype=torch.long)
    each = functional.ctc_loss(steps, classes, whole, lengths, reduction="none", zero_infinity=True)
    return (each / lengths.clamp(min=4).to(each.device)).mean()


def _train(
    run: Run,
    net: ReaderNet,
    average: Averaged,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[Sequence[Tensor]],
    bank: PlateBank,
    real: RealCrops,
    peak: float,
) -> None:
    where = device()
    net.train()
    sums = np.zeros(2)
    measured = run.seconds()
    while run.progress() < 1:
        pixels, classes, lengths, regions = next(batches)
        for group in optimiser.param_groups:
            group["lr"] = rate(run.progress(), peak)
        pictures = pixels.to(where).to(memory_format=torch.channels_last).float()
        with torch.autocast(where.type, torch.bfloat16):
            logits, guesses = net(pictures)
        text = ctc(logits, classes.to(where), lengths)
        known = regions != NO_REGION
        place = functional.cross_entropy(
            guesses.float()[known], regions[known].to(where), label_smoothing=0.05
        )
        loss = text + REGION_WEIGHT * place if known.any() else text
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        average.update(net)
        run.step += 1
        sums += [float(text.detach()), float(place.detach())]
        if run.step % 100 == 0:
            text_loss, place_loss = (sums / 100).round(4).tolist()
            run.log(text=text_loss, place=place_loss, rate=optimiser.param_groups[0]["lr"])
            sums[:] = 0
        if run.seconds() - measured > 480 or run.progress() >= 1:
            measured = run.seconds()
            run.save(net, average, optimiser)
            run.log(**evaluate(average.net, bank, real))
            draw(run.folder, ["text", "place"], ["streets exact", "china exact", "drawn exact"])


def evaluate(net: torch.nn.Module, bank: PlateBank, real: RealCrops) -> dict[str, float]:
    """Exact texts, greedy: validation plates, held Chinese ones, drawn ones newly photographed."""
    validation = [i for i in real.where(part="validation") if len(real.texts[i])]
    china = list(real.where(source="china", part="held"))
    rng = np.random.default_rng(5)
    drawn = [int(i) for i in rng.integers(0, len(bank), 600)]
    sets: dict[str, tuple[list[Picture], list[str]]] = {
        "streets": ([plain(real, i) for i in validation], [real.texts[i] for i in validation]),
        "found": (
            [cut(real.picture(i), real.found(i)) for i in validation],
            [real.texts[i] for i in validation],
        ),
        "china": ([plain(real, i) for i in china], [real.texts[i] for i in china]),
        "drawn": (
            [photograph(rng, bank.picture(i)) for i in drawn],
            [bank.texts[i] for i in drawn],
        ),
    }
    result = {}
    for name, (pictures, texts) in sets.items():
        read = greedy(net, pictures)
        right = sum(a == b for a, b in zip(read, texts, strict=True))
        result[f"{name} exact"] = round(right / max(len(texts), 1), 4)
        result[f"{name} count"] = len(texts)
    return result


def plain(real: RealCrops, index: int) -> Picture:
    return cut(real.picture(index), real.corners(index))


@torch.no_grad()
def greedy(net: torch.nn.Module, pictures: Sequence[Picture]) -> list[str]:
    """The most likely class at every place, repeats and blanks removed; no syntax."""
    where = device()
    texts = []
    for start in range(0, len(pictures), 64):
        batch = torch.from_numpy(np.stack(pictures[start : start + 64])).to(where)
        tensor = batch.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
        with torch.autocast(where.type, torch.bfloat16):
            logits, _ = net.eval()(tensor)
        texts += [spell(row) for row in logits.argmax(-1).cpu().numpy()]
    return texts


def spell(classes: NDArray[np.intp]) -> str:
    """CTC's rule: repeats are one, blanks separate."""
    before = np.concatenate([[0], classes[:-1]])
    kept = classes[(classes != before) & (classes != 0)]
    return "".join(CHARACTERS[i - 1] for i in kept)
