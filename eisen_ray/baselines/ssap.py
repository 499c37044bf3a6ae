"""SSAP, compact: 5x5 affinities at several strides, read from coarse to fine by greedy partition [Decision 125]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from eisen_ray.baselines.greedy_partition import greedy_partition
from eisen_ray.baselines.peer import Picture, Segmentation, TrainablePeer
from eisen_ray.model.backbone import normalize_images
from eisen_ray.model.regions import to_grid

# The authors' baseline (algorithm dossier, section 9): weights of the levels from fine to coarse, focal exponent,
# weight of pairs that start on an object, share of the alike pairs that a step leaves out.
_LEVEL_WEIGHTS = (1.0, 0.3, 0.1, 0.03, 0.01)
_FOCAL, _OBJECT_WEIGHT, _DROPPED = 3.0, 1.5, 0.5
_RADIUS = 2
# Half of the 5x5 window: the other half are the same pairs, seen from the other end.
OFFSETS = tuple(
    (row, column) for row in range(_RADIUS + 1) for column in range(-_RADIUS, _RADIUS + 1) if (row, column) > (0, 0)
)
"""(rows, columns) from a node to its partner."""
_SURE = 1e-3


class Level(NamedTuple):
    """What the network says at one resolution, logits.

    Attributes:
        affinity: [B, len(OFFSETS), h, w], that a node and its partner are of one object.
        thing: [B, h, w], that a node is of any object.
    """

    affinity: Tensor
    thing: Tensor


class SsapPeer(TrainablePeer):
    """Affinities at strides 1, 2, 4, ... of the grid H/4 x W/4.

    Args:
        backbone: our own, `ResNet50DeepLab` or `SmallBackbone`.
        channels: that it gives.
        num_levels: of the pyramid, at most 5 (authors: 5 at 256 px).
        thing_threshold: a node is an object's above this probability (authors lowered theirs to 0.1 for recall).
        min_nodes: smaller segments are dropped (authors: 5).
    """

    learning_rate = 3e-4

    def __init__(
        self, backbone: nn.Module, channels: int, num_levels: int = 4, thing_threshold: float = 0.1, min_nodes: int = 5
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, len(OFFSETS) + 1, 1))
            for _ in range(num_levels)
        )
        self.thing_threshold, self.min_nodes = thing_threshold, min_nodes

    def forward(self, images: Tensor, generator: torch.Generator | None) -> list[Level]:
        """Images [B, 3, H, W] to the levels, the finest first."""
        features = self.backbone(normalize_images(images), generator)
        levels = []
        for head in self.heads:
            said = head(features)
            levels.append(Level(said[:, 1:], said[:, 0]))
            features = F.avg_pool2d(features, 2, ceil_mode=True)
        return levels

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Focal loss of things and squared error of affinities, summed over the levels."""
        total = images.new_zeros((), dtype=torch.float32)
        for weight, level in zip(_LEVEL_WEIGHTS, self(images, generator), strict=False):
            nodes = to_grid(labels, *level.thing.shape[-2:])
            total = total + weight * (_focal(level.thing, nodes > 0) + _affinity_loss(level, nodes, generator))
        return total

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """From the coarsest level on: the inner nodes of a segment stay together, its rim is decided anew."""
        levels = self(self.as_batch(picture.image), generator)
        labels = np.zeros((1, 1), np.int64)
        thing = np.zeros((1, 1))
        for level in reversed(levels):
            thing = level.thing[0].sigmoid().cpu().numpy()
            labels = partition_level(
                level.affinity[0].sigmoid().double().cpu().numpy(), thing > self.thing_threshold, labels
            )
        return self._named(labels, thing)

    def _named(self, labels: NDArray[np.int64], thing: NDArray[np.float64]) -> Segmentation:
        renamed = np.zeros(labels.shape, np.int32)
        confidences: dict[int, float] = {}
        for name in np.unique(labels[labels > 0]).tolist():
            inside = labels == name
            if inside.sum() >= self.min_nodes:
                confidences[len(confidences) + 1] = float(thing[inside].mean())
                renamed[inside] = len(confidences)
        return Segmentation(renamed, confidences)


def partition_level(
    affinity: NDArray[np.float64], is_thing: NDArray[np.bool_], coarse: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Segments of one level.

    Args:
        affinity: [len(OFFSETS), h, w], 0 to 1.
        is_thing: [h, w].
        coarse: segments of the level above, of any smaller size, 0 = none.

    Returns:
        int64 [h, w], 1, 2, ..., 0 where nothing is.
    """
    height, width = is_thing.shape
    rows, columns = (np.arange(side) * small // side for side, small in zip((height, width), coarse.shape, strict=True))
    start = np.where(_inner(coarse[rows[:, None], columns[None, :]]) & is_thing, coarse[rows[:, None], columns], 0)
    # Nodes of the graph: one for each inner part of a coarse segment, one for each other node of a thing.
    alone = is_thing & (start == 0)
    start[alone] = start.max() + 1 + np.arange(alone.sum())
    names, place = np.unique(start[is_thing], return_inverse=True)
    node = np.full((height, width), -1, np.int64)
    node[is_thing] = place
    ends, weights = _edges(affinity, node)
    labels = np.zeros((height, width), np.int64)
    labels[is_thing] = greedy_partition(len(names), ends, weights)[place] + 1
    return labels


def _edges(affinity: NDArray[np.float64], node: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of graph nodes [m, 2] with the log-odds that they are of one object."""
    sure = np.clip(affinity, _SURE, 1 - _SURE)
    odds = np.log(sure / (1 - sure))
    ends, weights = [], []
    for offset, plane in zip(OFFSETS, odds, strict=True):
        here, there = _overlap(node.shape, offset)
        both = (node[here] >= 0) & (node[there] >= 0)
        ends.append(np.stack([node[here][both], node[there][both]], axis=1))
        weights.append(plane[here][both])
    return np.concatenate(ends), np.concatenate(weights)


def _inner(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Nodes of a segment all of whose 8 neighbours are of it; the border of the picture does not count."""
    inner = labels > 0
    for offset in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here, there = _overlap(labels.shape, offset)
        alike = labels[here] == labels[there]
        inner[here] &= alike
        inner[there] &= alike
    return inner


def _overlap(shape: tuple[int, ...], offset: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where both a node and its partner lie inside: slices of the nodes, and of their partners."""
    here, there = [], []
    for size, step in zip(shape, offset, strict=True):
        here.append(slice(max(0, -step), size - max(0, step)))
        there.append(slice(max(0, step), size - max(0, -step)))
    return (here[0], here[1]), (there[0], there[1])


def _focal(logits: Tensor, is_thing: Tensor) -> Tensor:
    missed = F.binary_cross_entropy_with_logits(logits, is_thing.float(), reduction="none")
    return (missed * (1 - torch.exp(-missed)) ** _FOCAL).mean()


def _affinity_loss(level: Level, nodes: Tensor, generator: torch.Generator) -> Tensor:
    wrong, count = nodes.new_zeros((), dtype=torch.float32), nodes.new_zeros((), dtype=torch.float32)
    for place, offset in enumerate(OFFSETS):
        here, there = _overlap(tuple(nodes.shape[-2:]), offset)
        first, second = nodes[(slice(None), *here)], nodes[(slice(None), *there)]
        if not first.numel():
            continue
        alike = first == second
        said = level.affinity[:, place][(slice(None), *here)].sigmoid()
        kept = torch.rand(alike.shape, generator=generator, device=alike.device) >= _DROPPED
        weight = torch.where((first > 0) | (second > 0), _OBJECT_WEIGHT, 1.0) * (kept | ~alike)
        wrong = wrong + (weight * (said - alike.float()) ** 2).sum()
        count = count + weight.sum()
    return wrong / count.clamp(min=1)
