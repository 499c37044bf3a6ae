"""Equation (6) from keys and queries: the value and gradient of `affinity_loss` without a table of pairs.

A supervised row with n positive columns costs  log sum_k exp(l_k) - mean of the positive l_j - log n, so that a row
needs three numbers, which parts of its columns can give one after another. Logits are worked out block by block, twice:
once for these numbers, once for the gradient, which is a product of the blocks again. Memory grows with nodes, not
with pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from eisen_ray.learning.loss import LOG_FLOOR
from eisen_ray.model.affinity import scaled_query
from eisen_ray.model.pair_layout import Neighborhood

# Pairs worked on at a time: what a core's cache holds, or what keeps a GPU busy.
_CPU_CHUNK_PAIRS = 1 << 19
_GPU_CHUNK_PAIRS = 1 << 26


def pair_loss(
    query: Tensor, key: Tensor, labels: Tensor, neighborhood: Neighborhood, every_row: bool = False
) -> tuple[Tensor, Tensor]:
    """The loss of equation (6); see `affinity_loss` for what is supervised.

    Args:
        query, key: float32 [B, N, D].
        labels: int64 [B, N]; 0 = neither moving nor confidently segmented.
        neighborhood: the pairs.
        every_row: supervise rows with label 0 too, as one more segment.

    Returns:
        The sum of the rows' divergences, differentiable once in queries and keys, and the number of supervised rows
        (int64), both scalars.
    """
    with torch.autocast(query.device.type, enabled=False):
        total: Tensor = _PairLoss.apply(scaled_query(query), key, labels, neighborhood, every_row)
    return total, (torch.ones_like(labels) if every_row else labels > 0).sum()


class _PairLoss(torch.autograd.Function):
    """The gradient is made together with the value: it is linear in what comes from above, a scalar."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, labels: Tensor, neighborhood: Neighborhood, every_row: bool
    ) -> Tensor:
        # 0 stays free for what lies outside the image; the last node of all stands for it, with a key of zeros.
        names = _with_outside((labels + 1)[..., None])[:, 0]
        nodes = _Nodes(_with_outside(query), _with_outside(key), names)
        blocks = _supervised_blocks(neighborhood, labels >= 0 if every_row else labels > 0)
        rows = _row_sums(nodes, blocks)
        total, *gradients = _divergence(nodes, blocks, rows)
        ctx.save_for_backward(*(gradient[:-1].view_as(query) for gradient in gradients))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key = ctx.saved_tensors
        return upstream * query, upstream * key, None, None, None


class _Nodes(NamedTuple):
    """Scaled queries [M, D], keys [M, D] and names [M] of the M = B * N nodes of a batch and of the outside."""

    query: Tensor
    key: Tensor
    name: Tensor


class _Rows(NamedTuple):
    """Of every node's row: log of the sum of exp(logit), number of positives, and of those above the floor; [M]."""

    log_sum: Tensor
    positives: Tensor
    above_floor: Tensor


@dataclass(frozen=True)
class _Blocks:
    """Blocks of rows times columns, by node of the batch, int64 [n, R] and [n, L]; M - 1 = outside or no row.

    Attributes:
        sizes: how many of a block's first rows are looked at, falling.
        allowed: bool [R, L], which pairs of a block exist; None = all.
    """

    rows: Tensor
    columns: Tensor
    sizes: list[int]
    allowed: Tensor | None

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows and columns of some blocks at a time."""
        pairs = _CPU_CHUNK_PAIRS if self.rows.device.type == "cpu" else _GPU_CHUNK_PAIRS
        begin = 0
        while begin < len(self.sizes):
            most = self.sizes[begin]
            some = slice(begin, begin + max(1, pairs // (most * self.columns.shape[1])))
            yield self.rows[some, :most], self.columns[some]
            begin = some.stop


def _row_sums(nodes: _Nodes, blocks: list[_Blocks]) -> _Rows:
    log_sum = torch.full_like(nodes.query[:, 0], -torch.inf)
    lowest = torch.full_like(log_sum, torch.inf)
    positives = torch.zeros_like(log_sum)
    for block in blocks:
        for rows, columns in block.chunks():
            logits, same = _logits(nodes, rows, columns, block.allowed)
            log_sum[rows] = torch.logaddexp(log_sum[rows], logits.logsumexp(dim=-1))
            positives[rows] += same.sum(-1)
            lowest[rows] = torch.minimum(lowest[rows], logits.masked_fill_(~same, torch.inf).amin(dim=-1))
    above = positives
    if bool((lowest - log_sum < LOG_FLOOR).any()):
        above = torch.zeros_like(positives)
        for block in blocks:
            for rows, columns in block.chunks():
                logits, same = _logits(nodes, rows, columns, block.allowed)
                above[rows] += (same & (logits - log_sum[rows][..., None] >= LOG_FLOOR)).sum(-1)
    return _Rows(log_sum, positives, above)


def _divergence(nodes: _Nodes, blocks: list[_Blocks], of_rows: _Rows) -> tuple[Tensor, Tensor, Tensor]:
    """The sum over rows and its gradients to scaled queries and keys, [M, D]."""
    supervised = _supervised(blocks, len(nodes.name))
    count = of_rows.positives.clamp(min=1)
    total = -(count.log() * supervised).sum()
    for_query, for_key = torch.zeros_like(nodes.query), torch.zeros_like(nodes.key)
    # What every pair of a row is multiplied with; rows without positives, and the row of no node, give nothing.
    each = torch.where(supervised & (of_rows.positives > 0), 1 / count, 0)
    for block in blocks:
        for rows, columns in block.chunks():
            log_share, same = _logits(nodes, rows, columns, block.allowed)
            log_share -= of_rows.log_sum[rows][..., None]
            pull = same & (log_share >= LOG_FLOOR)
            total -= ((log_share.clamp(min=LOG_FLOOR) * same).sum(-1) * each[rows]).sum()
            slope = log_share.exp_() * (each * of_rows.above_floor)[rows][..., None]
            slope -= pull * each[rows][..., None]
            for_query[rows] += slope @ nodes.key[columns]
            for_key.index_add_(0, columns.flatten(), (slope.transpose(1, 2) @ nodes.query[rows]).flatten(0, 1))
    return total, for_query, for_key


def _logits(nodes: _Nodes, rows: Tensor, columns: Tensor, allowed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Logits of some blocks [n, R, L], minus infinity for pairs that do not exist, and which pairs are positive."""
    logits = nodes.query[rows] @ nodes.key[columns].transpose(1, 2)
    same = nodes.name[rows][..., None] == nodes.name[columns][:, None]
    if allowed is not None:
        logits.masked_fill_(~allowed, -torch.inf)
        same &= allowed
    return logits, same


def _supervised(blocks: list[_Blocks], num_nodes: int) -> Tensor:
    """Which nodes have a row in the blocks, bool [M]."""
    found = torch.zeros(num_nodes, dtype=torch.bool, device=blocks[0].rows.device)
    for block in blocks:
        found[block.rows.flatten()] = True
    found[-1] = False
    return found


def _supervised_blocks(neighborhood: Neighborhood, wanted: Tensor) -> list[_Blocks]:
    """The pairs of the wanted rows, bool [B, N]: local blocks, and far ones if there are any."""
    found = [_kept_blocks(neighborhood.rows, neighborhood.columns, wanted, neighborhood.allowed)]
    if neighborhood.far is not None:
        found.append(_kept_blocks(neighborhood.far.rows[None], neighborhood.far.columns, wanted))
    return found


def _kept_blocks(rows: Tensor, columns: Tensor, wanted: Tensor, allowed: Tensor | None = None) -> _Blocks:
    """Blocks that have a wanted row, from the nodes of an image, int64 [1 or B, T, R] and [1 or B, T, L]."""
    batch, num_nodes = wanted.shape
    outside = batch * num_nodes
    image = torch.arange(batch, device=wanted.device)[:, None, None] * num_nodes
    rows, columns = (torch.where(nodes < num_nodes, nodes + image, outside).flatten(0, 1) for nodes in (rows, columns))
    rows = torch.where(_with_outside(wanted[..., None])[:, 0][rows], rows, outside)
    count = (rows < outside).sum(-1)
    if allowed is not None:
        # Which pairs exist depends on the place of a row in its tile: a tile is looked at whole or not at all.
        count = torch.where(count > 0, rows.shape[1], 0)
    else:
        rows = rows.sort(dim=-1).values
    count, order = count.sort(descending=True)
    sizes = [size for size in count.tolist() if size]
    order = order[: len(sizes)]
    return _Blocks(rows[order], columns[order], sizes, allowed)


def _with_outside(values: Tensor) -> Tensor:
    """Values [B, N, F] of all nodes of the batch, and zeros for the outside: [B * N + 1, F]."""
    return torch.nn.functional.pad(values.flatten(0, 1), (0, 0, 0, 1))
