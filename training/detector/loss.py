"""How wrong the detector's maps are.

Score: quality focal loss (Li et al. 2020): a cell that holds a plate should say how well its box
fits. Box: generalised IoU. Quad: distance of the corners in half box sizes where they are known;
where only a box is, the quad must at least span it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from training.detector.data import FLAG_IGNORE, FLAG_KNOWN_QUAD
from training.detector.network import STRIDE, decode

NEAR: Final = 0.22
"""Cells within this share of a plate's width and height from its middle stand for it …"""
NEAR_PIXELS: Final = 6.0
"""… and in any case those within this many pixels."""


class Losses(NamedTuple):
    score: Tensor
    box: Tensor
    quad: Tensor


def losses(maps: Tensor, plates: Tensor) -> Losses:
    """`maps` [B, 13, h, w] raw; `plates` [B, M, 13] as `Windows` gives them (zeros: none)."""
    batch, _, h, w = maps.shape
    found = decode(maps.float())
    logits = maps[:, 0].float().reshape(batch, -1)
    boxes = plates[..., :4]
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    there = size[..., 0] > 0
    ignored = plates[..., 12] == FLAG_IGNORE
    # Near and inside are boxes themselves, so columns and rows are asked apart: much less to do.
    near, inside = [], []
    for axis, count in ((0, w), (1, h)):
        cells = ((torch.arange(count, device=maps.device) + 0.5) * STRIDE)[None, :, None]
        reach = torch.clamp(size[:, None, :, axis] * NEAR, min=NEAR_PIXELS)
        near.append((cells - middle[:, None, :, axis]).abs() <= reach)
        after = cells > boxes[:, None, :, axis] - STRIDE
        inside.append(after & (cells < boxes[:, None, :, 2 + axis] + STRIDE))
    stands = near[1][:, :, None] & near[0][:, None] & (there & ~ignored)[:, None, None]
    spared = inside[1][:, :, None] & inside[0][:, None] & (there & ignored)[:, None, None]
    # Where two plates claim a cell, the smaller has fewer others.
    area = torch.where(stands, size.prod(-1)[:, None, None], torch.inf).flatten(1, 2)
    least, which = area.min(-1)
    positive = torch.isfinite(least)
    punished = ~(spared.any(-1).flatten(1) & ~positive)

    target = torch.zeros_like(logits)
    owner, cell = positive.nonzero(as_tuple=True)
    chosen, wanted = found[positive], plates[owner, which[owner, cell]]
    overlap, generalised = iou(chosen[:, 1:5], wanted[:, :4])
    target[positive] = overlap.detach().clamp(0.05, 1)
    weight = (torch.sigmoid(logits) - target).abs().square().detach()
    score = functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight
    count = positive.sum().clamp(min=1)
    score_loss = (score * punished).sum() / count
    fit = target[positive]
    box_loss = ((1 - generalised) * (0.3 + fit)).sum() / count

    raw = maps[:, 5:13].float().flatten(2).transpose(1, 2)[positive].reshape(-1, 4, 2)
    half = (wanted[:, 2:4] - wanted[:, :2]).clamp(min=1)[:, None] / 2
    centre = (wanted[:, :2] + wanted[:, 2:4])[:, None] / 2
    corners = (wanted[:, 4:12].reshape(-1, 4, 2) - centre) / half
    known = (wanted[:, 12] == FLAG_KNOWN_QUAD)[:, None, None]
    per_corner = functional.smooth_l1_loss(raw, corners, reduction="none", beta=0.1)
    span = torch.cat([raw.amin(1) + 1, raw.amax(1) - 1], -1)
    spanning = functional.smooth_l1_loss(span, torch.zeros_like(span), reduction="none", beta=0.1)
    quad_loss = (per_corner * known).sum() / (8 * count)
    quad_loss = quad_loss + 0.5 * (spanning * ~known[:, :, 0]).sum() / (4 * count)
    return Losses(score_loss, box_loss, quad_loss)


def iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of boxes [n, 4], pair by pair."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    inter = shared.prod(-1)
    area = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - inter
    around = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    hull = around.prod(-1).clamp(min=1e-6)
    value = inter / area.clamp(min=1e-6)
    return value, value - (hull - area) / hull
