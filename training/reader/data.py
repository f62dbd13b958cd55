"""What the reader learns from: drawn plates photographed, real plates seen anew, and no plates."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset

from inference.results import ALPHABET, Corners, Picture
from training.bank import PlateBank
from training.detector.data import FrameStore
from training.reader.crops import SIGNS, RealCrops
from training.reader.exchange import exchange, inside, unfold
from training.synthesis.photograph import cut, photograph, sensor, shaken

LONGEST: Final = 14
"""Characters of a text at most; longer ones are left out."""
PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
CHARACTERS: Final = ALPHABET if len(ALPHABET) > 36 else ALPHABET + PROVINCES
SHARES: Final = {"real": 0.36, "china": 0.05, "nothing": 0.06}
"""Of the crops shown; the rest are drawn."""
SIGN: Final = 0.7
"""Share, of those that show nothing to be read, of what the detector took for a plate."""
OFTEN: Final = {"CN": 0.6, "BR": 1.5}
"""Of drawn plates; the bank holds many Chinese ones for their variety, not for their number."""
FOUND: Final = 0.6
"""Share of real plates cut at the corners our detector finds, not those of the label."""
EXCHANGED: Final = 0.55
"""Share of real plates, of those where it can be done, whose characters change places."""
NO_REGION: Final = -1

Item = tuple[torch.Tensor, torch.Tensor, int, int]


def encode(text: str) -> list[int] | None:
    """Classes of a text (blank is 0), or None where a character has none or it is too long."""
    if len(text) > LONGEST or any(char not in CHARACTERS for char in text):
        return None
    return [1 + CHARACTERS.index(char) for char in text]


class Crops(IterableDataset[Item]):
    """Endless (uint8 [3, 64, 160], classes [14], length, region or −1)."""

    def __init__(
        self,
        store: FrameStore,
        bank: PlateBank,
        real: RealCrops,
        regions: list[str],
        seed: int,
        ramp: float = 0.0,
    ) -> None:
        """`ramp`: seconds in which crops go from easy to hard; CTC does not start on hard ones."""
        self.ramp = ramp
        self.store, self.bank, self.real, self.seed = store, bank, real, seed
        self.frames = [frame for frame in store.frames if frame.part == "train"]
        number = {region: i for i, region in enumerate(regions)}
        self.drawn = [encode(text) for text in bank.texts]
        self.drawn_regions = [number[region] for region in bank.regions]
        self.real_regions = [number.get(row["region"], NO_REGION) for row in real.rows]
        self.known = [encode(text) for text in real.texts]
        train = [i for i in real.where(part="train") if self.known[i]]
        self.china = [i for i in train if real.rows[i]["source"] == "china"]
        self.streets = [i for i in train if real.rows[i]["source"] != "china"]
        looked_at = [2.0 if real.rows[i]["sure"] == "by eye" else 1.0 for i in self.streets]
        # All but a few real ones are of one province: the others come as often as they can.
        first = Counter(real.texts[i][0] for i in self.china)
        rare = np.cumsum([first[real.texts[i][0]] ** -0.75 for i in self.china])
        self._china_reach = rare / rare[-1] if len(rare) else rare
        self.signs = real.where(part="train", source=SIGNS)
        self._sign_reach = np.cumsum([real.rows[i]["score"] + 0.05 for i in self.signs])
        often = np.cumsum([OFTEN.get(region, 1.0) for region in bank.regions])
        self._drawn_reach = often / often[-1]
        self._reach = np.cumsum(looked_at) / max(sum(looked_at), 1.0)

    def __iter__(self) -> Iterator[Item]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        cv2.setNumThreads(0)
        started = time.monotonic()
        while True:
            hard = min(1.0, (time.monotonic() - started) / self.ramp) if self.ramp else 1.0
            picture, classes, region = self.crop(rng, hard)
            padded = torch.zeros(LONGEST, dtype=torch.long)
            padded[: len(classes)] = torch.tensor(classes, dtype=torch.long)
            pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
            yield pixels, padded, len(classes), region

    def crop(self, rng: np.random.Generator, hard: float = 1.0) -> tuple[Picture, list[int], int]:
        kind = rng.random()
        if kind < SHARES["nothing"]:
            return self._nothing(rng, hard), [], NO_REGION
        kind -= SHARES["nothing"]
        if kind < SHARES["china"] and self.china:
            index = self.china[int(np.searchsorted(self._china_reach, rng.random()))]
            return self._real(rng, index, hard)
        kind -= SHARES["china"]
        if kind < SHARES["real"] and self.streets:
            return self._real(
                rng, self.streets[int(np.searchsorted(self._reach, rng.random()))], hard
            )
        while True:
            index = int(np.searchsorted(self._drawn_reach, rng.random()))
            classes = self.drawn[index]
            if classes is not None:
                break
        scene = self.store.picture(self.frames[int(rng.integers(len(self.frames)))])
        return (
            photograph(rng, self.bank.picture(index), scene, hard),
            classes,
            self.drawn_regions[index],
        )

    def _real(
        self, rng: np.random.Generator, index: int, hard: float
    ) -> tuple[Picture, list[int], int]:
        cells = self.real.cells(index)
        if cells and rng.random() < EXCHANGED:
            plate = unfold(self.real.picture(index), self.real.found(index))
            plate, text = exchange(rng, plate, cells, self.real.texts[index])
            crop = seen_anew(rng, plate, inside(plate), hard)
            return crop, encode(text) or [], self.real_regions[index]
        corners = self.real.found(index) if rng.random() < FOUND else self.real.corners(index)
        crop = seen_anew(rng, self.real.picture(index), corners, hard)
        return crop, self.known[index] or [], self.real_regions[index]

    def _nothing(self, rng: np.random.Generator, hard: float) -> Picture:
        """A sign, or a piece of a frame beside its plates: nothing is to be read there."""
        if len(self.signs) and rng.random() < SIGN:
            at = np.searchsorted(self._sign_reach, rng.random() * self._sign_reach[-1])
            index = int(self.signs[at])
            return seen_anew(rng, self.real.picture(index), self.real.corners(index), hard)
        while True:
            frame = self.frames[int(rng.integers(len(self.frames)))]
            high = float(np.exp(rng.uniform(np.log(8), np.log(90))))
            wide = high * rng.uniform(1.5, 5)
            if wide >= frame.width or high >= frame.height:
                continue
            x, y = rng.uniform(0, frame.width - wide), rng.uniform(0, frame.height - high)
            clear = (
                (frame.boxes[:, 0] > x + wide)
                | (frame.boxes[:, 2] < x)
                | (frame.boxes[:, 1] > y + high)
                | (frame.boxes[:, 3] < y)
            )
            if clear.all():
                corners = np.array(
                    [[x, y], [x + wide, y], [x + wide, y + high], [x, y + high]], np.float32
                )
                return cut(self.store.picture(frame), corners)


def seen_anew(
    rng: np.random.Generator, picture: Picture, corners: Corners, hard: float = 1.0
) -> Picture:
    """A real plate from further away, turned a little, through another camera."""
    height = float(corners[3, 1] - corners[0, 1])
    if rng.random() < 0.75 * hard and height > 14:
        wanted = float(np.exp(rng.uniform(np.log(12), np.log(height))))
        scale = max(wanted / height, 0.12)
        picture = np.asarray(
            cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
        corners = corners * scale
        height = wanted
    if rng.random() < 0.7 * hard:
        picture = sensor(rng, picture, sharpness=max(0.5, height / 34))
    middle = corners.mean(axis=0)
    angle = np.radians(rng.normal(0, 2.5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    shear = np.array([[1, rng.normal(0, 0.06)], [rng.normal(0, 0.02), 1]], np.float32)
    corners = ((corners - middle) @ (turn @ shear).T + middle).astype(np.float32)
    return cut(picture, shaken(rng, corners, 0.03))
