"""The same pairs in other layouts, and random inputs, for tests that compare layouts with each other and with twins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from eisen_ray.model.neighbors import NeighborSampler, full_neighborhood, row_neighborhood
from eisen_ray.model.pair_layout import Neighborhood

# Grids whose sides are and are not multiples of the tile, a grid smaller than a tile, a single row.
GRIDS = [(8, 8, 4), (7, 10, 4), (3, 5, 8), (1, 9, 4)]
KINDS = ["full", "row", "tile", "local"]


def seeded(seed: int = 0) -> torch.Generator:
    """A generator for the test's own draws."""
    return torch.Generator().manual_seed(seed)


def random_nodes(batch: int, num_nodes: int, width: int, seed: int = 0) -> Tensor:
    """Normal vectors [B, N, D] in double precision."""
    return torch.randn(batch, num_nodes, width, generator=seeded(seed), dtype=torch.float64)


def random_plateau(batch: int, height: int, width: int, channels: int, seed: int = 0) -> Tensor:
    """Noisy plateaus: a few one-hot regions plus noise, unit vectors, double precision [B, H, W, Q]."""
    generator = seeded(seed)
    centres = torch.rand(batch, channels - 1, 2, generator=generator)
    grid = torch.stack(torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij"), -1)
    nearest = (grid[None, :, :, None] - centres[:, None, None]).norm(dim=-1).argmin(-1)
    noise = torch.rand(batch, height, width, channels, generator=generator)
    plateau = torch.nn.functional.one_hot(nearest, channels) + 0.5 * noise
    return torch.nn.functional.normalize(plateau.double(), dim=-1)


def neighborhood_of(kind: str, height: int, width: int, batch: int, tile: int = 4, seed: int = 0) -> Neighborhood:
    """All pairs; a 3x3 window plus 6 far samples, by rows or in tiles and groups; the window alone in tiles."""
    if kind == "full":
        return full_neighborhood(height, width)
    scope = "local" if kind == "local" else "local+far"
    sampling = "row" if kind == "row" else "tile"
    sampler = NeighborSampler(scope=scope, window=3, num_far=6, sampling=sampling, tile_size=tile)
    return sampler(height, width, batch, seeded(seed))


def num_columns(neighborhood: Neighborhood) -> int:
    """C: local columns of a tile plus far samples of a row."""
    return neighborhood.columns.shape[-1] + (0 if neighborhood.far is None else neighborhood.far.columns.shape[-1])


class RowView(NamedTuple):
    """A tiled neighbourhood seen row by row.

    Attributes:
        columns: int64 [B, N, E], node of each sample of each node, N = outside.
        tile: int64 [N], tile of each node.
        row: int64 [N], its row there.
        slots: int64 [N, E], which of the tile's C columns exist for it.
    """

    columns: Tensor
    tile: Tensor
    row: Tensor
    slots: Tensor

    def take(self, values: Tensor) -> Tensor:
        """Values [B, T, R, C] of the pairs, row by row: [B, N, E]."""
        return values[:, self.tile, self.row].gather(-1, self.slots.expand(values.shape[0], -1, -1))

    def rows(self) -> Neighborhood:
        """The same pairs as a neighbourhood of single rows."""
        return row_neighborhood(self.columns, self.columns.shape[1])


def row_view(neighborhood: Neighborhood, batch: int) -> RowView:
    """Lists every row's own pairs, by loops over tiles and rows: local ones, then far samples of the row's group."""
    num_nodes, num_local = neighborhood.num_nodes, neighborhood.columns.shape[-1]
    local = neighborhood.columns.expand(batch, -1, -1)
    where, slots, columns = {}, {}, {}
    for t, r in np.ndindex(*neighborhood.rows.shape[1:]):
        node = int(neighborhood.rows[0, t, r])
        if node == num_nodes:
            continue
        assert node not in where, f"node {node} owns two rows"
        own = torch.arange(num_local) if neighborhood.allowed is None else neighborhood.allowed[r].nonzero()[:, 0]
        where[node], slots[node], columns[node] = (t, r), own, local[:, t, own]
        if neighborhood.far is not None:
            (group,) = (neighborhood.far.rows == node).any(-1).nonzero()[:, 0].tolist()
            far = neighborhood.far.columns.expand(batch, -1, -1)[:, group]
            slots[node] = torch.cat([own, num_local + torch.arange(far.shape[-1])])
            columns[node] = torch.cat([columns[node], far], dim=-1)
    nodes = range(num_nodes)
    assert sorted(where) == list(nodes)
    tile, row = (torch.tensor([where[i][k] for i in nodes]) for k in (0, 1))
    return RowView(torch.stack([columns[i] for i in nodes], dim=1), tile, row, torch.stack([slots[i] for i in nodes]))


def as_numpy(values: Tensor) -> np.ndarray:
    """Detached copy for the twins."""
    return values.detach().cpu().numpy()


def assert_close(actual: Tensor | np.ndarray, expected: Tensor | np.ndarray, tolerance: float = 1e-10) -> None:
    """Largest absolute difference."""
    actual, expected = (as_numpy(x) if isinstance(x, Tensor) else np.asarray(x) for x in (actual, expected))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)
