"""How pairs of nodes are laid out in memory, and the products over them.

Pairs are laid out so that logits, loss and messages are dense batched matrix products:

- local pairs in T tiles of R rows times C columns. A tile of the production layout is a square of nodes (its rows)
  together with the square of all their windows (the tile with its halo);
- far pairs in groups of rows that share their far samples. The rows of a group are scattered over the image at random:
  a node hears from whole groups, so these must be as varied as nodes drawn one by one [Decision 3].

Per-row sampling and all-pairs affinities are the same layout with other sizes and without far groups, so nothing else
in the package knows which of them is in use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, pad


@dataclass(frozen=True)
class Tiling:
    """Square tiles over a grid, each with its halo: the tile together with all windows of its nodes.

    Tiles stand row by row, and so do the nodes of a tile and of a halo. Strided copies take the place of gathers.

    Attributes:
        height, width: of the grid, nodes.
        tile: side of a tile, nodes.
        radius: of the window, nodes; a halo's side is tile + 2 * radius.
    """

    height: int
    width: int
    tile: int
    radius: int

    @property
    def counts(self) -> tuple[int, int]:
        """Tiles from top to bottom and from left to right."""
        return -(-self.height // self.tile), -(-self.width // self.tile)

    def blocks(self, nodes: Tensor) -> Tensor:
        """The nodes of every tile: [B, N, F] to [B, T, R, F]; zeros outside the image."""
        return self._windows(nodes, 0).flatten(3, 4).flatten(1, 2)

    def halos(self, nodes: Tensor) -> Tensor:
        """The nodes of every halo, row of tiles by row: [B, N, F] to a view [B, rows, columns, side, side, F].

        A view of the padded grid: halos overlap, and a copy of all is many times as large as the grid. Zeros outside.
        """
        return self._windows(nodes, self.radius)

    def join(self, blocks: Tensor) -> Tensor:
        """The inverse of `blocks`: [B, T, R, F] to [B, N, F]."""
        grid = blocks.unflatten(2, (self.tile, self.tile)).unflatten(1, self.counts).transpose(2, 3)
        return grid.flatten(3, 4).flatten(1, 2)[:, : self.height, : self.width].flatten(1, 2)

    def _windows(self, nodes: Tensor, radius: int) -> Tensor:
        down, right = (count * self.tile for count in self.counts)
        grid = nodes.unflatten(1, (self.height, self.width))
        grid = pad(grid, (0, 0, radius, radius + right - self.width, radius, radius + down - self.height)).contiguous()
        side = self.tile + 2 * radius
        image, row, column, channel = grid.stride()
        size = (len(grid), *self.counts, side, side, grid.shape[-1])
        return grid.as_strided(size, (image, row * self.tile, column * self.tile, row, column, channel))


@dataclass(frozen=True)
class FarGroups:
    """Long-range pairs.

    Attributes:
        num_nodes: N.
        rows: int64 [G, M], the row nodes of each group; N marks padding.
        columns: int64 [B, G, F], the far samples that a group's rows share: dealt in this order from shuffled decks
            of all nodes, each of which holds every node once.
        place: int64 [1 or B, T, R], where each row of the local tiles stands among the G * M rows of the groups;
            padding rows stand behind the last.
    """

    num_nodes: int
    rows: Tensor
    columns: Tensor
    place: Tensor

    def to_tiles(self, values: Tensor) -> Tensor:
        """Values [B, G, M, F] of the groups' pairs, in the order of the local tiles: [B, T, R, F]."""
        return _gather(values.flatten(1, 2), self.place)

    def to_groups(self, values: Tensor) -> Tensor:
        """The inverse of `to_tiles`; needs the tiles of all rows, as `NeighborSampler` makes them."""
        batch, width = values.shape[0], values.shape[-1]
        out = values.new_zeros(batch, self.rows.numel() + 1, width)
        out[:, self.place.flatten()] = values.flatten(1, 2)
        return out[:, :-1].unflatten(1, self.rows.shape)

    def of_image(self, image: int) -> FarGroups:
        """The groups of one image of the batch."""
        place = self.place if len(self.place) == 1 else self.place[image : image + 1]
        return FarGroups(self.num_nodes, self.rows, self.columns[image : image + 1], place)

    def of_rows(self, nodes: Tensor) -> Tensor:
        """The row nodes of every group: [B, N, F] to [B, G, M, F]; zeros for padding."""
        return _gather(nodes, self.rows[None])

    def of_columns(self, nodes: Tensor) -> Tensor:
        """The far samples of every group: [B, N, F] to [B, G, far, F]."""
        return _gather(nodes, self.columns)

    def sum_at_columns(self, values: Tensor) -> Tensor:
        """What the far samples [B, G, far, F] bring to each node: [B, N, F]."""
        return self.sum_flat(pad(values.flatten(0, 2), (0, 0, 0, 1)))

    def sum_flat(self, flat: Tensor) -> Tensor:
        """The same of a flat [B * G * far + 1, F] whose last row is zeros."""
        # One fused gather and sum, in float32 inside: several times as fast as adding gathered copies.
        return embedding_bag(self._slots, flat, mode="sum").unflatten(0, (len(self.columns), -1))

    @cached_property
    def _slots(self) -> Tensor:
        """Where each node stands in each deck, int64 [B * N, decks], as places in the flat [B * G * far].

        Samples are dealt from shuffled decks of all nodes, so that a deck holds a node once; not at all where the last
        deck ends, which the place behind all samples stands for.
        """
        dealt = self.columns.flatten(1)
        batch, count = dealt.shape
        num_nodes = self.num_nodes
        num_decks = -(-count // num_nodes)
        place = torch.arange(batch * count, device=dealt.device).view(batch, count)
        slots = dealt.new_full((batch, num_decks * num_nodes), batch * count)
        slots.scatter_(1, place[:1] // num_nodes * num_nodes + dealt, place)
        return slots.unflatten(1, (num_decks, num_nodes)).transpose(1, 2).flatten(0, 1)


@dataclass(frozen=True)
class Neighborhood:
    """The pairs (row node, column node) that have an affinity.

    A value per pair is a tensor [B, T, R, C]: T tiles of R rows, C columns of which the first are the tile's local
    ones and the last F the row's far samples.

    Attributes:
        num_nodes: N.
        rows: int64 [B or 1, T, R], node of each row; N marks padding rows.
        columns: int64 [B or 1, T, L], node of each local column; N marks positions outside the image.
        allowed: bool [R, L], which local pairs of a tile exist; None = all.
        far: the long-range pairs; None = there are none.
        tiling: the tiles of all rows, where they are squares of a grid with their halos; else None.
        full: every node is paired with every node exactly once, in order (T = 1, R = L = N, no far pairs).
    """

    num_nodes: int
    rows: Tensor
    columns: Tensor
    allowed: Tensor | None = None
    far: FarGroups | None = None
    tiling: Tiling | None = None
    full: bool = False

    def of_image(self, image: int) -> Neighborhood:
        """The pairs of one image of the batch."""
        rows, columns = (one if len(one) == 1 else one[image : image + 1] for one in (self.rows, self.columns))
        far = None if self.far is None else self.far.of_image(image)
        return replace(self, rows=rows, columns=columns, far=far)

    def gather_rows(self, values: Tensor) -> Tensor:
        """Values [B, N, F] of the row nodes: [B, T, R, F]; zeros in padding rows."""
        return values[:, None] if self.full else _gather(values, self.rows)

    def dot(self, query: Tensor, key: Tensor) -> Tensor:
        """Dot products of row queries and column keys, both [B, N, D]: [B, T, R, C]; 0 outside the image."""
        column_keys = key[:, None] if self.full else _gather(key, self.columns)
        local = self.gather_rows(query) @ column_keys.transpose(-1, -2)
        if self.far is None:
            return local
        group_rows = _gather(query, self.far.rows[None])
        distant = group_rows @ _gather(key, self.far.columns).transpose(-1, -2)
        return torch.cat([local, self.far.to_tiles(distant)], dim=-1)

    def column_values(self, values: Tensor) -> Tensor:
        """Values [B, N] of the column node of every pair: [B, T, R, C] (a view where rows share it); 0 outside."""
        rows = self.rows.shape[-1]
        if self.full:
            return values[:, None, None].expand(-1, -1, rows, -1)
        local = _gather(values[..., None], self.columns)[..., 0][:, :, None].expand(-1, -1, rows, -1)
        if self.far is None:
            return local
        distant = _gather(values[..., None], self.far.columns)[..., 0]  # [B, G, F]
        distant = distant[:, :, None].expand(-1, -1, self.far.rows.shape[1], -1)
        return torch.cat([local, self.far.to_tiles(distant)], dim=-1)

    def send(self, weights: Tensor, state: Tensor) -> Tensor:
        """Messages from row nodes to column nodes: the row's owner sends, column j receives sum_i w_ij state_i.

        Args:
            weights: [B, T, R, C]; must be 0 for pairs that do not exist (see `inside`).
            state: [B, N, F] of the senders.

        Returns:
            [B, N, F]; a pair that is sampled twice counts twice.
        """
        num_local = self.columns.shape[-1]
        messages = weights[..., :num_local].transpose(-1, -2) @ self.gather_rows(state)  # [B, T, L, F]
        if self.full:
            return messages[:, 0]
        out = state.new_zeros(state.shape[0], self.num_nodes + 1, state.shape[-1])
        _add_at(out, self.columns, messages)
        if self.far is not None:
            distant = self.far.to_groups(weights[..., num_local:])
            _add_at(out, self.far.columns, distant.transpose(-1, -2) @ _gather(state, self.far.rows[None]))
        return out[:, :-1]

    def exists(self) -> Tensor | None:
        """Which pairs the layout really stands for: bool, broadcasts to [B, T, R, C]; None = all of them."""
        if self.allowed is None or self.far is None:
            return self.allowed
        ones = self.allowed.new_ones(*self.allowed.shape[:-1], self.far.columns.shape[-1])
        return torch.cat([self.allowed, ones], dim=-1)

    def inside(self) -> Tensor:
        """Which pairs exist and have both ends in the image: bool [B or 1, T, R, C]."""
        inside = (self.columns < self.num_nodes)[:, :, None, :] & (self.rows < self.num_nodes)[..., None]
        if self.allowed is not None:
            inside = inside & self.allowed
        if self.far is None:
            return inside
        valid = (self.rows < self.num_nodes)[..., None].expand(*inside.shape[:-1], self.far.columns.shape[-1])
        return torch.cat([inside, valid], dim=-1)


def _gather(values: Tensor, index: Tensor) -> Tensor:
    """Values [B, N, F] at index [B or 1, T, E]: [B, T, E, F]; index N, outside the image, reads zeros."""
    padded = torch.cat([values, values.new_zeros(values.shape[0], 1, values.shape[2])], dim=1)
    if index.shape[0] == 1:
        return padded[:, index[0]]
    image = torch.arange(values.shape[0], device=values.device)[:, None, None]
    return padded[image, index]


def _add_at(out: Tensor, index: Tensor, values: Tensor) -> None:
    """Add values [B, T, E, F] to out [B, N + 1, F] at index [B or 1, T, E]; repeated indices add up."""
    batch, nodes, width = out.shape
    image = torch.arange(batch, device=out.device)[:, None, None] * nodes
    out.view(-1, width).index_add_(0, (index + image).reshape(-1), values.reshape(-1, width))
