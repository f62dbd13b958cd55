"""What both trainings share: a time budget, averaged weights, checkpoints, a log."""

from __future__ import annotations

import copy
import json
import math
import time
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

WARM_UP: Final = 0.03
"""Share of the budget in which the learning rate rises."""


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def rate(progress: float, peak: float) -> float:
    """Learning rate at `progress` 0–1 of the time budget: a short rise, then half a cosine."""
    if progress < WARM_UP:
        return peak * max(progress, 0.002) / WARM_UP
    return peak * (0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


class Averaged:
    """Exponential average of a network's weights and statistics: what is measured and exported."""

    def __init__(self, net: nn.Module, decay: float = 0.999) -> None:
        self.net = copy.deepcopy(net).eval()
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for mine, other in zip(
            self.net.state_dict().values(), net.state_dict().values(), strict=True
        ):
            if mine.dtype.is_floating_point:
                mine.lerp_(other, share)
            else:
                mine.copy_(other)


class Run:
    """A training run's folder: checkpoint, log, and how much of its time is spent.

    The same command continues where an earlier one was cut off: `state.pt` holds network, average,
    optimiser and the seconds spent, and is replaced in one step.
    """

    def __init__(self, folder: Path, minutes: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.budget = minutes * 60
        self.spent = 0.0
        self.step = 0
        self._since = time.monotonic()

    def load(self, net: nn.Module, average: Averaged, optimiser: torch.optim.Optimizer) -> bool:
        """Take up an interrupted run. False where there is none, or it was finished."""
        path = self.folder / "state.pt"
        if not path.is_file():
            return False
        state = torch.load(path, map_location=device(), weights_only=True)
        if state["spent"] >= self.budget:
            return False
        net.load_state_dict(state["net"])
        average.net.load_state_dict(state["average"])
        average.steps = state["step"]
        optimiser.load_state_dict(state["optimiser"])
        self.spent, self.step = state["spent"], state["step"]
        self._since = time.monotonic()
        return True

    def save(self, net: nn.Module, average: Averaged, optimiser: torch.optim.Optimizer) -> None:
        state = {
            "net": net.state_dict(),
            "average": average.net.state_dict(),
            "optimiser": optimiser.state_dict(),
            "spent": self.seconds(),
            "step": self.step,
        }
        part = self.folder / "state.part"
        torch.save(state, part)
        part.rename(self.folder / "state.pt")

    def seconds(self) -> float:
        """Spent on this run, earlier sessions included."""
        return self.spent + time.monotonic() - self._since

    def progress(self) -> float:
        return self.seconds() / self.budget

    def log(self, **values: Any) -> None:
        row = {"step": self.step, "seconds": round(self.seconds(), 1), **values}
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
