"""A store of drawn plates: drawing takes longer than photographing, so each is used many times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from inference.results import Picture

if TYPE_CHECKING:
    from training.synthesis.draw import Drawn

HEIGHT: Final = 96
CHINESE: Final = 4
"""For so many plates one more of China …"""
STACKED: Final = 10
"""… and for so many one more of those of two rows, which are few among them."""


class PlateBank:
    """Drawn plates in one memory-mapped file, all of them `HEIGHT` pixels high."""

    def __init__(self, folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / "bank.jsonl").read_text().splitlines()]
        self.texts: list[str] = [row["text"] for row in rows]
        self.regions: list[str] = [row["region"] for row in rows]
        self.rows = np.array([row["rows"] for row in rows])
        self._widths = np.array([row["width"] for row in rows])
        self._offsets = np.concatenate([[0], np.cumsum(self._widths)[:-1]]) * HEIGHT * 3
        self._pixels = np.memmap(folder / "bank.u8", np.uint8, "r")
        self._by_width = np.argsort(self._widths)

    def __len__(self) -> int:
        return len(self.texts)

    def picture(self, index: int) -> Picture:
        offset, width = int(self._offsets[index]), int(self._widths[index])
        return np.asarray(self._pixels[offset : offset + HEIGHT * width * 3]).reshape(
            HEIGHT, width, 3
        )

    def any(self, rng: np.random.Generator) -> Picture:
        return self.picture(int(rng.integers(len(self))))

    def like(self, rng: np.random.Generator, aspect: float) -> Picture:
        """A plate about as wide for its height, give or take a third."""
        wanted = aspect * HEIGHT * float(np.exp(rng.normal(0, 0.2)))
        at = int(np.searchsorted(self._widths, wanted, sorter=self._by_width))
        near = at + int(rng.integers(-200, 200))
        return self.picture(int(self._by_width[np.clip(near, 0, len(self) - 1)]))

    @staticmethod
    def build(folder: Path, count: int, seed: int) -> None:
        """Draw `count` plates of all regions, and more of China: its 31 provinces are to be told
        by their sign, not by the rest of a text seen before. Skipped where as many are there."""
        done = folder / "bank.jsonl"
        if done.is_file() and len(done.read_text().splitlines()) >= count:
            return
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        rows = []
        fresh = folder / "bank.u8.part"  # a run may be reading the one that is there
        with fresh.open("wb") as pixels:
            for drawn in _draw(rng, count):
                h, w = drawn.picture.shape[:2]
                width = max(48, round(w * HEIGHT / h))
                picture = cv2.resize(drawn.picture, (width, HEIGHT), interpolation=cv2.INTER_AREA)
                pixels.write(np.ascontiguousarray(picture).tobytes())
                rows.append(
                    {"text": drawn.text, "region": drawn.region, "rows": drawn.rows, "width": width}
                )
        fresh.rename(folder / "bank.u8")
        part = done.with_suffix(".part")
        part.write_text("\n".join(map(json.dumps, rows)))
        part.rename(done)


def _draw(rng: np.random.Generator, count: int) -> Iterator[Drawn]:
    from training.synthesis.draw import draw_plate  # needs the fonts

    chinese = iter(lambda: draw_plate(rng, "CN"), None)
    yield from (draw_plate(rng) for _ in range(count))
    yield from islice(chinese, count // CHINESE)
    yield from islice((drawn for drawn in chinese if drawn.rows == 2), count // STACKED)
