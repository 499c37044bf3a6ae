"""Panoptic-DeepLab on our own backbone: a mask of all things, their centres, and offsets from pixels to centres."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eisen_ray.baselines.instances import instances_of
from eisen_ray.baselines.peer import Picture, Segmentation, TrainablePeer
from eisen_ray.model.backbone import normalize_images

# The authors' sizes are px of pictures of 512 px; they are kept as shares of the picture [Decision 124].
_AUTHORS_SIDE = 512
_SIGMA = 8 / _AUTHORS_SIDE
_NMS = 41 / _AUTHORS_SIDE
_CENTRE_WEIGHT, _OFFSET_WEIGHT = 200.0, 0.01


class _Head(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, width: int = 64) -> None:
        widths = (inputs, width, width)
        layers = [nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU()) for a, b in pairwise(widths)]
        super().__init__(*layers, nn.Conv2d(width, outputs, 1))


class PanopticDeepLabPeer(TrainablePeer):
    """The authors' loss weights and inference thresholds, tuned for recall (algorithm dossier, section 9).

    Args:
        backbone: our own, `ResNet50DeepLab` or `SmallBackbone`.
        channels: that it gives.
        thing_threshold: a pixel is a thing's above this probability (authors: 0.05).
        centre_threshold: lowest value of a centre (authors: 0.1).
        max_centres: at most so many things (authors: 200).
    """

    learning_rate = 5e-4

    def __init__(
        self,
        backbone: nn.Module,
        channels: int,
        thing_threshold: float = 0.05,
        centre_threshold: float = 0.1,
        max_centres: int = 200,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.thing = _Head(channels, 1)
        self.centre = _Head(channels, 1)
        self.offset = _Head(channels, 2)
        self.thing_threshold, self.centre_threshold = thing_threshold, centre_threshold
        self.max_centres = max_centres

    def forward(self, images: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Images [B, 3, H, W] to logits of things and centres, [B, H, W] each, and offsets [B, 2, H, W].

        Offsets are rows, then columns, to the centre, in units of the picture's longer side / 512.
        """
        size = images.shape[-2:]
        features = self.backbone(normalize_images(images), generator)
        heads = (self.thing, self.centre, self.offset)
        thing, centre, offset = (
            F.interpolate(head(features), size, mode="bilinear", align_corners=False) for head in heads
        )
        return thing[:, 0], centre[:, 0], offset

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Cross-entropy of the thing mask, squared error of centres, absolute error of offsets inside things."""
        thing, centre, offset = self(images, generator)
        height, width = images.shape[-2:]
        targets = [centre_targets(each, height, width) for each in labels]
        mask, heat, arrow = (torch.stack(parts) for parts in zip(*targets, strict=True))
        unit = max(height, width) / _AUTHORS_SIDE
        missed = ((offset - arrow / unit).abs().sum(1) * mask).sum() / mask.sum().clamp(min=1)
        return (
            F.binary_cross_entropy_with_logits(thing, mask)
            + _CENTRE_WEIGHT * F.mse_loss(centre, heat)
            + _OFFSET_WEIGHT * missed
        )

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Pixels of things join the centre that their offset points nearest to."""
        thing, centre, offset = (part[0] for part in self(self.as_batch(picture.image), generator))
        height, width = thing.shape
        unit = max(height, width) / _AUTHORS_SIDE
        probability = thing.sigmoid()
        places, heights = peaks(centre, self.centre_threshold, round(_NMS * max(height, width)), self.max_centres)
        labels = np.zeros((height, width), np.int32)
        if len(places) == 0:
            return Segmentation(labels, {})
        is_thing = probability > self.thing_threshold
        grid = torch.stack(torch.meshgrid(
            torch.arange(height, device=thing.device), torch.arange(width, device=thing.device), indexing="ij",
        ))  # fmt: skip
        pointed = (grid + offset * unit)[:, is_thing].T
        nearest = torch.cdist(pointed, places.float()).argmin(dim=1)
        labels[is_thing.cpu().numpy()] = nearest.cpu().numpy() + 1
        found = np.unique(labels[labels > 0]).tolist()
        inside = {name: float(probability[torch.from_numpy(labels == name).to(thing.device)].mean()) for name in found}
        return Segmentation(labels, {name: inside[name] * float(heights[name - 1]) for name in found})


def centre_targets(labels: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """What the heads should say of a label map, at the size of the picture.

    Returns:
        Thing mask float [H, W]; centre map [H, W], a Gaussian of height 1 at each object's centre of mass; offsets
        [2, H, W], px to the own object's centre, 0 outside.
    """
    masks = instances_of(labels, height, width).masks
    rows = torch.arange(height, device=labels.device, dtype=torch.float32)
    columns = torch.arange(width, device=labels.device, dtype=torch.float32)
    heat = torch.zeros(height, width, device=labels.device)
    arrow = torch.zeros(2, height, width, device=labels.device)
    sigma = max(1.0, _SIGMA * max(height, width))
    for mask in masks:
        area = mask.sum()
        row, column = (mask.sum(1) * rows).sum() / area, (mask.sum(0) * columns).sum() / area
        bump = torch.exp(-((rows - row)[:, None] ** 2 + (columns - column)[None] ** 2) / (2 * sigma**2))
        heat = torch.maximum(heat, bump)
        arrow[0] = torch.where(mask, (row - rows)[:, None], arrow[0])
        arrow[1] = torch.where(mask, (column - columns)[None], arrow[1])
    return masks.any(0).float() if len(masks) else torch.zeros_like(heat), heat, arrow


def peaks(heat: Tensor, threshold: float, window: int, most: int) -> tuple[Tensor, Tensor]:
    """Local maxima of a map [H, W] above a threshold, highest first: places int64 [n, 2] and heights [n]."""
    window = max(3, window) | 1
    highest = F.max_pool2d(heat[None, None], window, stride=1, padding=window // 2)[0, 0]
    places = ((heat == highest) & (heat > threshold)).nonzero()
    heights, order = heat[places[:, 0], places[:, 1]].sort(descending=True, stable=True)
    return places[order][:most], heights[:most]
