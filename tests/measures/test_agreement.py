from __future__ import annotations

import math

import numpy as np
import pytest

from eisen_ray.measures.agreement import segment_agreement, segment_stability


def test_agreement_ignores_names_and_order() -> None:
    first, second = np.array([[1, 1, 2, 2, 0, 0]]), np.array([[7, 7, 7, 4, 0, 0]])
    renamed = np.array([[2, 2, 9, 9, 0, 0]])
    assert segment_agreement(first, renamed) == 1.0
    expected = (2 / 3 + 1 / 2 + 2 / 3 + 1 / 2) / 4
    assert segment_agreement(first, second) == pytest.approx(expected)
    assert segment_agreement(second, first) == pytest.approx(expected)


def test_agreement_with_nothing() -> None:
    nothing, something = np.zeros((2, 2), int), np.ones((2, 2), int)
    assert segment_agreement(nothing, something) == 0.0
    assert math.isnan(segment_agreement(nothing, nothing))


def test_stability_is_the_mean_best_fit_over_the_other_passes() -> None:
    labels = np.array([[1, 1, 2, 2, 0, 0]])
    others = [np.array([[7, 7, 0, 3, 0, 0]]), np.array([[5, 0, 5, 5, 5, 0]])]
    found = segment_stability(labels, others)
    assert found == pytest.approx({1: (1 + 1 / 5) / 2, 2: (1 / 2 + 2 / 4) / 2})
    assert segment_stability(labels, []) == {1: 1.0, 2: 1.0}
    assert segment_stability(labels, [np.zeros_like(labels)]) == {1: 0.0, 2: 0.0}
    assert segment_stability(np.zeros_like(labels), others) == {}
