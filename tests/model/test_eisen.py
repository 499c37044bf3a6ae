"""The network as a whole: sizes, levels, grouping of perfect affinities, determinism."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from eisen_ray.errors import ConfigError
from eisen_ray.model.affinity import AffinityHead, affinity_logits, scaled_query
from eisen_ray.model.affinity_graph import AffinityGraph
from eisen_ray.model.best_segments import best_segments
from eisen_ray.model.competition import Competition
from eisen_ray.model.eisen import Eisen, Grouping, enlarged
from eisen_ray.model.kprop import KProp
from eisen_ray.model.neighbors import NeighborSampler
from eisen_ray.model.small_backbone import SmallBackbone
from tests.golden_cases import load, same_partition
from tests.layouts import as_numpy, assert_close, seeded


def small_model(scope: str = "local+far") -> Eisen:
    torch.manual_seed(0)
    backbone = SmallBackbone()
    grouping = Grouping(KProp(5), Competition(8), min_region_nodes=4)
    sampler = NeighborSampler(scope=scope, window=5, num_far=16, tile_size=4)
    return Eisen(backbone, AffinityHead(backbone.out_channels, 16), sampler, grouping).eval()


@pytest.fixture(scope="module")
def model() -> Eisen:
    return small_model()


def images(batch: int = 2, height: int = 32, width: int = 48, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 3, height, width), generator=seeded(seed), dtype=torch.uint8)


@pytest.mark.parametrize(("height", "width"), [(32, 48), (33, 47), (50, 36)])
def test_segments_have_a_quarter_of_the_image_size(model: Eisen, height: int, width: int) -> None:
    segments = model.segment(images(2, height, width), seeded())
    assert segments.shape == (2, -(-height // 4), -(-width // 4))
    assert segments.dtype == torch.int64
    assert segments.min() >= 0


@pytest.mark.parametrize(("factor", "grid"), [(1.5, (12, 18)), (2, (16, 24)), (1.3, (10, 16))])
def test_an_enlarging_network_segments_what_it_would_of_the_larger_picture(
    factor: float, grid: tuple[int, int]
) -> None:
    plain, enlarging = small_model(), small_model()
    enlarging.enlarge = factor
    found = enlarging.segment(images(), seeded())
    assert found.shape == (2, *grid)
    assert torch.equal(found, plain.segment(enlarged(images(), factor), seeded()))
    # Training is the same.
    assert torch.equal(enlarging(images(), seeded())[0].logits, plain(images(), seeded())[0].logits)


@pytest.mark.parametrize(("factor", "width"), [(1, 48), (1, 45), (1.5, 45)])
def test_with_a_mirror_a_pair_is_the_mean_of_what_it_is_in_both(factor: float, width: int) -> None:
    model = small_model()
    batch = images(2, 32, width)
    query, key, grid = model.embed_views(batch, factor, mirror=True)
    larger = enlarged(batch, factor).float()
    # The last nodes are filled up with the last column of pixels, on the same side of the scene in both.
    larger = torch.nn.functional.pad(larger, (0, -larger.shape[-1] % 4, 0, 0), mode="replicate")
    seen = [affinity_of_all(model, view) for view in (larger, larger.flip(-1))]
    place = torch.arange(grid[0] * grid[1]).view(grid).flip(1).flatten()
    mean = (seen[0] + seen[1][:, place][:, :, place]) / 2
    torch.testing.assert_close(scaled_query(query) @ key.transpose(1, 2), mean, rtol=1e-4, atol=1e-5)
    assert grid == (larger.shape[-2] // 4, larger.shape[-1] // 4)


def affinity_of_all(model: Eisen, views: torch.Tensor) -> torch.Tensor:
    query, key, _ = model.embed(views)
    return scaled_query(query) @ key.transpose(1, 2)


def test_a_network_with_a_mirror_segments_by_both_and_learns_without() -> None:
    plain, mirroring = small_model(), small_model()
    mirroring.mirror = True
    graph, grid = mirroring.graph(images(), seeded())
    assert graph.query.shape[-1] == 2 * plain.graph(images(), seeded())[0].query.shape[-1]
    # What stands in the mirror of a picture is the mirror of what stands in it.
    flipped, _ = mirroring.graph(images().flip(-1), seeded())
    place = torch.arange(grid[0] * grid[1]).view(grid).flip(1).flatten()
    one, other = (scaled_query(found.query) @ found.key.transpose(1, 2) for found in (graph, flipped))
    torch.testing.assert_close(one, other[:, place][:, :, place], rtol=1e-4, atol=1e-5)
    assert torch.equal(mirroring(images(), seeded())[0].logits, plain(images(), seeded())[0].logits)


def test_a_run_is_chosen_from_its_own_passes() -> None:
    model = small_model()
    with torch.no_grad():
        for weights in model.head.parameters():
            weights.mul_(8)  # passes differ
    batch = images(2, 33, 47)
    passes = model.segment_runs(batch, seeded(), 6).numpy()
    model.snap, model.num_passes = 0.05, 3
    found = model.segment_runs(batch, seeded(), 2)
    assert found.shape == (2, 2, 9, 12)
    pictures = batch.permute(0, 2, 3, 1).numpy()
    for run, place in itertools.product(range(2), range(2)):
        own = passes[3 * run : 3 * run + 3, place]
        assert np.array_equal(found[run, place], best_segments(own, pictures[place], 0.05, 4))
        assert not np.array_equal(found[run, place], own[0]), "it is a choice"
    floats = model.segment_runs(batch.float(), seeded(), 2)
    assert torch.equal(floats, found)
    assert torch.equal(model.segment(batch, seeded()), model.segment_runs(batch, seeded(), 1)[0])


def test_enlarged_pictures_keep_their_values() -> None:
    even = torch.full((1, 3, 10, 14), 77, dtype=torch.uint8)
    larger = enlarged(even, 2)
    assert larger.shape == (1, 3, 20, 28)
    assert torch.equal(larger, torch.full_like(larger, 77.0))
    assert enlarged(even, 1) is even


def test_equal_generators_give_equal_segments(model: Eisen) -> None:
    torch.manual_seed(1)
    one = model.segment(images(), seeded(3))
    torch.manual_seed(2)
    assert torch.equal(one, model.segment(images(), seeded(3)))


def test_bytes_and_floats_of_the_same_values_agree(model: Eisen) -> None:
    one, other = model.embed(images()), model.embed(images().float())
    assert_close(one[0], other[0], 0)


def test_training_levels_are_plain_subsampling_with_fresh_samples(model: Eisen) -> None:
    levels = model(images(), seeded(), num_levels=3)
    query, key, (height, width) = model.embed(images())
    for level, stride in zip(levels, (1, 2, 4), strict=True):
        thin = [nodes.unflatten(1, (height, width))[:, ::stride, ::stride].flatten(1, 2) for nodes in (query, key)]
        assert level.stride == stride
        assert_close(level.logits, affinity_logits(*thin, level.neighborhood), 1e-5)
    assert not torch.equal(levels[0].neighborhood.far.columns, model(images(), seeded(1))[0].neighborhood.far.columns)


@pytest.mark.parametrize(("plane", "stride"), [("ds_stride2", 2), ("ds_stride4", 4)])
def test_subsampling_takes_the_top_left_of_each_cell_as_in_case_03(plane: str, stride: int) -> None:
    case = load("03")
    np.testing.assert_array_equal(case["ds_in"][..., ::stride, ::stride], case[plane])


def test_every_parameter_gets_a_gradient(model: Eisen) -> None:
    model.zero_grad()
    sum(level.logits.square().sum() for level in model(images(), seeded(), num_levels=2)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    model.zero_grad()


def test_autocast_leaves_logits_in_full_precision(model: Eisen) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        levels = model(images(), seeded())
    assert levels[0].logits.dtype == torch.float32


def test_runs_differ_in_their_draws_but_share_affinities(model: Eisen) -> None:
    runs = model.segment_runs(images(), seeded(), num_runs=3)
    assert runs.shape == (3, 2, 8, 12)
    again = model.segment_runs(images(), seeded(), num_runs=3)
    assert torch.equal(runs, again)


@pytest.mark.parametrize("mutual", [False, True])
def test_plateaus_are_those_of_the_edges_that_were_asked_for(model: Eisen, mutual: bool) -> None:
    images = torch.randint(0, 256, (2, 3, 32, 40), generator=seeded(), dtype=torch.uint8)
    drawn, _ = model.graph(images, seeded(1))
    query, key = (2 * torch.randn(drawn.query.shape, generator=seeded(seed)) for seed in (3, 4))
    graph = AffinityGraph(query, key, drawn.neighborhood)
    kprop = KProp(3, 0.5, start="all")
    grouping = Grouping(kprop, Competition(), plateau_width=8, mutual=mutual)
    start, active = grouping.starts(2, graph.neighborhood.num_nodes, seeded(2), 1)
    expected, other = (kprop.run(graph.edges(0.5, mutual=way), start, active) for way in (mutual, not mutual))
    assert_close(grouping.plateaus(graph, seeded(2)), expected, 1e-4)
    assert not torch.allclose(expected, other, atol=1e-2)


def test_segmenting_needs_no_gradient(model: Eisen) -> None:
    graph, _ = model.graph(images(), seeded())
    assert not graph.affinity().requires_grad


def ellipses(height: int, width: int) -> torch.Tensor:
    """Background 0 and three objects: int64 [H, W]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    scene = torch.zeros(height, width, dtype=torch.long)
    for name, (top, left, high, wide) in enumerate([(6, 7, 5, 5), (16, 10, 4, 7), (10, 21, 7, 5)], start=1):
        scene[((y - top) / high) ** 2 + ((x - left) / wide) ** 2 <= 1] = name
    return scene


@pytest.mark.parametrize("readout", ["competition", "argmax"])
@pytest.mark.parametrize(("scope", "sampling"), [("full", "tile"), ("local+far", "tile"), ("local+far", "row")])
def test_perfect_affinities_give_back_the_objects(scope: str, sampling: str, readout: str) -> None:
    scene = ellipses(24, 28)
    label = torch.nn.functional.one_hot(scene.flatten(), 4).float()[None] * 40**0.5
    pairs = NeighborSampler(scope, window=7, num_far=60, sampling=sampling, tile_size=8)(24, 28, 1, seeded())
    grouping = Grouping(KProp(), Competition(), readout, min_region_nodes=5)
    segments = grouping(AffinityGraph(label, label, pairs), (24, 28), seeded(1))[0, 0]
    if readout == "competition":
        assert same_partition(as_numpy(segments), as_numpy(scene))
    else:
        assert segments.max() >= 4


def test_an_empty_plateau_is_refused() -> None:
    with pytest.raises(ConfigError):
        Grouping(KProp(), Competition(), plateau_width=0)
