"""Affinities as a graph for message passing, made from keys and queries without a table of all pairs in float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from eisen_ray.model.affinity import affinity_logits, row_max_affinity, scaled_query
from eisen_ray.model.messages import DenseMessages, Edges, Messages, PairMessages, TileMessages, TileReach, pieces
from eisen_ray.model.pair_layout import Neighborhood, Tiling

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

    def images(self) -> list[AffinityGraph]:
        """The graphs of single images."""
        return [
            AffinityGraph(self.query[[image]], self.key[[image]], self.neighborhood.of_image(image))
            for image in range(self.batch)
        ]

    def affinity(self, mutual: bool = False) -> Tensor:
        """Equation (1) for all pairs at once, [B, T, R, C]: for studies and layouts that have no faster way.

        Args:
            mutual: the smaller of A_ij and A_ji, see `edges`.
        """
        logits = affinity_logits(self.query, self.key, self.neighborhood)
        affinity = row_max_affinity(logits, self.neighborhood)
        if not mutual:
            return affinity
        exists = self.neighborhood.exists()
        highest = logits if exists is None else logits.masked_fill(~exists, -torch.inf)
        backward = affinity_logits(self.key, self.query, self.neighborhood)
        backward -= self.neighborhood.column_values(self._of_nodes(highest.amax(dim=-1)))
        return torch.minimum(affinity, backward.exp())

    @torch.no_grad()
    def edges(self, threshold: float, dtype: torch.dtype = torch.float32, mutual: bool = False) -> Edges:
        """Excitatory and inhibitory weights, see `split_affinity`.

        Args:
            threshold: t.
            dtype: of the weights and of products with them; affinities themselves are worked out in float32.
            mutual: a pair is as strong as the weaker of its two directions, min(A_ij, A_ji): what one end alone
                believes does not join the two. A far pair's other direction counts whether or not it was drawn
                [Decision 130].
        """
        if self.neighborhood.full:
            return self._dense_edges(threshold, dtype, mutual)
        if self.neighborhood.tiling is None:
            return pair_edges(self.affinity(mutual), self.neighborhood, threshold)
        return self._tile_edges(self.neighborhood.tiling, threshold, dtype, mutual)

    def _of_nodes(self, of_rows: Tensor) -> Tensor:
        """Values [B, T, R] of rows, of which every node has one, by node: [B, N]."""
        batch, num_nodes = len(of_rows), self.neighborhood.num_nodes
        place = self.neighborhood.rows.flatten(1).expand(batch, -1)
        return of_rows.new_zeros(batch, num_nodes + 1).scatter(1, place, of_rows.flatten(1))[:, :-1]

    def _dense_edges(self, threshold: float, dtype: torch.dtype, mutual: bool) -> Edges:
        # Row = receiver, so that the maximum over an owner's pairs runs down a column.
        logits = self.key @ scaled_query(self.query).transpose(1, 2)
        logits -= logits.amax(dim=1, keepdim=True)
        if mutual:
            logits = torch.minimum(logits, logits.transpose(1, 2))
        excite, inhibit = split_affinity(logits.exp_(), threshold)
        return dense_edges(excite.to(dtype), inhibit.to(dtype))

    def _tile_edges(self, tiling: Tiling, threshold: float, dtype: torch.dtype, mutual: bool) -> Edges:
        groups = self.neighborhood.far
        # Affinities are exp(q.k - max): one more channel carries the maximum through the same product.
        query = scaled_query(self.query)
        highest = self._row_maximum(query, tiling)
        query = torch.cat([query, -highest[..., None]], dim=-1)
        key = torch.cat([self.key, torch.ones_like(highest)[..., None]], dim=-1)
        split = _Split(threshold, dtype)
        ways = [(key, query), (query, key)] if mutual else [(key, query)]
        local = split(
            [(tiling.blocks(ends).unflatten(1, tiling.counts), tiling.halos(others)) for ends, others in ways],
            self.neighborhood.allowed,
        )
        far: list[Tensor | None] = [None, None]
        if groups is not None:
            pairs = [
                (groups.of_columns(ends)[:, :, None], groups.of_rows(others)[:, :, None, None]) for ends, others in ways
            ]
            far = list(split(pairs))
        messages: list[Messages] = [TileMessages(tiling, *parts, groups) for parts in zip(local, far, strict=True)]
        return Edges(messages[0], messages[1], TileReach(tiling, groups))

    def _row_maximum(self, query: Tensor, tiling: Tiling) -> Tensor:
        """The largest logit of each node's pairs, [B, N]; pairs out of the image count with their logit of 0."""
        blocks = tiling.blocks(query).unflatten(1, tiling.counts)
        highest = _largest_products(blocks, tiling.halos(self.key), self.neighborhood.allowed)
        best = tiling.join(highest.flatten(1, 2)[..., None])[..., 0]
        groups = self.neighborhood.far
        if groups is None:
            return best
        rows, columns = groups.of_rows(query), groups.of_columns(self.key)
        highest = _largest_products(rows[:, :, None], columns[:, :, None, None], None)
        distant = query.new_empty(len(query), groups.num_nodes + 1)
        distant[:, groups.rows.flatten()] = highest.flatten(1)
        return torch.maximum(best, distant[:, :-1])


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


@dataclass(frozen=True)
class _Split:
    """Makes both kinds of weights from keys and queries, piece by piece."""

    threshold: float
    dtype: torch.dtype

    def __call__(self, ways: list[tuple[Tensor, Tensor]], allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weights between receivers [B, Y, X, R, D] and senders [B, Y, X, h, w, D]: [B, Y * X, R, h * w] twice.

        Of several ways to see a pair, several (receivers, senders), the weakest counts. Senders outside the image get
        a weight like any other; their state is 0.
        """
        receivers, senders = ways[0]
        shape = (*receivers.shape[:4], senders.shape[3] * senders.shape[4])
        weights = [receivers.new_empty(shape, dtype=self.dtype) for _ in range(2)]
        for seen in zip(*(_products(*way) for way in ways), strict=True):
            place, logits = seen[0]
            for _, others in seen[1:]:
                logits = torch.minimum(logits, others)
            for whole, part in zip(weights, split_affinity(logits.exp_(), self.threshold), strict=True):
                # Filled, not multiplied: a pair outside the window may be infinitely strong beside the row's maximum.
                whole[place] = part if allowed is None else part.masked_fill_(~allowed, 0.0)
        return weights[0].flatten(1, 2), weights[1].flatten(1, 2)


def _largest_products(rows: Tensor, columns: Tensor, allowed: Tensor | None) -> Tensor:
    """Of rows [B, Y, X, R, D] the largest product with columns [B, Y, X, h, w, D]: [B, Y, X, R]."""
    highest = rows.new_empty(rows.shape[:4])
    for place, logits in _products(rows, columns):
        if allowed is not None:
            logits.masked_fill_(~allowed, -torch.inf)
        highest[place] = logits.amax(dim=-1)
    return highest


def _products(rows: Tensor, columns: Tensor) -> Iterator[tuple[tuple[int | slice, slice], Tensor]]:
    """Products of rows and columns, [..., X, R, h * w], a few Y at a time, with their place in [B, Y]."""
    size = rows[0, 0, ..., 0].numel() * columns.shape[3] * columns.shape[4]
    for place in pieces(rows.shape[:2], size, rows.device):
        yield place, rows[place] @ columns[place].flatten(-3, -2).transpose(-1, -2)
