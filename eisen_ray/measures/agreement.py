"""How alike segmentations of one image are, without annotation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eisen_ray.measures.overlap import iou_table


def segment_agreement(first: NDArray, second: NDArray) -> float:
    """How alike two segmentations of one image are, without annotation.

    The mean over the segments of both maps of the IoU with the other map's best-fitting segment; 0 = unassigned
    is no segment. The order of the maps and the names of segments do not matter.

    Args:
        first: integer label map [H, W].
        second: integer label map [H, W].

    Returns:
        0 to 1; 0 when only one map has segments, NaN when neither has.
    """
    first_ids, second_ids, iou = iou_table(first, second)
    iou = iou[first_ids != 0][:, second_ids != 0]
    best = np.concatenate([iou.max(axis=1, initial=0.0), iou.max(axis=0, initial=0.0)])
    return float(best.mean()) if best.size > 0 else math.nan


def segment_stability(labels: NDArray, others: Sequence[NDArray]) -> dict[int, float]:
    """How well each segment of one pass is found again by other passes with other random draws.

    Args:
        labels: integer label map [H, W], 0 = unassigned.
        others: label maps of the same size.

    Returns:
        By segment id, the mean over the other passes of the IoU with the best-fitting segment there; 1.0 for all
        when there are no other passes.
    """
    ids = np.unique(labels[labels != 0])
    found = np.ones((max(len(others), 1), len(ids)))
    for row, other in zip(found, others, strict=False):
        first_ids, second_ids, iou = iou_table(labels, other)
        row[:] = iou[first_ids != 0][:, second_ids != 0].max(axis=1, initial=0.0)
    return dict(zip(ids.tolist(), found.mean(axis=0).tolist(), strict=True))
