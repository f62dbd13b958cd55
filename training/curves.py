"""The log of a run as a picture: losses above, what was measured below."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


def draw(folder: Path, losses: Sequence[str], figures: Sequence[str]) -> None:
    """Write `curves.png` beside `log.jsonl`; horizontal axis in minutes of training."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    fig, (upper, lower) = pyplot.subplots(2, 1, figsize=(8, 7), sharex=True)
    for axis, names in ((upper, losses), (lower, figures)):
        for name in names:
            points = [(row["seconds"] / 60, row[name]) for row in rows if name in row]
            if points:
                axis.plot(
                    *zip(*points, strict=True), marker="." if len(points) < 50 else "", label=name
                )
        axis.legend()
        axis.grid(alpha=0.3)
    upper.set_yscale("log")
    upper.set_ylabel("loss")
    lower.set_ylabel("share")
    lower.set_xlabel("minutes of training")
    fig.tight_layout()
    fig.savefig(folder / "curves.png", dpi=110)
    pyplot.close(fig)
