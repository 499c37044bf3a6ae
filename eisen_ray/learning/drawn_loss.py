"""Equation (6) on rows drawn at random, by node or by segment (Section 3.2) [Decision 133]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from eisen_ray.learning.loss import LOG_FLOOR
from eisen_ray.model.affinity import scaled_query
from eisen_ray.model.pair_layout import Neighborhood


def drawn_loss(
    query: Tensor,
    key: Tensor,
    labels: Tensor,
    neighborhood: Neighborhood,
    generator: torch.Generator,
    num_rows: int,
    balance: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The loss of some supervised rows of each image.

    Equation (6) is a mean over rows, in which a segment counts by its size: a teacher's pieces of table and wall
    outvote the things. Rows drawn by (size of their segment) ** -balance give small segments their part.

    Args:
        query, key: float32 [B, N, D].
        labels: int64 [B, N]; 0 = neither moving nor confidently segmented.
        neighborhood: the pairs.
        generator: draws the rows.
        num_rows: rows of each image that has labels, with replacement.
        balance: 0: every node alike, as in equation (6); 1: every segment alike.

    Returns:
        The sum of the rows' divergences and their number (int64), both scalars.
    """
    has_labels = (labels > 0).any(dim=1)
    weights = torch.where(has_labels[:, None], _weights(labels, balance), 1.0)
    rows = torch.multinomial(weights, num_rows, replacement=True, generator=generator)
    names = labels.gather(1, rows)[..., None]
    with torch.autocast(query.device.type, enabled=False):
        chosen = scaled_query(query).gather(1, rows[..., None].expand(-1, -1, query.shape[-1]))
        logits, same = chosen @ key.transpose(1, 2), names == labels[:, None]
        if not neighborhood.full:
            columns = _columns(neighborhood, rows)
            # What lies outside the image has a key of zeros and no label; behind it stand the pairs that are none.
            logits = pad(pad(logits, (0, 1)), (0, 1), value=-torch.inf).gather(2, columns)
            same = pad(same, (0, 2)).gather(2, columns)
        log_share = logits.log_softmax(dim=-1).clamp(min=LOG_FLOOR)
    count = same.sum(-1).clamp(min=1).to(log_share.dtype)
    divergence = -(log_share * same).sum(-1) / count - count.log()
    return (divergence * has_labels[:, None]).sum(), has_labels.sum() * num_rows


def _weights(labels: Tensor, balance: float) -> Tensor:
    """(Size of each node's segment) ** -balance, 0 for nodes without label: float [B, N]."""
    sizes = torch.zeros(len(labels), int(labels.max()) + 1, device=labels.device)
    sizes.scatter_add_(1, labels, torch.ones_like(labels, dtype=sizes.dtype))
    return (labels > 0) * sizes.gather(1, labels) ** -balance


def _columns(neighborhood: Neighborhood, rows: Tensor) -> Tensor:
    """Columns of the drawn rows, int64 [B, n, C]; N = outside the image, N + 1 = no pair."""
    num_nodes, height = neighborhood.num_nodes, neighborhood.rows.shape[-1]
    place = _places(neighborhood.rows, num_nodes).expand(len(rows), -1).gather(1, rows)
    columns = _of_images(neighborhood.columns, place // height)
    if neighborhood.allowed is not None:
        columns = torch.where(neighborhood.allowed[place % height], columns, num_nodes + 1)
    if neighborhood.far is None:
        return columns
    group = _places(neighborhood.far.rows[None], num_nodes)[0] // neighborhood.far.rows.shape[1]
    return torch.cat([columns, _of_images(neighborhood.far.columns, group[rows])], dim=-1)


def _places(rows: Tensor, num_nodes: int) -> Tensor:
    """Where each node stands among the rows [B or 1, T, R] of a layout: int64 [B or 1, N + 1]."""
    flat = rows.flatten(1)
    order = torch.arange(flat.shape[1], device=rows.device).expand_as(flat)
    return rows.new_zeros(len(flat), num_nodes + 1).scatter_(1, flat, order)


def _of_images(columns: Tensor, index: Tensor) -> Tensor:
    """Columns [B or 1, T, L] of the tiles or groups [B, n]: [B, n, L]."""
    if len(columns) == 1:
        return columns[0][index]
    return columns.gather(1, index[..., None].expand(-1, -1, columns.shape[-1]))
