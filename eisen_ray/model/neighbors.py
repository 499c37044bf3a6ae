"""Which pairs of nodes have an affinity: a local window plus random long-range samples (Section 3.1)."""

from __future__ import annotations

import functools
from typing import Literal

import torch
from torch import Tensor

from eisen_ray.errors import ConfigError
from eisen_ray.model.pair_layout import FarGroups, Neighborhood, Tiling


def window_indices(height: int, width: int, window: int, padding: Literal["outside", "reflect"] = "outside") -> Tensor:
    """Nodes of the square window around each node, row by row.

    Args:
        height: H of the grid, nodes.
        width: W of the grid, nodes.
        window: side of the window, nodes, odd.
        padding: `outside` marks positions outside the image with N = H * W; `reflect` mirrors them without
            repeating the edge (first release).

    Returns:
        int64 [N, window * window]; the centre stands in the middle.
    """
    _check_window(window)
    offsets = torch.arange(window) - window // 2
    row = (torch.arange(height)[:, None] + offsets)[:, None, :, None].expand(height, width, window, window)
    column = (torch.arange(width)[:, None] + offsets)[None, :, None, :].expand(height, width, window, window)
    if padding == "reflect":
        if window // 2 >= min(height, width):
            raise ConfigError(f"A reflected window of {window} does not fit a {height}x{width} grid.")
        row, column = _reflect(row, height), _reflect(column, width)
    outside = (row < 0) | (row >= height) | (column < 0) | (column >= width)
    return torch.where(outside, height * width, row * width + column).reshape(height * width, -1)


def _reflect(position: Tensor, size: int) -> Tensor:
    position = position.abs()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def _check_window(window: int) -> None:
    if window < 1 or window % 2 == 0:
        raise ConfigError(f"The local window must be an odd number of nodes, at least 1; got {window}.")


def full_neighborhood(height: int, width: int, device: torch.device | str = "cpu") -> Neighborhood:
    """All pairs of an H x W grid (Table 3, `Full`)."""
    nodes = torch.arange(height * width, device=device)
    return Neighborhood(num_nodes=height * width, rows=nodes[None, None], columns=nodes[None, None], full=True)


def row_neighborhood(indices: Tensor, num_nodes: int) -> Neighborhood:
    """Pairs given row by row: int64 [B, N, E] sampled nodes of every node, N = outside the image."""
    rows = torch.arange(num_nodes, device=indices.device)[None, :, None]
    return Neighborhood(num_nodes=num_nodes, rows=rows, columns=indices)


@functools.lru_cache(maxsize=16)
def _local_tiles(height: int, width: int, window: int, tile: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [1, T, R], columns [1, T, C] and allowed pairs [R, C] of square tiles with their halo."""
    radius, num_nodes = window // 2, height * width
    top = torch.arange(0, height, tile)
    left = torch.arange(0, width, tile)

    def nodes(low: int, high: int) -> Tensor:
        row = (top[:, None] + torch.arange(low, high))[:, None, :, None]
        column = (left[:, None] + torch.arange(low, high))[None, :, None, :]
        outside = (row < 0) | (row >= height) | (column < 0) | (column >= width)
        return torch.where(outside, num_nodes, row * width + column).flatten(2).flatten(0, 1)

    inner = torch.cartesian_prod(torch.arange(tile), torch.arange(tile)).view(-1, 2)
    halo = torch.cartesian_prod(torch.arange(-radius, tile + radius), torch.arange(-radius, tile + radius)).view(-1, 2)
    allowed = ((inner[:, None] - halo[None]).abs() <= radius).all(-1)
    return (
        nodes(0, tile)[None].to(device),
        nodes(-radius, tile + radius)[None].to(device),
        allowed.to(device),
    )


class NeighborSampler:
    """Draws the pairs of one forward pass.

    Args:
        scope: `local` window only, `local+far` with random long-range samples, `full` all pairs (Table 3).
        window: side of the local window, nodes, odd (paper: 25).
        num_far: long-range samples of a row, uniform over all nodes with replacement, fresh at every call.
        sampling: `tile`: as many rows as a tile has share their far samples; `row`: each row draws its own.
        tile_size: side of a tile, nodes.

    Raises:
        ConfigError: an even window or a negative count.
    """

    def __init__(
        self,
        scope: Literal["local", "local+far", "full"] = "local+far",
        window: int = 25,
        num_far: int = 399,
        sampling: Literal["tile", "row"] = "tile",
        tile_size: int = 8,
    ) -> None:
        _check_window(window)
        if num_far < 0 or tile_size < 1:
            raise ConfigError(f"Expected num_far >= 0 and tile_size >= 1; got {num_far} and {tile_size}.")
        self.scope = scope
        self.window = window
        self.num_far = num_far if scope == "local+far" else 0
        self.sampling = sampling
        self.tile_size = tile_size

    def __call__(self, height: int, width: int, batch: int, generator: torch.Generator) -> Neighborhood:
        """The pairs for `batch` images of an H x W grid, on the generator's device."""
        device = generator.device
        num_nodes = height * width
        if self.scope == "full":
            return full_neighborhood(height, width, device)
        if self.sampling == "row":
            columns = window_indices(height, width, self.window).to(device)[None]
            if self.num_far > 0:
                drawn = torch.randint(num_nodes, (batch, num_nodes, self.num_far), generator=generator, device=device)
                columns = torch.cat([columns.expand(batch, -1, -1), drawn], dim=-1)
            return row_neighborhood(columns, num_nodes)
        rows, local, allowed = _local_tiles(height, width, self.window, self.tile_size, str(device))
        far = self._far_groups(rows, num_nodes, batch, generator) if self.num_far > 0 else None
        tiling = Tiling(height, width, self.tile_size, self.window // 2)
        return Neighborhood(num_nodes=num_nodes, rows=rows, columns=local, allowed=allowed, far=far, tiling=tiling)

    def _far_groups(self, rows: Tensor, num_nodes: int, batch: int, generator: torch.Generator) -> FarGroups:
        """Groups as large as a tile, of nodes that a random permutation brings together."""
        device = generator.device
        size = self.tile_size**2
        num_groups = -(-num_nodes // size)
        order = torch.randperm(num_nodes, generator=generator, device=device)
        members = torch.full((num_groups * size,), num_nodes, device=device)
        members[:num_nodes] = order
        place = torch.full((num_nodes + 1,), num_groups * size, device=device)
        place[order] = torch.arange(num_nodes, device=device)
        # Dealt from shuffled decks of all nodes: drawn one by one, some nodes would hear from no group at all.
        num_decks = -(-num_groups * self.num_far // num_nodes)
        decks = torch.rand(batch, num_decks, num_nodes, generator=generator, device=device).argsort(dim=-1)
        columns = decks.flatten(1)[:, : num_groups * self.num_far].unflatten(1, (num_groups, self.num_far))
        return FarGroups(num_nodes=num_nodes, rows=members.view(num_groups, size), columns=columns, place=place[rows])
