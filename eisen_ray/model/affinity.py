"""Affinity prediction: keys, queries and row-normalised affinities (Section 3.1, equation (1))."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from eisen_ray.model.pair_layout import Neighborhood


class AffinityHead(nn.Module):
    """Keys and queries of every node: a 1x1 convolution to D channels, then one linear map each.

    Args:
        in_channels: channels of the backbone's features.
        width: D, channels of keys and queries (release: 32).
    """

    def __init__(self, in_channels: int, width: int = 32) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, width, 1)
        self.key = nn.Linear(width, width)
        self.query = nn.Linear(width, width)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, C, H, W] to queries and keys, each [B, N, D]."""
        nodes = self.reduce(features).flatten(2).transpose(1, 2)
        return self.query(nodes), self.key(nodes)


def scaled_query(query: Tensor) -> Tensor:
    """Queries [B, N, D] whose products with keys are logits: divided by sqrt(D)."""
    return query / math.sqrt(query.shape[-1])


def affinity_logits(query: Tensor, key: Tensor, neighborhood: Neighborhood) -> Tensor:
    """Scaled dot products of row queries and column keys.

    Args:
        query: [B, N, D].
        key: [B, N, D].
        neighborhood: the pairs.

    Returns:
        [B, T, R, C]: q_i . k_j / sqrt(D); exactly 0 where the column lies outside the image, which therefore
        takes part in softmax and maximum as an ordinary, dissimilar node (release).
    """
    # Autocast would round the logits to 8 bits, and affinities are differences of logits.
    with torch.autocast(query.device.type, enabled=False):
        return neighborhood.dot(scaled_query(query), key)


def row_max_affinity(logits: Tensor, neighborhood: Neighborhood) -> Tensor:
    """[Eq. (1)]: softmax of each row, divided by the row's maximum.

    The softmax denominator cancels, so A_ij = exp(l_ij - max_j l_ij): thresholds on A are logit gaps.

    Args:
        logits: [B, T, R, C].
        neighborhood: the pairs.

    Returns:
        Affinities [B, T, R, C] in [0, 1]; 1 at each row's best pair, 0 for pairs that do not exist.
    """
    exists = neighborhood.exists()
    if exists is not None:
        logits = logits.masked_fill(~exists, -torch.inf)
    return (logits - logits.amax(dim=-1, keepdim=True)).exp()
