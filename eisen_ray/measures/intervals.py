"""Bootstrap confidence intervals: clips are drawn again with replacement. [Decision 87]

Frames of one clip look alike, so they are not independent; a clip is drawn with all of its images or not at all.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 1000
"""Enough for the second decimal of a 95 % interval."""
LEVEL = 0.95


class Estimate(NamedTuple):
    """A measure with its 95 % confidence interval; NaN where it cannot be had."""

    value: float
    low: float = math.nan
    high: float = math.nan


def clip_weights(num_clips: int, seed: int, num_resamples: int = NUM_RESAMPLES) -> NDArray[np.float64]:
    """How often each clip is in each set, [1 + num_resamples, num_clips].

    The first row is the set as it is. One clip alone says nothing about others: then it is the only row.
    """
    as_it_is = np.ones((1, num_clips))
    if num_clips < 2:
        return as_it_is
    random = np.random.default_rng(seed)
    drawn = random.multinomial(num_clips, np.full(num_clips, 1 / num_clips), size=num_resamples)
    return np.concatenate([as_it_is, drawn.astype(np.float64)])


def estimate(values: NDArray[np.float64]) -> Estimate:
    """From a measure's values on all sets, as `clip_weights` orders them, to value and interval (percentiles)."""
    known = values[1:][np.isfinite(values[1:])]
    if len(known) == 0 or not math.isfinite(values[0]):
        return Estimate(float(values[0]))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values[0]), float(low), float(high))


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over what is known, [I] and weights [B, I] -> [B]; NaN where nothing known has a weight."""
    known = np.isfinite(values)
    total = weights[:, known].sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, (weights[:, known] @ values[known]) / np.where(total > 0, total, 1), np.nan)
