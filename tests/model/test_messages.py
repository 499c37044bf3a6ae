"""Weights by receiver against the same weights pair by pair, and strided tiles against gathers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eisen_ray.model.messages import DenseMessages, PairMessages, TileMessages, TileReach
from eisen_ray.model.pair_layout import Neighborhood
from tests.layouts import GRIDS, assert_close, neighborhood_of, num_columns, random_nodes, seeded

BATCH = 2


@pytest.fixture(params=[(kind, *grid) for kind in ("tile", "local") for grid in GRIDS], ids=str)
def pairs(request: pytest.FixtureRequest) -> Neighborhood:
    kind, height, width, tile = request.param
    return neighborhood_of(kind, height, width, BATCH, tile)


def test_blocks_and_halos_are_what_rows_and_columns_name(pairs: Neighborhood) -> None:
    nodes = random_nodes(BATCH, pairs.num_nodes, 3)
    padded = torch.cat([nodes, torch.zeros(BATCH, 1, 3, dtype=nodes.dtype)], dim=1)
    assert pairs.tiling is not None
    assert torch.equal(pairs.tiling.blocks(nodes), padded[:, pairs.rows[0]])
    halos = pairs.tiling.halos(nodes).flatten(3, 4).flatten(1, 2)
    assert torch.equal(halos, padded[:, pairs.columns[0]])
    assert torch.equal(pairs.tiling.join(pairs.tiling.blocks(nodes)), nodes)


def test_far_samples_sum_up_at_their_nodes() -> None:
    groups = neighborhood_of("tile", 7, 10, BATCH).far
    assert groups is not None
    values = torch.rand(*groups.columns.shape, 3, generator=seeded(), dtype=torch.float64)
    expected = torch.zeros(BATCH, 70, 3, dtype=torch.float64)
    for image in range(BATCH):
        expected[image].index_add_(0, groups.columns[image].flatten(), values[image].flatten(0, 1))
    assert_close(groups.sum_at_columns(values), expected, 1e-12)


def by_receiver(pairs: Neighborhood, weights: Tensor) -> TileMessages:
    """Weights [B, T, R, C] of a tiled neighbourhood, found pair by pair."""
    table = torch.zeros(BATCH, pairs.num_nodes + 1, pairs.num_nodes + 1, dtype=weights.dtype)
    num_local = pairs.columns.shape[-1]
    rows, columns = pairs.rows[0][:, :, None], pairs.columns[0][:, None, :]
    table[:, rows.expand(-1, -1, num_local), columns.expand(-1, rows.shape[1], -1)] += weights[..., :num_local]
    # Receivers are the rows of a tile, senders its halo: the same places, read the other way round.
    local = table[:, columns.expand(-1, rows.shape[1], -1), rows.expand(-1, -1, num_local)] * pairs.allowed
    far = None if pairs.far is None else pairs.far.to_groups(weights[..., num_local:]).transpose(-1, -2)
    assert pairs.tiling is not None
    return TileMessages(pairs.tiling, local, far, pairs.far)


def test_tiles_by_receiver_send_the_same(pairs: Neighborhood) -> None:
    shape = (BATCH, *pairs.rows.shape[1:], num_columns(pairs))
    weights = torch.rand(shape, generator=seeded(1), dtype=torch.float64) * pairs.inside()
    state = random_nodes(BATCH, pairs.num_nodes, 4)
    assert_close(by_receiver(pairs, weights)(state), PairMessages(weights, pairs)(state), 1e-12)


def test_reach_finds_every_receiver_and_no_other(pairs: Neighborhood) -> None:
    edges = pairs.inside().expand(BATCH, -1, -1, num_columns(pairs)).double()
    senders = (torch.rand(BATCH, pairs.num_nodes, 2, generator=seeded(3)) < 0.03).double()
    assert senders.sum() > 0
    assert pairs.tiling is not None
    found = TileReach(pairs.tiling, pairs.far)(senders) > 0
    assert torch.equal(found, PairMessages(edges, pairs)(senders) > 0)


def test_dense_weights_stand_by_receiver() -> None:
    weights, state = random_nodes(BATCH, 5, 5), random_nodes(BATCH, 5, 3)
    assert_close(DenseMessages(weights)(state), torch.einsum("brs,bsf->brf", weights, state), 1e-12)


def test_reduced_precision_gives_back_the_type_of_the_state() -> None:
    state = torch.rand(1, 5, 3, generator=seeded())
    weights = torch.rand(1, 5, 5, generator=seeded(1))
    received = DenseMessages(weights.bfloat16())(state)
    assert received.dtype == torch.float32
    assert_close(received, weights @ state, 2e-2)
