"""What motion says of nodes that rest: they do not belong to what moves (Section 3.2, equation (8)) [Decision 131]."""

from __future__ import annotations

import torch
from torch import Tensor

from eisen_ray.model.affinity import scaled_query


def static_loss(
    query: Tensor, key: Tensor, labels: Tensor, generator: torch.Generator, num_rows: int
) -> tuple[Tensor, Tensor]:
    """Keep the rows of unlabelled nodes away from labelled ones.

    Equation (8) supervises every pair of which one end is known, so also those from a node at rest to one that moves.
    A divergence needs a positive, and a row at rest has none: equation (6) leaves such rows out. Here they cost
    -log of the share of their softmax that falls on unlabelled nodes; how it is spread among these is left open.

    Args:
        query, key: float32 [B, N, D].
        labels: int64 [B, N]; 0 = neither moving nor confidently segmented.
        generator: draws the rows.
        num_rows: nodes drawn from each image, with replacement; those that have a label are passed over.

    Returns:
        The sum over the drawn rows, over all nodes as columns, and the number of these rows (int64), both scalars.
    """
    known = labels > 0
    drawn = torch.randint(labels.shape[1], (len(labels), num_rows), generator=generator, device=labels.device)
    image, place = (~known.gather(1, drawn)).nonzero(as_tuple=True)
    with torch.autocast(query.device.type, enabled=False):
        rows = scaled_query(query).gather(1, drawn[..., None].expand(-1, -1, query.shape[-1]))
        logits = (rows @ key.transpose(1, 2))[image, place]
    # The row's own node is unlabelled: something always remains.
    resting = logits.masked_fill(known[image], -torch.inf)
    total = (logits.logsumexp(dim=-1) - resting.logsumexp(dim=-1)).sum()
    return total, torch.tensor(len(image), device=labels.device)
