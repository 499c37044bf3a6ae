"""Products over pairs against loops over the listed pairs, one by one."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import torch

from eisen_ray.model.neighbors import NeighborSampler, full_neighborhood
from eisen_ray.model.pair_layout import FarGroups, Neighborhood
from tests.layouts import as_numpy, assert_close, random_nodes, seeded

# Sides that are and are not multiples of the tile, a grid smaller than a tile.
GRIDS = [(4, 8, 4), (5, 7, 4), (3, 5, 8)]
KINDS = ["full", "row", "local", "tile"]
BATCH = 2


class Listed(NamedTuple):
    """What stands at every place of a tensor [B, T, R, C]; nodes may be N, outside the image."""

    row: np.ndarray
    column: np.ndarray
    exists: np.ndarray


def layout_of(kind: str, height: int, width: int, tile: int) -> Neighborhood:
    """All pairs, or a 3x3 window with or without 6 far samples."""
    if kind == "full":
        return full_neighborhood(height, width)
    scope, sampling = ("local", "tile") if kind == "local" else ("local+far", "row" if kind == "row" else "tile")
    sampler = NeighborSampler(scope=scope, window=3, num_far=6, sampling=sampling, tile_size=tile)
    return sampler(height, width, BATCH, seeded())


def listed(pairs: Neighborhood) -> Listed:
    """Every place of the layout by loops: local columns first, then the far samples of the row's group."""
    rows = pairs.rows.expand(BATCH, -1, -1).tolist()
    columns = pairs.columns.expand(BATCH, -1, -1).tolist()
    table = []
    for b, t, r in itertools.product(range(BATCH), range(len(rows[0])), range(len(rows[0][0]))):
        row, far = rows[b][t][r], far_of(pairs, b, t, r)
        local = zip(columns[b][t], allowed_of(pairs, r), strict=True)
        table.append([(row, column, exists) for column, exists in local] + [(row, column, True) for column in far])
    parts = np.array(table).reshape(BATCH, len(rows[0]), len(rows[0][0]), -1, 3)
    return Listed(parts[..., 0], parts[..., 1], parts[..., 2].astype(bool))


def allowed_of(pairs: Neighborhood, r: int) -> list[bool]:
    if pairs.allowed is None:
        return [True] * pairs.columns.shape[-1]
    return pairs.allowed[r].tolist()


def far_of(pairs: Neighborhood, b: int, t: int, r: int) -> list[int]:
    """Far samples of one row; a padding row has places for them, which hold no node."""
    if pairs.far is None:
        return []
    group_size = pairs.far.rows.shape[1]
    place = int(pairs.far.place.expand(BATCH, -1, -1)[b, t, r])
    if place == pairs.far.rows.numel():
        return [pairs.num_nodes] * pairs.far.columns.shape[-1]
    owner = pairs.rows.expand(BATCH, -1, -1)[b, t, r]
    assert pairs.far.rows.flatten()[place] == owner, "a row must stand in the group that holds its node"
    return pairs.far.columns[b, place // group_size].tolist()


@pytest.fixture(params=[(kind, *grid) for kind in KINDS for grid in GRIDS], ids=str)
def pairs(request: pytest.FixtureRequest) -> Neighborhood:
    return layout_of(*request.param)


IMAGE = np.arange(BATCH)[:, None, None, None]


def test_dot_is_the_product_of_every_listed_pair(pairs: Neighborhood) -> None:
    query, key = (random_nodes(BATCH, pairs.num_nodes, 3, seed) for seed in (1, 2))
    table = np.zeros((BATCH, pairs.num_nodes + 1, pairs.num_nodes + 1))  # by node; zeros outside
    table[:, :-1, :-1] = query @ key.transpose(1, 2)
    places = listed(pairs)
    assert_close(pairs.dot(query, key), table[IMAGE, places.row, places.column], 1e-12)


def test_column_values_are_those_of_the_column_node_and_zero_outside(pairs: Neighborhood) -> None:
    values = np.zeros((BATCH, pairs.num_nodes + 1), int)
    values[:, :-1] = np.arange(1, BATCH * pairs.num_nodes + 1).reshape(BATCH, -1)
    places = listed(pairs)
    owned = places.row < pairs.num_nodes
    found = as_numpy(pairs.column_values(torch.from_numpy(values[:, :-1])))
    np.testing.assert_array_equal(found[owned], values[IMAGE, places.column][owned])


def test_exists_and_inside_name_the_right_pairs(pairs: Neighborhood) -> None:
    places, given = listed(pairs), pairs.exists()
    shape = places.row.shape
    exists = torch.ones(shape, dtype=torch.bool) if given is None else given.expand(shape)
    np.testing.assert_array_equal(exists, places.exists)
    expected = places.exists & (places.row < pairs.num_nodes) & (places.column < pairs.num_nodes)
    np.testing.assert_array_equal(pairs.inside().expand(shape), expected)


def test_rows_gather_their_nodes_and_zeros_for_padding(pairs: Neighborhood) -> None:
    values = np.zeros((BATCH, pairs.num_nodes + 1, 2))
    values[:, :-1] = as_numpy(random_nodes(BATCH, pairs.num_nodes, 2))
    expected = values[IMAGE[..., 0], listed(pairs).row[..., 0]]
    assert_close(pairs.gather_rows(torch.from_numpy(values[:, :-1])), expected, 0)


def test_send_adds_up_listed_pair_by_listed_pair(pairs: Neighborhood) -> None:
    places = listed(pairs)
    inside = places.exists & (places.row < pairs.num_nodes) & (places.column < pairs.num_nodes)
    weights = np.random.default_rng(0).random(places.row.shape) * inside
    state = random_nodes(BATCH, pairs.num_nodes, 2)
    expected = np.zeros(state.shape)
    for place in zip(*inside.nonzero(), strict=True):
        b = place[0]
        expected[b, places.column[place]] += weights[place] * as_numpy(state)[b, places.row[place]]
    assert_close(pairs.send(torch.from_numpy(weights), state), expected)


def test_every_node_owns_exactly_one_row(pairs: Neighborhood) -> None:
    owners = pairs.rows[pairs.rows < pairs.num_nodes]
    assert owners.sort().values.tolist() == list(range(pairs.num_nodes))
    if pairs.far is not None:
        members = pairs.far.rows[pairs.far.rows < pairs.num_nodes]
        assert members.sort().values.tolist() == list(range(pairs.num_nodes))


def test_groups_and_tiles_are_two_orders_of_the_same_rows() -> None:
    pairs = layout_of("tile", 5, 7, 4)
    assert isinstance(pairs.far, FarGroups)
    in_groups = torch.rand(BATCH, *pairs.far.rows.shape, 6, generator=seeded())
    in_groups[:, pairs.far.rows == pairs.num_nodes] = 0
    in_tiles = pairs.far.to_tiles(in_groups)
    assert torch.equal(pairs.far.to_groups(in_tiles), in_groups)
    assert (in_tiles[:, pairs.rows[0] == pairs.num_nodes] == 0).all()


def test_a_pair_that_is_sampled_twice_counts_twice() -> None:
    pairs = Neighborhood(num_nodes=2, rows=torch.tensor([[[0], [1]]]), columns=torch.tensor([[[1, 1], [0, 2]]]))
    received = pairs.send(torch.ones(1, 2, 1, 2), torch.tensor([[[1.0], [10.0]]]))
    assert received.flatten().tolist() == [10.0, 2.0]
