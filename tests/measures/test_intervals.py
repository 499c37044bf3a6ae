from __future__ import annotations

import math

import numpy as np
import pytest

from eisen_ray.measures.intervals import clip_weights, estimate, weighted_mean


def test_each_resample_has_as_many_clips() -> None:
    weights = clip_weights(7, seed=3)
    assert weights.shape == (1001, 7)
    assert weights[0].tolist() == [1.0] * 7
    assert (weights.sum(axis=1) == 7).all()
    assert np.array_equal(weights, clip_weights(7, seed=3))
    assert not np.array_equal(weights, clip_weights(7, seed=4))


def test_one_clip_gives_no_interval() -> None:
    found = estimate(weighted_mean(np.array([0.3]), clip_weights(1, seed=0)))
    assert found.value == 0.3
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_the_interval_is_that_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = estimate(weighted_mean(values, clip_weights(400, seed=1)))
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert (found.value - found.low, found.high - found.value) == pytest.approx((half, half), rel=0.15)


def test_unknown_values_have_no_weight() -> None:
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 3.0, 0.0], [1.0, 0.0, 2.0]])
    found = weighted_mean(np.array([1.0, math.nan, 4.0]), weights)
    assert found[0] == 2.5
    assert math.isnan(found[1])
    assert found[2] == 3.0
    assert math.isnan(estimate(np.array([math.nan, 1.0])).low)
