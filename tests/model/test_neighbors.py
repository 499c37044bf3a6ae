"""Which pairs exist, and messages along them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.errors import ConfigError
from eisen_ray.model.neighbors import NeighborSampler, full_neighborhood, row_neighborhood, window_indices
from tests import reference as twin
from tests.golden_cases import load
from tests.layouts import GRIDS, KINDS, assert_close, neighborhood_of, random_nodes, row_view, seeded


@pytest.mark.parametrize(("name", "padding"), [("constant", "outside"), ("reflection", "reflect")])
def test_windows_match_case_01(name: str, padding: str) -> None:
    case = load("01")
    height, width = case["size"]
    np.testing.assert_array_equal(window_indices(height, width, int(case["K"]), padding), case[name])


@pytest.mark.parametrize(("height", "width", "tile"), GRIDS)
def test_tiles_hold_exactly_the_window_of_every_node(height: int, width: int, tile: int) -> None:
    local = NeighborSampler(scope="local", window=5, tile_size=tile)(height, width, 2, seeded())
    view = row_view(local, batch=1)
    np.testing.assert_array_equal(view.columns[0], twin.window_columns(height, width, 5))


@pytest.mark.parametrize(("height", "width", "tile"), GRIDS)
def test_far_samples_follow_the_window_and_are_shared_in_a_tile(height: int, width: int, tile: int) -> None:
    sampler = NeighborSampler(window=3, num_far=7, tile_size=tile)
    view = row_view(sampler(height, width, 2, seeded()), batch=2)
    assert view.columns.shape == (2, height * width, 9 + 7)
    far = view.columns[..., 9:]
    assert far.min() >= 0
    assert far.max() < height * width
    for image in far:
        for t in view.tile.unique():
            assert len(image[view.tile == t].unique(dim=0)) == 1


def test_rows_draw_their_own_far_samples() -> None:
    columns = NeighborSampler(window=3, num_far=7, sampling="row")(6, 8, 2, seeded()).columns[:, :, :]
    np.testing.assert_array_equal(columns[0, :, :9], twin.window_columns(6, 8, 3))
    assert len(columns[:, :, 9:].reshape(96, 7).unique(dim=0)) > 90


@pytest.mark.parametrize("sampling", ["tile", "row"])
def test_far_samples_are_uniform_over_all_nodes(sampling: str) -> None:
    sampler = NeighborSampler(window=1, num_far=200, sampling=sampling, tile_size=2)
    far = row_view(sampler(6, 6, 4, seeded()), batch=4).columns[..., 1:]
    expected = far.numel() / 36
    counts = far.flatten().bincount(minlength=36)
    # Of tiles, one in four rows is an independent draw: five standard deviations of that.
    assert (counts - expected).abs().max() < 5 * 2 * expected**0.5


@pytest.mark.parametrize("sampling", ["tile", "row"])
def test_draws_come_from_the_generator_alone(sampling: str) -> None:
    sampler = NeighborSampler(window=3, num_far=20, sampling=sampling, tile_size=4)
    generator, again = seeded(5), seeded(5)
    first, second = sampler(8, 8, 2, generator), sampler(8, 8, 2, generator)
    torch.manual_seed(0)
    assert torch.equal(first.columns, sampler(8, 8, 2, again).columns)
    assert not torch.equal(first.columns, second.columns), "far samples must be fresh at every call"
    assert not torch.equal(first.columns[0], first.columns[1]), "images must differ"


def test_full_scope_ignores_the_samples() -> None:
    neighborhood = NeighborSampler(scope="full", window=3)(3, 4, 2, seeded())
    assert neighborhood.full
    assert neighborhood.rows.shape == (1, 12)
    np.testing.assert_array_equal(neighborhood.columns[0, 0], np.arange(12))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width", "tile"), GRIDS[:3])
def test_rows_gather_and_scatter_back(kind: str, height: int, width: int, tile: int) -> None:
    neighborhood = neighborhood_of(kind, height, width, 2, tile)
    values = random_nodes(2, height * width, 3)
    gathered = neighborhood.gather_rows(values)
    assert_close(neighborhood.scatter_rows(gathered), values, 0)
    padding = neighborhood.rows == height * width
    assert (gathered[:, padding] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_columns_gather_zero_outside_the_image(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 7, 10, 2)
    values = random_nodes(2, 70, 3)
    gathered = neighborhood.gather_columns(values)
    columns = neighborhood.columns.expand(2, -1, -1)
    assert (gathered[columns == 70] == 0).all()
    for b in range(2):
        inside = columns[b] < 70
        assert_close(gathered[b][inside], values[b][columns[b][inside]], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_is_every_existing_pair_with_both_ends_in_the_image(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 7, 10, 2)
    view = row_view(neighborhood, 2)
    inside = neighborhood.inside()
    assert int(inside.expand(2, -1, -1, -1).sum()) == int((view.columns < 70).sum())
    assert view.take(inside.expand(2, -1, -1, -1))[view.columns < 70].all()


@pytest.mark.parametrize("kind", KINDS)
def test_send_adds_up_what_every_sender_sends(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 7, 10, 2)
    view = row_view(neighborhood, 2)
    shape = (2, *neighborhood.rows.shape, neighborhood.columns.shape[-1])
    weights = torch.rand(shape, generator=seeded(1), dtype=torch.float64) * neighborhood.inside()
    state = random_nodes(2, 70, 3)
    received = neighborhood.send(weights, state)
    own = view.take(weights)
    for b in range(2):
        expected = np.zeros((70, 3))
        for i in range(70):
            for e, j in enumerate(view.columns[b, i].tolist()):
                if j < 70:
                    expected[j] += own[b, i, e].item() * state[b, i].numpy()
        assert_close(received[b], expected)


def test_a_pair_sampled_twice_counts_twice() -> None:
    neighborhood = row_neighborhood(torch.tensor([[[1, 1, 2], [2, 0, 0]]]), 2)  # 2 = outside
    received = neighborhood.send(torch.ones(1, 2, 1, 3), torch.tensor([[[1.0], [10.0]]]))
    assert received.flatten().tolist() == [20.0, 2.0]


def test_send_is_differentiable_in_weights_and_state() -> None:
    neighborhood = neighborhood_of("tile", 3, 4, 1)
    inside = neighborhood.inside().double()
    weights = torch.rand(inside.shape, generator=seeded(), dtype=torch.float64, requires_grad=True)
    state = random_nodes(1, 12, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda w, s: neighborhood.send(w * inside, s), (weights, state))


def test_transposed_product_of_full_neighborhood() -> None:
    weights, state = random_nodes(2, 12, 12), random_nodes(2, 12, 3, seed=1)
    received = full_neighborhood(3, 4).send(weights[:, None], state)
    assert_close(received, weights.transpose(1, 2) @ state)


@pytest.mark.parametrize(
    "call",
    [
        lambda: NeighborSampler(window=4),
        lambda: NeighborSampler(window=0),
        lambda: NeighborSampler(num_far=-1),
        lambda: NeighborSampler(tile_size=0),
        lambda: window_indices(4, 4, 2),
        lambda: window_indices(4, 9, 9, "reflect"),
    ],
)
def test_impossible_layouts_are_refused(call) -> None:
    with pytest.raises(ConfigError):
        call()
