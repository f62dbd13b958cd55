"""The detector's network: plain 3×3 convolutions, one grid of cells eight pixels apart.

Batch normalisation folds into the convolutions at export, so what runs is convolution and ReLU
only. One level of cells serves plates of all sizes: distances are predicted in powers, and the
neck brings what coarser levels saw.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE: Final = 8
COARSEST: Final = 32
"""Both sides of an input must be multiples of this."""
WIDTHS: Final = (16, 24, 48, 80, 112)
CHANNELS: Final = 13
"""Score, four distances, eight quad coordinates."""
REACH: Final = 6.5
"""Most the exponent of a distance may be: 8 px × e^6.5 spans any picture."""


def block(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class DetectorNet(nn.Module):
    """BGR in 0–255 float [B, 3, H, W] → raw maps [B, 13, H/8, W/8]."""

    def __init__(self) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = WIDTHS
        self.stem = block(3, c1, 2)
        self.quarter = nn.Sequential(block(c1, c2, 2), block(c2, c2))
        self.eighth = nn.Sequential(block(c2, c3, 2), block(c3, c3))
        self.sixteenth = nn.Sequential(block(c3, c4, 2), block(c4, c4))
        self.coarse = nn.Sequential(block(c4, c5, 2), block(c5, c5))
        self.down5 = block(c5, c4, kernel=1)
        self.merge4 = block(c4, c4)
        self.down4 = block(c4, c3, kernel=1)
        self.merge3 = block(c3, c3)
        self.head = block(c3, c3)
        self.out = nn.Conv2d(c3, CHANNELS, 1)
        nn.init.constant_(self.out.bias, 0.0)
        with torch.no_grad():
            self.out.bias[0] = -4.0  # a plate is rare: start by saying so
            self.out.bias[1:5] = 1.0
            self.out.bias[5:].copy_(torch.tensor([-1.0, -1, 1, -1, 1, 1, -1, 1]))
            self.out.weight.mul_(0.1)

    def forward(self, picture: Tensor) -> Tensor:
        x = (picture - 114.0) * (1.0 / 64.0)
        eighth = self.eighth(self.quarter(self.stem(x)))
        sixteenth = self.sixteenth(eighth)
        coarse = self.coarse(sixteenth)
        up = functional.interpolate
        sixteenth = self.merge4(sixteenth + up(self.down5(coarse), scale_factor=2.0))
        eighth = self.merge3(eighth + up(self.down4(sixteenth), scale_factor=2.0))
        maps: Tensor = self.out(self.head(eighth))
        return maps


def decode(maps: Tensor) -> Tensor:
    """Raw maps [B, 13, h, w] → plates [B, h·w, 13]: score, x1, y1, x2, y2, quad; input pixels.

    The quad is given in half sizes of the box around its middle, so that it can be learnt from
    drawn plates and used on real ones whose boxes are known.
    """
    _, _, h, w = maps.shape
    ys = (torch.arange(h, device=maps.device, dtype=maps.dtype) + 0.5) * STRIDE
    xs = (torch.arange(w, device=maps.device, dtype=maps.dtype) + 0.5) * STRIDE
    cx, cy = xs[None, :].expand(h, w), ys[:, None].expand(h, w)
    left, top, right, bottom = (
        torch.exp(maps[:, i].clamp(-4.0, REACH)) * STRIDE for i in range(1, 5)
    )
    x1, y1, x2, y2 = cx - left, cy - top, cx + right, cy + bottom
    mx, my, hx, hy = (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2
    corners = []
    for i in range(4):
        corners += [mx + maps[:, 5 + 2 * i] * hx, my + maps[:, 6 + 2 * i] * hy]
    stacked = torch.stack([torch.sigmoid(maps[:, 0]), x1, y1, x2, y2, *corners], dim=-1)
    return stacked.reshape(maps.shape[0], -1, CHANNELS)


class Exported(nn.Module):
    """What is written to ONNX: uint8 [1, H, W, 3] BGR → plates [H/8·W/8, 13]."""

    def __init__(self, net: DetectorNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        return decode(self.net(picture.permute(0, 3, 1, 2).float()))[0]
