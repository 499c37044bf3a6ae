"""The adjusted Rand index on the foreground (FG-ARI), the measure of the object-centric literature."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def foreground_ari(shared: NDArray[np.int64]) -> float:
    """How alike objects and segments part the pixels of the objects, corrected for chance.

    Args:
        shared: [O, S], pixels that objects share with segments; the unassigned pixels are one of the segments.

    Returns:
        1 = the same partition, about 0 = as good as chance, below 0 = worse; NaN without any object. With one object,
        1 if one segment covers it and 0 otherwise.
    """
    # Exact integers of any size: products of pair counts of a large image exceed 64 bits.
    pairs_in_both = sum(count * (count - 1) for count in shared.ravel().tolist())
    pairs_in_objects = sum(count * (count - 1) for count in shared.sum(axis=1).tolist())
    pairs_in_segments = sum(count * (count - 1) for count in shared.sum(axis=0).tolist())
    num_pixels = int(shared.sum())
    if num_pixels == 0:
        return math.nan
    if pairs_in_both == pairs_in_objects == pairs_in_segments:
        return 1.0
    # (index - expected) / (largest - expected), all multiplied by the number of pairs to stay in whole numbers.
    pairs = num_pixels * (num_pixels - 1)
    expected = pairs_in_objects * pairs_in_segments
    largest = (pairs_in_objects + pairs_in_segments) * pairs
    return 2 * (pairs_in_both * pairs - expected) / (largest - 2 * expected)
