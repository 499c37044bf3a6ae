"""Greedy partition of a graph with attractive and repulsive edges: what SSAP reads instances with."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray


def greedy_partition(num_nodes: int, ends: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Join the two clusters with the most attractive connection, again and again, while any connection attracts.

    Connections between the same two clusters add up (greedy additive edge contraction).

    Args:
        num_nodes: n.
        ends: [m, 2], the nodes of each edge; several edges of one pair add up.
        weights: [m], above 0 attracts, below 0 repels.

    Returns:
        int64 [n], the cluster of each node: 0, 1, ... in order of their first nodes.
    """
    friends = _friends(num_nodes, ends, weights)
    heap = [(-weight, low, high) for low, some in enumerate(friends) for high, weight in some.items() if low < high]
    heap = [entry for entry in heap if entry[0] < 0]
    heapq.heapify(heap)
    parent = list(range(num_nodes))
    while heap:
        weight, first, second = heapq.heappop(heap)
        # An entry is stale when an end was joined to another cluster, or the weight has changed since.
        if parent[first] != first or parent[second] != second or friends[first].get(second) != -weight:
            continue
        if len(friends[first]) < len(friends[second]):
            first, second = second, first
        parent[second] = first
        del friends[first][second]
        for other, attraction in friends[second].items():
            if other == first:
                continue
            del friends[other][second]
            total = friends[first].get(other, 0.0) + attraction
            friends[first][other] = friends[other][first] = total
            if total > 0:
                heapq.heappush(heap, (-total, min(first, other), max(first, other)))
        friends[second] = {}
    return _numbered([_root(parent, node) for node in range(num_nodes)])


def _friends(num_nodes: int, ends: NDArray[np.int64], weights: NDArray[np.float64]) -> list[dict[int, float]]:
    """For each node its neighbours with the summed weight of the connection."""
    ends = np.sort(ends, axis=1)
    apart = ends[:, 0] != ends[:, 1]
    pairs, place = np.unique(ends[apart, 0] * num_nodes + ends[apart, 1], return_inverse=True)
    sums = np.bincount(place, weights[apart], minlength=len(pairs))
    friends: list[dict[int, float]] = [{} for _ in range(num_nodes)]
    for low, high, weight in zip(
        (pairs // num_nodes).tolist(), (pairs % num_nodes).tolist(), sums.tolist(), strict=True
    ):
        friends[low][high] = friends[high][low] = weight
    return friends


def _root(parent: list[int], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


def _numbered(roots: list[int]) -> NDArray[np.int64]:
    values, first, place = np.unique(roots, return_index=True, return_inverse=True)
    rank = np.empty(len(values), np.int64)
    rank[np.argsort(first)] = np.arange(len(values))
    return rank[place]
