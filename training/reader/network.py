"""The reader's network: convolutions down to two rows of forty places, then attention over them.

CTC runs over the upper row from left to right and then over the lower one, so plates of one and of
two lines, and of stacked prefixes, are one kind of text. Attention lets a place know where in the
plate it stands: a round stroke among digits is a zero.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

from training.detector.network import block

ROWS: Final = 2
COLUMNS: Final = 40
CLASSES: Final = 68
"""Blank, A–Z, 0–9, 31 Chinese provinces."""
WIDTHS: Final = (24, 48, 80, 112, 144)
HEADS: Final = 4
LAYERS: Final = 2
DROPPED: Final = 0.1
"""Share of what each layer adds that is left out in training."""


class Attention(nn.Module):
    """One pre-norm layer: attention among the 80 places, then two linear maps for each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        self.drop = nn.Dropout(DROPPED)

    def forward(self, x: Tensor) -> Tensor:
        batch, places, width = x.shape
        each = width // HEADS
        qkv = self.qkv(self.norm1(x)).reshape(batch, places, 3, HEADS, each)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(q @ k.transpose(-1, -2) * (1 / math.sqrt(each)), dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, places, width)
        x = x + self.drop(self.out(mixed))
        return x + self.drop(self.narrow(torch.relu(self.wide(self.norm2(x)))))


class ReaderNet(nn.Module):
    """BGR in 0–255 float [B, 3, 64, 160] → (logits [B, 80, 68], region logits [B, R])."""

    def __init__(self, regions: int) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = WIDTHS
        self.body = nn.Sequential(
            block(3, c1, 2),
            _down(c1, c2, (2, 2)),
            block(c2, c2),
            _down(c2, c3, (2, 1)),
            block(c3, c3),
            _down(c3, c4, (2, 1)),
            block(c4, c4),
            _down(c4, c5, (2, 1)),
            block(c5, c5),
        )
        self.places = nn.Parameter(torch.randn(1, ROWS * COLUMNS, c5) * 0.02)
        self.layers = nn.Sequential(*(Attention(c5) for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(c5)
        self.classes = nn.Linear(c5, CLASSES)
        self.region = nn.Linear(c5, regions)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.body((crops - 114.0) * (1.0 / 64.0))
        x = maps.flatten(2).transpose(1, 2) + self.places
        x = self.norm(self.layers(x))
        return self.classes(x), self.region(x.mean(dim=1))


def _down(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Exported(nn.Module):
    """Written to ONNX: uint8 [B, 64, 160, 3] BGR → emissions [B, 80, 68], regions [B, R]."""

    def __init__(self, net: ReaderNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        logits, regions = self.net(crops.permute(0, 3, 1, 2).float())
        return torch.softmax(logits, dim=-1), torch.softmax(regions, dim=-1)
