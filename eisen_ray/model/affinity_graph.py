"""Affinities as a graph for message passing, made from keys and queries without a table of all pairs in float32."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from eisen_ray.model.affinity import affinity_logits, row_max_affinity, scaled_query
from eisen_ray.model.messages import DenseMessages, Edges, Messages, PairMessages, TileMessages, TileReach
from eisen_ray.model.pair_layout import FarGroups, Neighborhood, Tiling

# Pairs worked on at a time: what a core's cache holds, or what keeps a GPU busy.
_CPU_CHUNK_PAIRS = 1 << 19
_GPU_CHUNK_PAIRS = 1 << 26

# An edge of a dense graph activates its receiver when its weight is above this (release).
_DENSE_REACH = 0.5


class AffinityGraph:
    """Keys and queries of images with the pairs that have an affinity: all that grouping needs.

    Args:
        query, key: [B, N, D].
        neighborhood: the pairs.
    """

    def __init__(self, query: Tensor, key: Tensor, neighborhood: Neighborhood) -> None:
        self.query = query
        self.key = key
        self.neighborhood = neighborhood

    @property
    def batch(self) -> int:
        """B."""
        return len(self.query)

    def affinity(self) -> Tensor:
        """Equation (1) for all pairs at once, [B, T, R, C]: for studies and layouts that have no faster way."""
        return row_max_affinity(affinity_logits(self.query, self.key, self.neighborhood), self.neighborhood)

    @torch.no_grad()
    def edges(self, threshold: float, dtype: torch.dtype = torch.float32) -> Edges:
        """Excitatory and inhibitory weights, see `split_affinity`.

        Args:
            threshold: t.
            dtype: of the weights and of products with them; affinities themselves are worked out in float32.
        """
        if self.neighborhood.full:
            return self._dense_edges(threshold, dtype)
        if self.neighborhood.tiling is None:
            return pair_edges(self.affinity(), self.neighborhood, threshold)
        return self._tile_edges(self.neighborhood.tiling, threshold, dtype)

    def _dense_edges(self, threshold: float, dtype: torch.dtype) -> Edges:
        # Row = receiver, so that the maximum over an owner's pairs runs down a column.
        logits = self.key @ scaled_query(self.query).transpose(1, 2)
        affinity = logits.sub_(logits.amax(dim=1, keepdim=True)).exp_()
        excite, inhibit = split_affinity(affinity, threshold)
        return dense_edges(excite.to(dtype), inhibit.to(dtype))

    def _tile_edges(self, tiling: Tiling, threshold: float, dtype: torch.dtype) -> Edges:
        groups = self.neighborhood.far
        # Affinities are exp(q.k - max): one more channel carries the maximum through the same product.
        query = scaled_query(self.query)
        highest = self._row_maximum(query, tiling)
        query = torch.cat([query, -highest[..., None]], dim=-1)
        key = torch.cat([self.key, torch.ones_like(highest)[..., None]], dim=-1)
        local = _split_products(tiling.blocks(key), tiling.halos(query), threshold, dtype, self.neighborhood.allowed)
        far: tuple[Tensor | None, Tensor | None] = (None, None)
        if groups is not None:
            far = _split_products(groups.of_columns(key), groups.of_rows(query), threshold, dtype)
        messages: list[Messages] = [TileMessages(tiling, *parts, groups) for parts in zip(local, far, strict=True)]
        return Edges(messages[0], messages[1], TileReach(tiling, groups))

    def _row_maximum(self, query: Tensor, tiling: Tiling) -> Tensor:
        """The largest logit of each node's pairs, [B, N]; pairs out of the image count with their logit of 0."""
        blocks, halos = tiling.blocks(query), tiling.halos(self.key)
        highest = blocks.new_empty(blocks.shape[:3])
        for image, tiles in _chunks((*blocks.shape[:3], halos.shape[2]), query.device):
            logits = blocks[image, tiles] @ halos[image, tiles].transpose(-1, -2)
            if self.neighborhood.allowed is not None:
                logits.masked_fill_(~self.neighborhood.allowed, -torch.inf)
            highest[image, tiles] = logits.amax(dim=-1)
        best = tiling.join(highest[..., None])[..., 0]
        groups = self.neighborhood.far
        return best if groups is None else torch.maximum(best, _far_maximum(query, self.key, groups))


def split_affinity(affinity: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Excitatory weights A where A > t, inhibitory weights 1 - A where 1 - A > t.

    The paper's text, read literally, zeroes the values that these keep; Fig. 4 and the code agree with this reading
    [Decision 4].
    """
    limit = torch.nn.functional.threshold
    return limit(affinity, threshold, 0.0), limit(1 - affinity, threshold, 0.0)


def dense_edges(excite: Tensor, inhibit: Tensor) -> Edges:
    """Edges of weights between all pairs, [B, N, N] with row = receiver."""
    strong = (torch.maximum(excite, inhibit) > _DENSE_REACH).to(excite.dtype)
    return Edges(DenseMessages(excite), DenseMessages(inhibit), DenseMessages(strong))


def pair_edges(affinity: Tensor, neighborhood: Neighborhood, threshold: float) -> Edges:
    """Edges of affinities [B, T, R, C] as they are, for any layout; differentiable in the affinities."""
    excite, inhibit = split_affinity(affinity, threshold)
    if neighborhood.full:
        return dense_edges(excite[:, 0].transpose(1, 2), inhibit[:, 0].transpose(1, 2))
    inside = neighborhood.inside().expand_as(affinity)
    weights = (excite * inside, inhibit * inside, inside.to(affinity.dtype))
    return Edges(*(PairMessages(weight, neighborhood) for weight in weights))


def _far_maximum(query: Tensor, key: Tensor, groups: FarGroups) -> Tensor:
    rows, columns = groups.of_rows(query), groups.of_columns(key)
    highest = rows.new_empty(rows.shape[:3])
    for image, some in _chunks((*rows.shape[:3], columns.shape[2]), query.device):
        highest[image, some] = (rows[image, some] @ columns[image, some].transpose(-1, -2)).amax(dim=-1)
    out = query.new_empty(len(query), groups.num_nodes + 1)
    out[:, groups.rows.flatten()] = highest.flatten(1)
    return out[:, :-1]


def _split_products(
    receivers: Tensor, senders: Tensor, threshold: float, dtype: torch.dtype, allowed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Weights between receivers [B, T, R, D] and senders [B, T, L, D], both kinds, in `dtype`: [B, T, R, L] each.

    Senders outside the image get a weight like any other; their state is 0.
    """
    shape = (*receivers.shape[:3], senders.shape[2])
    excite, inhibit = (receivers.new_empty(shape, dtype=dtype) for _ in range(2))
    for image, tiles in _chunks(shape, receivers.device):
        affinity = (receivers[image, tiles] @ senders[image, tiles].transpose(-1, -2)).exp_()
        parts = split_affinity(affinity, threshold)
        for weights, part in zip((excite, inhibit), parts, strict=True):
            weights[image, tiles] = part if allowed is None else part.mul_(allowed)
    return excite, inhibit


def _chunks(shape: tuple[int, ...], device: torch.device) -> Iterator[tuple[slice | int, slice]]:
    """Images and tiles of a tensor [B, T, R, L] to work on at a time, in order."""
    batch, tiles, rows, columns = shape
    size = (_CPU_CHUNK_PAIRS if device.type == "cpu" else _GPU_CHUNK_PAIRS) // max(1, rows * columns)
    if size >= batch * tiles:
        yield slice(None), slice(None)
        return
    size = max(1, size)
    for image in range(batch):
        for begin in range(0, tiles, size):
            yield image, slice(begin, begin + size)
