"""Graphs to measure on: keys and queries of a scene of objects, and the same pairs row by row as others hold them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from eisen_ray.model.affinity_graph import AffinityGraph
from eisen_ray.model.neighbors import NeighborSampler
from eisen_ray.model.pair_layout import Neighborhood

WIDTH = 32
"""D and Q of the release."""
PAIRS_PER_NODE = 1024
"""625 of the 25x25 window and 399 far ones."""


class Scene(NamedTuple):
    """A batch of images as a network sees them.

    Attributes:
        query, key: [B, N, D].
        labels: int64 [B, N], 0 = static.
        neighborhood: window and far samples of every node.
        side: nodes along a side.
    """

    query: Tensor
    key: Tensor
    labels: Tensor
    neighborhood: Neighborhood
    side: int

    @property
    def graph(self) -> AffinityGraph:
        """For message passing."""
        return AffinityGraph(self.query, self.key, self.neighborhood)


def make_scene(side: int, batch: int = 1, device: str = "cpu", seed: int = 0) -> Scene:
    """Five ellipses on a background; embeddings of one object are alike but for noise."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    objects = torch.zeros(batch, side, side, dtype=torch.long)
    for image in range(batch):
        for name in range(1, 6):
            top, left, high, wide = torch.rand(4, generator=generator) * torch.tensor([0.8, 0.8, 0.12, 0.12]) + 0.08
            objects[image][((y - top) / high) ** 2 + ((x - left) / wide) ** 2 <= 1] = name
    flat = objects.flatten(1)
    centres = 2.2 * torch.randn(batch, 6, WIDTH, generator=generator)
    nodes = centres.gather(1, flat[..., None].expand(-1, -1, WIDTH))
    query, key = (nodes + 0.5 * torch.randn(nodes.shape, generator=generator) for _ in range(2))
    pairs = NeighborSampler()(side, side, batch, torch.Generator(device).manual_seed(seed))
    return Scene(query.to(device), key.to(device), flat.to(device), pairs, side)


def row_indices(scene: Scene) -> Tensor:
    """The same pairs row by row, int64 [B, N, 1024]; N = outside the image."""
    pairs, num_nodes = scene.neighborhood, scene.side**2
    if pairs.far is None or pairs.allowed is None:
        raise ValueError("expected tiles with far samples")
    batch = len(scene.query)
    order = pairs.rows.flatten()
    # Every row of a tile has as many allowed places, in the order of its window.
    local = (
        pairs.columns[0][:, None]
        .expand(-1, len(pairs.allowed), -1)[:, pairs.allowed]
        .unflatten(1, (len(pairs.allowed), -1))
    )
    by_node = torch.empty(num_nodes + 1, local.shape[-1], dtype=torch.long, device=order.device)
    by_node[order] = local.flatten(0, 1)
    groups = pairs.far
    group_of = torch.empty(num_nodes + 1, dtype=torch.long, device=order.device)
    group_of[groups.rows] = torch.arange(len(groups.rows), device=order.device)[:, None].expand_as(groups.rows)
    far = groups.columns[:, group_of[:num_nodes]]
    return torch.cat([by_node[None, :num_nodes].expand(batch, -1, -1), far], dim=-1)
