"""Which pairs exist: windows in tiles, far samples in groups, the same by rows, and all pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.errors import ConfigError
from eisen_ray.model.neighbors import NeighborSampler, full_neighborhood, row_neighborhood, window_indices
from tests import reference as twin
from tests.golden_cases import load
from tests.layouts import GRIDS, KINDS, assert_close, neighborhood_of, num_columns, random_nodes, row_view, seeded


@pytest.mark.parametrize(("name", "padding"), [("constant", "outside"), ("reflection", "reflect")])
def test_windows_match_case_01(name: str, padding: str) -> None:
    case = load("01")
    height, width = case["size"]
    np.testing.assert_array_equal(window_indices(height, width, int(case["K"]), padding), case[name])


@pytest.mark.parametrize(("height", "width", "tile"), GRIDS)
def test_tiles_hold_exactly_the_window_of_every_node(height: int, width: int, tile: int) -> None:
    local = NeighborSampler(scope="local", window=5, tile_size=tile)(height, width, 2, seeded())
    assert local.far is None
    np.testing.assert_array_equal(row_view(local, batch=1).columns[0], twin.window_columns(height, width, 5))


@pytest.mark.parametrize(("height", "width", "tile"), GRIDS)
def test_far_samples_follow_the_window(height: int, width: int, tile: int) -> None:
    view = row_view(NeighborSampler(window=3, num_far=7, tile_size=tile)(height, width, 2, seeded()), batch=2)
    assert view.columns.shape == (2, height * width, 9 + 7)
    for image in view.columns:
        np.testing.assert_array_equal(image[:, :9], twin.window_columns(height, width, 3))
        assert image[:, 9:].min() >= 0
        assert image[:, 9:].max() < height * width


def test_groups_are_scattered_over_the_image() -> None:
    far = NeighborSampler(window=3, num_far=7, tile_size=4)(16, 16, 1, seeded()).far
    assert far is not None
    assert far.rows.shape == (16, 16)
    assert far.rows.flatten().sort().values.tolist() == list(range(256))
    spread = (far.rows // 16).float().std(dim=1), (far.rows % 16).float().std(dim=1)
    assert torch.stack(spread).min() > 2.5, "a square tile of 4x4 nodes would have 1.2"


@pytest.mark.parametrize(("height", "width", "tile", "num_far"), [(8, 8, 4, 6), (7, 10, 4, 20), (16, 16, 8, 150)])
def test_every_node_is_dealt_to_equally_many_groups(height: int, width: int, tile: int, num_far: int) -> None:
    far = NeighborSampler(window=3, num_far=num_far, tile_size=tile)(height, width, 2, seeded()).far
    for columns in far.columns:
        counts = columns.flatten().bincount(minlength=height * width)
        assert counts.max() - counts.min() <= 1


def test_rows_draw_their_own_far_samples_uniformly() -> None:
    columns = NeighborSampler(window=3, num_far=70, sampling="row")(6, 8, 2, seeded()).columns
    np.testing.assert_array_equal(columns[0, :, :9], twin.window_columns(6, 8, 3))
    far = columns[:, :, 9:]
    assert len(far.reshape(96, 70).unique(dim=0)) == 96
    expected = far.numel() / 48
    assert (far.flatten().bincount(minlength=48) - expected).abs().max() < 5 * expected**0.5


@pytest.mark.parametrize("kind", ["tile", "row"])
def test_draws_come_from_the_generator_alone(kind: str) -> None:
    sampler = NeighborSampler(window=3, num_far=20, sampling=kind, tile_size=4)

    def draw(generator: torch.Generator) -> torch.Tensor:
        return row_view(sampler(8, 8, 2, generator), 2).columns

    generator = seeded(5)
    first, second = draw(generator), draw(generator)
    torch.manual_seed(0)
    assert torch.equal(first, draw(seeded(5)))
    assert not torch.equal(first, second), "far samples must be fresh at every call"
    assert not torch.equal(first[0], first[1]), "images must differ"


def test_full_scope_ignores_the_samples() -> None:
    neighborhood = NeighborSampler(scope="full", window=3)(3, 4, 2, seeded())
    assert neighborhood.full
    np.testing.assert_array_equal(neighborhood.rows, np.arange(12)[None, None])
    np.testing.assert_array_equal(neighborhood.columns, np.arange(12)[None, None])


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_and_rows_of_the_same_pairs_send_the_same(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 7, 10, 2)
    view = row_view(neighborhood, 2)
    shape = (2, *neighborhood.rows.shape[1:], num_columns(neighborhood))
    weights = torch.rand(shape, generator=seeded(1), dtype=torch.float64) * neighborhood.inside()
    state = random_nodes(2, 70, 3)
    assert_close(neighborhood.send(weights, state), view.rows().send(view.take(weights)[:, :, None], state))


def test_send_is_differentiable_in_weights_and_state() -> None:
    neighborhood = neighborhood_of("tile", 2, 3, 1, tile=2)
    inside = neighborhood.inside().double()
    weights = torch.rand(inside.shape, generator=seeded(), dtype=torch.float64, requires_grad=True)
    state = random_nodes(1, 6, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda w, s: neighborhood.send(w * inside, s), (weights, state))


def test_a_full_graph_sends_the_transposed_product() -> None:
    weights, state = random_nodes(2, 12, 12), random_nodes(2, 12, 3, seed=1)
    assert_close(full_neighborhood(3, 4).send(weights[:, None], state), weights.transpose(1, 2) @ state)


def test_rows_as_given_are_kept_as_given() -> None:
    samples = torch.tensor([[[1, 1, 2], [2, 0, 0]]])  # 2 = outside
    neighborhood = row_neighborhood(samples, 2)
    assert torch.equal(row_view(neighborhood, 1).columns, samples)
    received = neighborhood.send(torch.ones(1, 2, 1, 3), torch.tensor([[[1.0], [10.0]]]))
    assert received.flatten().tolist() == [20.0, 2.0]


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
