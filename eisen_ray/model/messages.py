"""Products of one weight per pair with node states, ready for many iterations of message passing.

A pair's owner sends and its column receives [Decision 5], so weights are kept by *receiver*: every node reads from the
nodes around it, sums stay inside one matrix product, and no message is scattered. For this a square tile of receivers
looks at the same square of senders that its rows look at as columns: windows are symmetric.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from eisen_ray.model.pair_layout import FarGroups, Neighborhood, Tiling

# Numbers of an intermediate: what stays in a core's cache, or what keeps a GPU busy. Larger ones would also be mapped
# and unmapped by the C library at every call, which costs more than filling them.
_CPU_PIECE = 1 << 19
_GPU_PIECE = 1 << 26


class Messages(Protocol):
    """Weights of all pairs, waiting for states."""

    def __call__(self, state: Tensor) -> Tensor:
        """States of the senders [B, N, F] to what each node receives, [B, N, F] in the state's dtype."""


class Edges(NamedTuple):
    """A graph as message passing sees it.

    Attributes:
        excite: excitatory weights.
        inhibit: inhibitory weights.
        reach: counts of edges, whatever their weight: who hears from whom.
    """

    excite: Messages
    inhibit: Messages
    reach: Messages


@dataclass(frozen=True)
class PairMessages:
    """Weights as they lie in a neighbourhood, for any layout; differentiable in weights and states.

    Attributes:
        weights: [B, T, R, C], 0 for pairs that do not exist.
        neighborhood: the pairs.
    """

    weights: Tensor
    neighborhood: Neighborhood

    def __call__(self, state: Tensor) -> Tensor:
        """See `Messages`."""
        return self.neighborhood.send(self.weights, state)


@dataclass(frozen=True)
class DenseMessages:
    """All pairs.

    Attributes:
        weights: [B, N, N], row = receiver.
    """

    weights: Tensor

    def __call__(self, state: Tensor) -> Tensor:
        """See `Messages`."""
        return (self.weights @ state.to(self.weights.dtype)).to(state.dtype)


@dataclass(frozen=True)
class TileMessages:
    """Square tiles of receivers with the halo that sends to them, and groups with shared far samples.

    Attributes:
        tiling: the tiles.
        local: [B, T, R, L], row = receiver, column = sender in the tile's halo.
        far: [B, G, F, M], row = receiver, one of a group's far samples, column = sender, one of the group's rows.
        groups: who stands in the groups; None without far pairs.
    """

    tiling: Tiling
    local: Tensor
    far: Tensor | None
    groups: FarGroups | None
    _kept: dict[int, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, state: Tensor) -> Tensor:
        """See `Messages`; not differentiable."""
        sent = state.to(self.local.dtype)
        received = self.tiling.join(self._near(sent)).to(state.dtype)
        if self.far is None or self.groups is None:
            return received
        flat = self._flat(sent)
        torch.matmul(self.far, self.groups.of_rows(sent), out=flat[:-1].view(*self.far.shape[:3], -1))
        return received + self.groups.sum_flat(flat).to(state.dtype)

    def _flat(self, sent: Tensor) -> Tensor:
        """Where products with far samples are written, one by one, and a last row of zeros; made once.

        New memory at every call would cost more than filling it.
        """
        width = sent.shape[-1]
        if self.far is not None and width not in self._kept:
            self._kept[width] = sent.new_zeros(self.far.shape[:3].numel() + 1, width)
        return self._kept[width]

    def _near(self, sent: Tensor) -> Tensor:
        """What the tiles receive from their halos, [B, T, R, F]; halos are copied a few rows of tiles at a time."""
        halos = self.tiling.halos(sent)
        weights = self.local.unflatten(1, self.tiling.counts)
        received = sent.new_empty(*weights.shape[:4], sent.shape[-1])
        for image, rows in pieces(halos.shape[:2], halos[0, 0].numel(), sent.device):
            nodes = halos[image, rows].flatten(-3, -2)
            torch.matmul(weights[image, rows], nodes, out=received[image, rows])
        return received.flatten(1, 2)


def pieces(counts: Sequence[int], size: int, device: torch.device) -> Iterator[tuple[int | slice, slice]]:
    """Images and rows (of tiles, or groups) to work on at a time, in order.

    Args:
        counts: images, and rows of each.
        size: of a row's largest intermediate, in numbers.
        device: a core's cache holds little, a GPU wants much at once.
    """
    num_images, num_rows = counts
    most = (_CPU_PIECE if device.type == "cpu" else _GPU_PIECE) // max(1, size)
    if most >= num_images * num_rows:
        yield slice(None), slice(None)
        return
    most = max(1, most)
    for image in range(num_images):
        for begin in range(0, num_rows, most):
            yield image, slice(begin, begin + most)


@dataclass(frozen=True)
class TileReach:
    """How many edges end at each node, by counting senders in windows and groups: no weight is looked at.

    Attributes:
        tiling: the tiles.
        groups: far samples, if any.
    """

    tiling: Tiling
    groups: FarGroups | None

    def __call__(self, state: Tensor) -> Tensor:
        """See `Messages`; states are 0 or 1, and counts are not exact but positive where they should be."""
        grid = state.transpose(1, 2).unflatten(2, (self.tiling.height, self.tiling.width))
        radius = self.tiling.radius
        near = torch.nn.functional.max_pool2d(grid, 2 * radius + 1, stride=1, padding=radius).flatten(2)
        received = near.transpose(1, 2)
        if self.groups is None:
            return received
        heard = self.groups.of_rows(state).amax(dim=2, keepdim=True)
        heard = heard.expand(-1, -1, self.groups.columns.shape[-1], -1)
        return received + self.groups.sum_at_columns(heard)
