"""Products over pairs against loops over the listed pairs, one by one."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

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
        local = zip(columns[b][t], allowed_of(pairs, b, t, r), strict=True)
        table.append([(row, column, exists) for column, exists in local] + [(row, column, True) for column in far])
    parts = np.array(table).reshape(BATCH, len(rows[0]), len(rows[0][0]), -1, 3)
    return Listed(parts[..., 0], parts[..., 1], parts[..., 2].astype(bool))


def allowed_of(pairs: Neighborhood, b: int, t: int, r: int) -> list[bool]:
    if pairs.allowed is None:
        return [True] * pairs.columns.shape[-1]
    return (pairs.allowed[r] if pairs.allowed.ndim == 2 else pairs.allowed[b, t, r]).tolist()


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


def some_wanted(num_nodes: int) -> Tensor:
    """About a fifth of the nodes of the first image, and none of a corner's; two nodes of the second."""
    wanted = torch.rand(BATCH, num_nodes, generator=seeded(7)) < 0.2
    wanted[1] = False
    wanted[1, [0, num_nodes - 1]] = True
    return wanted


@pytest.fixture(params=[(kind, *grid) for kind in KINDS for grid in GRIDS], ids=str)
def whole(request: pytest.FixtureRequest) -> Neighborhood:
    return layout_of(*request.param)


@pytest.fixture(params=[False, True], ids=["all rows", "kept rows"])
def pairs(request: pytest.FixtureRequest, whole: Neighborhood) -> Neighborhood:
    return whole.keep_rows(some_wanted(whole.num_nodes)) if request.param else whole


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


def test_send_adds_up_listed_pair_by_listed_pair(whole: Neighborhood) -> None:
    places = listed(whole)
    inside = places.exists & (places.row < whole.num_nodes) & (places.column < whole.num_nodes)
    weights = np.random.default_rng(0).random(places.row.shape) * inside
    state = random_nodes(BATCH, whole.num_nodes, 2)
    expected = np.zeros(state.shape)
    for place in zip(*inside.nonzero(), strict=True):
        b = place[0]
        expected[b, places.column[place]] += weights[place] * as_numpy(state)[b, places.row[place]]
    assert_close(whole.send(torch.from_numpy(weights), state), expected)


def test_every_node_owns_exactly_one_row(whole: Neighborhood) -> None:
    owners = whole.rows[whole.rows < whole.num_nodes]
    assert owners.sort().values.tolist() == list(range(whole.num_nodes))
    if whole.far is not None:
        members = whole.far.rows[whole.far.rows < whole.num_nodes]
        assert members.sort().values.tolist() == list(range(whole.num_nodes))


def by_node(pairs: Neighborhood, values: Tensor) -> dict[tuple[int, int], Tensor]:
    """Values [B, T, R, C] of each row by (image, row node); padding rows are left out."""
    rows = pairs.rows.expand(BATCH, -1, -1)
    return {
        (b, int(rows[b, t, r])): values[b, t, r]
        for b in range(BATCH)
        for t in range(rows.shape[1])
        for r in range(rows.shape[2])
        if rows[b, t, r] < pairs.num_nodes
    }


def test_kept_rows_hold_what_they_hold_in_the_whole(whole: Neighborhood) -> None:
    wanted = some_wanted(whole.num_nodes)
    kept = whole.keep_rows(wanted)
    query, key = (random_nodes(BATCH, whole.num_nodes, 3, seed) for seed in (1, 2))
    values = torch.arange(1, BATCH * whole.num_nodes + 1).view(BATCH, -1)
    for read in (
        lambda pairs: pairs.dot(query, key),
        lambda pairs: pairs.column_values(values),
        lambda pairs: pairs.inside().expand(pairs.dot(query, key).shape),
    ):
        before, after = by_node(whole, read(whole)), by_node(kept, read(kept))
        assert set(after) == {(b, n) for b, n in wanted.nonzero().tolist()}
        for name, row in after.items():
            assert_close(row.double(), before[name].double(), 1e-12)
    in_tile = whole.gather_rows(wanted[..., None])[..., 0].sum(-1)
    assert kept.rows.shape[-1] == in_tile.max(), "no more rows than the fullest tile needs"
    assert not kept.full


def test_no_wanted_row_leaves_only_padding(whole: Neighborhood) -> None:
    kept = whole.keep_rows(torch.zeros(BATCH, whole.num_nodes, dtype=torch.bool))
    assert (kept.rows == whole.num_nodes).all()
    assert not kept.inside().any()
    query = random_nodes(BATCH, whole.num_nodes, 3)
    assert (kept.dot(query, query) == 0).all()


def test_gradients_reach_queries_and_keys_through_kept_rows(whole: Neighborhood) -> None:
    wanted = some_wanted(whole.num_nodes)
    query, key = (random_nodes(BATCH, whole.num_nodes, 3, seed).requires_grad_() for seed in (1, 2))
    whole.keep_rows(wanted).dot(query, key).square().sum().backward()
    idle = query.grad.abs().sum(-1) == 0
    assert torch.equal(~idle, wanted), "only wanted rows ask"
    column = int(whole.columns[0, 0][whole.columns[0, 0] < whole.num_nodes][0])
    assert key.grad[0, column].abs().sum() > 0


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
