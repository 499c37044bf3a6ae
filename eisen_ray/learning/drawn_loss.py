"""Equation (6) on rows drawn at random, by node or by segment (Section 3.2) [Decision 133]."""

from __future__ import annotations

import torch
from torch import Tensor

from eisen_ray.learning.loss import LOG_FLOOR
from eisen_ray.model.affinity import scaled_query


def drawn_loss(
    query: Tensor, key: Tensor, labels: Tensor, generator: torch.Generator, num_rows: int, balance: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The loss of some supervised rows of each image, against all of its nodes as columns.

    Equation (6) is a mean over rows, in which a segment counts by its size: a teacher's pieces of table and wall
    outvote the things. Rows drawn by (size of their segment) ** -balance give small segments their part.

    Args:
        query, key: float32 [B, N, D].
        labels: int64 [B, N]; 0 = neither moving nor confidently segmented.
        generator: draws the rows.
        num_rows: rows of each image that has labels, with replacement.
        balance: 0: every node alike, as in equation (6); 1: every segment alike.

    Returns:
        The sum of the rows' divergences and their number (int64), both scalars.
    """
    labelled = (labels > 0).any(dim=1).nonzero()[:, 0]
    if len(labelled) == 0:
        return (query.sum() + key.sum()) * 0, torch.zeros((), dtype=torch.int64, device=labels.device)
    names = labels[labelled]
    rows = torch.multinomial(_weights(names, balance), num_rows, replacement=True, generator=generator)
    with torch.autocast(query.device.type, enabled=False):
        chosen = scaled_query(query)[labelled].gather(1, rows[..., None].expand(-1, -1, query.shape[-1]))
        log_share = (chosen @ key[labelled].transpose(1, 2)).log_softmax(dim=-1).clamp(min=LOG_FLOOR)
    same = names.gather(1, rows)[..., None] == names[:, None]
    count = same.sum(-1).to(log_share.dtype)
    divergence = -(log_share * same).sum(-1) / count - count.log()
    return divergence.sum(), torch.tensor(rows.numel(), device=labels.device)


def _weights(labels: Tensor, balance: float) -> Tensor:
    """(Size of each node's segment) ** -balance, 0 for nodes without label: float [B, N]."""
    sizes = torch.zeros(len(labels), int(labels.max()) + 1, device=labels.device)
    sizes.scatter_add_(1, labels, torch.ones_like(labels, dtype=sizes.dtype))
    return (labels > 0) * sizes.gather(1, labels) ** -balance
