"""Affinities as other readouts want them: one symmetric matrix between the nodes of a picture."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from eisen_ray.baselines.peer import Picture, Segmentation, draw_seed
from eisen_ray.model.affinity_graph import AffinityGraph
from eisen_ray.model.eisen import Eisen, Grouping
from eisen_ray.model.neighbors import full_neighborhood
from eisen_ray.model.regions import connected_regions


class AffinitySource(Protocol):
    """Something that knows how much two nodes of a picture belong together."""

    def graph(self, image: np.ndarray, generator: torch.Generator) -> tuple[AffinityGraph, tuple[int, int]]:
        """All pairs of nodes of a picture uint8 [H, W, 3], and the grid (height, width)."""


class Readout(Protocol):
    """Segments from a matrix of affinities."""

    def __call__(self, affinity: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
        """Affinities [N, N], symmetric, 0 to 1, diagonal 1, to a label for each node: int64 [N], -1 = unassigned."""


class NetworkAffinities:
    """Equation (1) of our own network, between all pairs of nodes."""

    def __init__(self, network: Eisen) -> None:
        self.network = network

    @torch.no_grad()
    def graph(self, image: np.ndarray, generator: torch.Generator) -> tuple[AffinityGraph, tuple[int, int]]:
        """See `AffinitySource.graph`."""
        device = next(self.network.parameters()).device
        batch = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(device)
        query, key, grid = self.network.embed(batch)
        return AffinityGraph(query, key, full_neighborhood(*grid, device)), grid


class ReadoutPeer:
    """A source of affinities with a readout that knows matrices only.

    Args:
        source: gives the affinities.
        readout: gives the segments.
        max_nodes: a finer grid is first averaged over squares of 2x2 nodes, 4x4, ... (authors: 4096 of 16384).
        min_region_nodes: smaller connected regions become unassigned, nodes of the source's own grid.
    """

    needs_neighbour = False

    def __init__(
        self, source: AffinitySource, readout: Readout, max_nodes: int = 4096, min_region_nodes: int = 20
    ) -> None:
        self.source, self.readout = source, readout
        self.max_nodes, self.min_region_nodes = max_nodes, min_region_nodes

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Read segments, split them into connected regions, drop small ones, as our own grouping does."""
        graph, grid = self.source.graph(picture.image, generator)
        affinity, coarse = pooled(graph.affinity()[0, 0], grid, self.max_nodes)
        labels = self.readout(symmetric(affinity), draw_seed(generator)).reshape(coarse)
        rows, columns = (np.arange(fine) * small // fine for fine, small in zip(grid, coarse, strict=True))
        full = torch.from_numpy(labels[rows[:, None], columns[None, :]])
        regions = connected_regions(full[None], self.min_region_nodes)[0]
        return Segmentation(regions.numpy().astype(np.int32), {})


class GroupingPeer:
    """A source of affinities with our own grouping, KProp and Competition: what the other readouts are held against."""

    needs_neighbour = False

    def __init__(self, source: AffinitySource, grouping: Grouping) -> None:
        self.source, self.grouping = source, grouping

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """One pass."""
        graph, grid = self.source.graph(picture.image, generator)
        labels = self.grouping(graph, grid, generator)[0, 0]
        return Segmentation(labels.cpu().numpy().astype(np.int32), {})


def pooled(affinity: Tensor, grid: tuple[int, int], max_nodes: int) -> tuple[Tensor, tuple[int, int]]:
    """Average affinities [N, N] over squares of nodes, on both sides, until there are at most `max_nodes`.

    Sides that are not divisible lose their last row or column of nodes.
    """
    height, width = grid
    while height * width > max_nodes:
        planes = affinity.unflatten(1, (height, width))  # [N, h, w]
        half = avg_pool2d(planes[:, None], 2)[:, 0].flatten(1)  # [N, n]
        affinity = avg_pool2d(half.T.unflatten(1, (height, width))[:, None], 2)[:, 0].flatten(1).T
        height, width = height // 2, width // 2
    return affinity, (height, width)


def symmetric(affinity: Tensor) -> NDArray[np.float64]:
    """The mean of an affinity and its reverse, with a diagonal of 1, as NumPy float64 [N, N]."""
    both = ((affinity + affinity.T) / 2).double().cpu().numpy()
    np.fill_diagonal(both, 1.0)
    return both
