from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.baselines.greedy_partition import greedy_partition


def slow_partition(num_nodes: int, ends: np.ndarray, weights: np.ndarray) -> list[int]:
    """The definition, on a dense matrix: join the most attractive pair of clusters until none attracts."""
    matrix = np.zeros((num_nodes, num_nodes))
    for (first, second), weight in zip(ends, weights, strict=True):
        if first != second:
            matrix[first, second] += weight
            matrix[second, first] += weight
    clusters = [{node} for node in range(num_nodes)]
    while len(clusters) > 1:
        best, pair = 0.0, None
        for first in range(len(clusters)):
            for second in range(first + 1, len(clusters)):
                total = sum(matrix[a, b] for a in clusters[first] for b in clusters[second])
                if total > best + 1e-12:
                    best, pair = total, (first, second)
        if pair is None:
            break
        clusters[pair[0]] |= clusters.pop(pair[1])
    names = {node: min(cluster) for cluster in clusters for node in cluster}
    order = sorted(set(names.values()))
    return [order.index(names[node]) for node in range(num_nodes)]


@pytest.mark.parametrize("seed", range(8))
def test_equals_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 9, (40, 2))
    weights = rng.normal(size=40)
    assert greedy_partition(9, ends, weights).tolist() == slow_partition(9, ends, weights)


def test_nothing_attracts() -> None:
    none = np.zeros((0, 2), np.int64)
    assert greedy_partition(3, none, np.zeros(0)).tolist() == [0, 1, 2]
    assert greedy_partition(2, np.array([[0, 1]]), np.array([-1.0])).tolist() == [0, 1]


def test_connections_add_up() -> None:
    ends = np.array([[0, 1], [1, 0], [0, 1]])
    assert greedy_partition(2, ends, np.array([1.0, 1.0, -1.5])).tolist() == [0, 0]
    assert greedy_partition(2, ends, np.array([1.0, 1.0, -2.5])).tolist() == [0, 1]
