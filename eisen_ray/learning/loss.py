"""The loss of Section 3.2: row-wise KL divergence between affinities and target connectivity, equation (6).

Here it is taken of a table of logits, as it is written. Training uses `pair_loss`, which needs no table.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from eisen_ray.model.pair_layout import Neighborhood

# Probabilities are floored here inside the logarithm (release): hopeless positives get no gradient.
LOG_FLOOR = math.log(1e-8)


def affinity_loss(
    logits: Tensor, labels: Tensor, neighborhood: Neighborhood, every_row: bool = False
) -> tuple[Tensor, Tensor]:
    """[Eq. (6)] for targets given as one label map, to which equations (7) to (11) reduce.

    A row whose node has label l > 0 is supervised: its target is uniform over the columns with label l; columns with
    another label, without one, or outside the image are negatives.

    Args:
        logits: [B, T, R, C].
        labels: int64 [B, N]; 0 = neither moving nor confidently segmented.
        neighborhood: the pairs.
        every_row: supervise rows with label 0 too, as one more segment (full supervision, background included).

    Returns:
        The sum of the rows' divergences, and the number of supervised rows (int64), both scalars. The loss of a batch
        is their quotient, with rows counted over all workers.
    """
    values = labels + 1  # 0 stays free for what lies outside the image
    row_label = neighborhood.gather_rows(values[..., None])[..., 0]  # [B, T, R]
    rows = (row_label > (0 if every_row else 1)).nonzero(as_tuple=True)
    supervised = logits[rows]  # [n, C]
    positive = row_label[rows][:, None] == neighborhood.column_values(values)[rows]
    exists = neighborhood.exists()
    if exists is not None:
        existing = exists.expand(logits.shape)[rows]
        supervised = supervised.masked_fill(~existing, -torch.inf)
        positive = positive & existing
    log_share = supervised.log_softmax(dim=-1).clamp(min=LOG_FLOOR)
    count = positive.sum(-1).to(logits.dtype)
    # sum_j q_j (log q_j - log p_j) with q_j = 1/n on the n positives
    divergence = -(log_share * positive).sum(-1) / count.clamp(min=1) - count.clamp(min=1).log()
    return (divergence * (count > 0)).sum(), torch.tensor(len(divergence), device=logits.device)
