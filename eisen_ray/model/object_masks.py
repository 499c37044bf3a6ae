"""What both strategies of Competition share: draws, object masks, their overlap, the final readout."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

# Mask values above this count as covered when masks are compared (release; the paper does not say).
COVERED = 0.5
# Sharpness of the softmax over masks (release).
_GAIN = 10.0


class Draws(Protocol):
    """Where Competition takes its randomness from, so that tests can replay recorded draws."""

    def pixels(self, weights: Tensor, count: int) -> Tensor:
        """int64 [B, count] nodes, drawn with replacement, probability proportional to weights [B, N]."""

    def noise(self, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers in [0, 1)."""


class RandomDraws:
    """Draws from a generator; equal generators give equal segments."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def pixels(self, weights: Tensor, count: int) -> Tensor:
        """int64 [B, count] nodes with probability proportional to weights [B, N]."""
        return torch.multinomial(weights + 1e-8, count, replacement=True, generator=self.generator)

    def noise(self, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers in [0, 1) of the given shape."""
        return torch.rand(shape, generator=self.generator, device=self.generator.device)


class CompetitionResult(NamedTuple):
    """What Competition found.

    Attributes:
        masks: [B, K, N], softmax over the retained masks; 0 for deactivated ones.
        retained: bool [B, K].
        object_vectors: [B, K, Q].
        pointers: int64 [B, K, 2], row and column.
        uncovered: [B, N], 1 minus the largest retained mask.
        labels: int64 [B, H, W], the winning slot of each node; -1 where no retained mask reaches.
    """

    masks: Tensor
    retained: Tensor
    object_vectors: Tensor
    pointers: Tensor
    uncovered: Tensor
    labels: Tensor


def take_nodes(nodes: Tensor, index: Tensor) -> Tensor:
    """Vectors [B, K, Q] of the nodes [B, N, Q] at int64 index [B, K]."""
    return nodes.gather(1, index[..., None].expand(-1, -1, nodes.shape[-1]))


def object_masks(nodes: Tensor, vectors: Tensor) -> Tensor:
    """[Eq. (5)]: cosine of every node [B, N, Q] with every object vector [B, K, Q], rectified: [B, K, N]."""
    return (vectors @ nodes.transpose(1, 2)).relu()


def pairwise_jaccard(masks: Tensor) -> Tensor:
    """Jaccard index of all pairs of masks [B, K, N], binarised at 0.5: [B, K, K]; 0 for two empty masks."""
    binary = (masks > COVERED).to(masks.dtype)
    shared = binary @ binary.transpose(1, 2)
    area = binary.sum(-1)
    union = area[:, :, None] + area[:, None, :] - shared
    return shared / union.clamp(min=1)


def read_segments(masks: Tensor, retained: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax of the retained masks [B, K, N] over the slots, deactivated ones 0, and its argmax [B, N]."""
    alive = retained[..., None].to(masks.dtype)
    soft = (_GAIN * masks * alive - _GAIN * (1 - alive)).softmax(dim=1) * alive
    return soft, soft.argmax(dim=1)
