"""FG-ARI against scikit-learn's adjusted Rand index."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from eisen_ray.measures.overlap import count_overlap
from eisen_ray.measures.rand_index import foreground_ari


@pytest.mark.parametrize("seed", range(20))
def test_equals_scikit_learn_on_the_foreground(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(0, random.integers(2, 6), (40, 50))
    prediction = np.where(random.random(truth.shape) < 0.6, truth * 3, random.integers(0, 4, truth.shape))
    expected = adjusted_rand_score(truth[truth > 0], prediction[truth > 0])
    assert foreground_ari(count_overlap(prediction, truth).shared) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("prediction", [[5, 5, 5, 0], [5, 6, 5, 0], [5, 6, 7, 1], [0, 0, 0, 3]])
def test_one_object_as_scikit_learn(prediction: list[int]) -> None:
    truth = np.array([[2, 2, 2, 0]])
    expected = adjusted_rand_score([2, 2, 2], prediction[:3])
    assert foreground_ari(count_overlap(np.array([prediction]), truth).shared) == expected


def test_pair_counts_of_large_images_do_not_overflow() -> None:
    shared = np.array([[3_000_000_000, 1], [2, 3_000_000_000]])
    assert foreground_ari(shared) == pytest.approx(1.0, abs=1e-8)


def test_names_do_not_matter_and_one_pixel_is_its_own_partition() -> None:
    truth = np.array([[1, 1, 2, 2, 3, 3]])
    assert foreground_ari(count_overlap(np.array([[9, 9, 0, 0, 4, 4]]), truth).shared) == 1.0
    assert foreground_ari(np.array([[1]])) == 1.0


def test_without_objects_it_is_unknown() -> None:
    assert math.isnan(foreground_ari(np.zeros((0, 3), np.int64)))
