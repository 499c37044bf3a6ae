"""Edges from keys and queries against edges from the table of affinities, for every layout and in both precisions."""

from __future__ import annotations

import pytest
import torch

from eisen_ray.model import messages
from eisen_ray.model.affinity_graph import AffinityGraph, dense_edges, pair_edges, split_affinity
from eisen_ray.model.kprop import KProp, initial_active, initial_plateau
from tests.layouts import GRIDS, KINDS, assert_close, neighborhood_of, seeded

BATCH = 2


def graph_of(kind: str, height: int, width: int, tile: int) -> AffinityGraph:
    nodes = height * width
    query, key = (2 * torch.randn(BATCH, nodes, 6, generator=seeded(seed)) for seed in (1, 2))
    return AffinityGraph(query, key, neighborhood_of(kind, height, width, BATCH, tile))


@pytest.fixture(params=[(kind, *grid) for kind in KINDS for grid in GRIDS], ids=str)
def graph(request: pytest.FixtureRequest) -> AffinityGraph:
    return graph_of(*request.param)


@pytest.mark.parametrize("threshold", [0.3, 0.7])
@pytest.mark.parametrize("chunk", [1, 1 << 19])
@pytest.mark.parametrize("mutual", [False, True])
def test_edges_are_those_of_the_affinities(
    graph: AffinityGraph, threshold: float, chunk: int, mutual: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_CPU_PIECE", chunk)
    state = torch.rand(BATCH, graph.neighborhood.num_nodes, 5, generator=seeded(3))
    made = graph.edges(threshold, mutual=mutual)
    plain = pair_edges(graph.affinity(mutual), graph.neighborhood, threshold)
    assert_close(made.excite(state), plain.excite(state), 1e-4)
    assert_close(made.inhibit(state), plain.inhibit(state), 1e-4)
    assert torch.equal(made.reach(state) > 0, plain.reach(state) > 0)


def test_a_mutual_affinity_is_the_weaker_of_both_directions(graph: AffinityGraph) -> None:
    """Against a table of all pairs; a row's maximum is read off the affinity of 1 that it has there."""
    pairs = graph.neighborhood.of_image(0)
    owners, nodes = pairs.rows[0], torch.arange(pairs.num_nodes)
    columns = pairs.column_values(nodes[None] + 1.0)[0].long() - 1
    logits = graph.query[0] @ graph.key[0].T / graph.query.shape[-1] ** 0.5
    one_way, mutual = graph.affinity()[0], graph.affinity(mutual=True)[0]
    highest = torch.full((pairs.num_nodes,), -torch.inf)
    exists = pairs.inside()[0].expand(one_way.shape).nonzero()
    for tile, row, column in exists.tolist():
        owner = int(owners[tile, row])
        highest[owner] = logits[owner, columns[tile, row, column]] - one_way[tile, row, column].log()
    for tile, row, column in exists[::7].tolist():
        owner, other = int(owners[tile, row]), int(columns[tile, row, column])
        weaker = min(one_way[tile, row, column], (logits[other, owner] - highest[other]).exp())
        assert_close(mutual[tile, row, column], weaker, 1e-3)


@pytest.mark.parametrize("start", ["spread", "first", "all"])
def test_propagation_is_that_of_the_affinities(graph: AffinityGraph, start: str) -> None:
    nodes = graph.neighborhood.num_nodes
    plateau, active = initial_plateau(BATCH, nodes, 8, seeded()), initial_active(BATCH, nodes, seeded(1))
    kprop = KProp(5, 0.5, start=start)
    given = kprop(graph.affinity(), graph.neighborhood, plateau, active)
    assert_close(kprop.run(graph.edges(0.5), plateau, active), given, 1e-4)


@pytest.mark.parametrize("kind", ["full", "tile"])
def test_bf16_stays_close(kind: str) -> None:
    graph = graph_of(kind, 8, 12, 4)
    plateau, active = initial_plateau(BATCH, 96, 8, seeded()), initial_active(BATCH, 96, seeded(1))
    exact, reduced = (
        KProp(3, 0.5).run(graph.edges(0.5, dtype), plateau, active) for dtype in (torch.float32, torch.bfloat16)
    )
    cosine = torch.nn.functional.cosine_similarity(exact, reduced, dim=-1)
    assert reduced.dtype == torch.float32
    assert cosine.median() > 0.999
    assert cosine.mean() > 0.99
    assert not torch.equal(exact, reduced), "weights were not reduced"


def test_thresholds_leave_a_dead_zone() -> None:
    excite, inhibit = split_affinity(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]), 0.7)
    assert_close(excite, [0, 0, 0, 0.75, 1])
    assert_close(inhibit, [1, 0.75, 0, 0, 0])


def test_a_dense_graph_reaches_over_strong_edges_only() -> None:
    weights = torch.tensor([[[0.0, 0.4], [0.6, 0.0]]])
    reached = dense_edges(weights, torch.zeros_like(weights)).reach(torch.ones(1, 2, 1))
    assert (reached[0, :, 0] > 0).tolist() == [False, True]


def test_images_stand_for_themselves(graph: AffinityGraph) -> None:
    state = torch.rand(BATCH, graph.neighborhood.num_nodes, 3, generator=seeded(3))
    together = graph.edges(0.5)
    for image, alone in enumerate(graph.images()):
        own = alone.edges(0.5)
        for name in ("excite", "inhibit"):
            expected = getattr(together, name)(state)[image]
            assert_close(getattr(own, name)(state[[image]])[0], expected, 1e-5)
        assert_close(alone.affinity()[0], graph.affinity()[image], 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_strong_pair_outside_the_window_does_no_harm(dtype: torch.dtype) -> None:
    # Beside the window's maximum exp(logit) of the pair outside is infinite.
    graph = graph_of("tile", 8, 12, 4)
    strong = AffinityGraph(graph.query * 10, graph.key * 10, graph.neighborhood)
    logits = strong.query @ strong.key.transpose(1, 2)
    assert torch.isinf((logits - logits.median(dim=-1, keepdim=True).values).exp()).any()
    state = torch.rand(BATCH, 96, 5, generator=seeded(3))
    made, plain = strong.edges(0.5, dtype), pair_edges(strong.affinity(), graph.neighborhood, 0.5)
    assert_close(made.excite(state), plain.excite(state), 1e-2 if dtype == torch.float32 else 0.2)
    assert_close(made.inhibit(state), plain.inhibit(state), 1e-2 if dtype == torch.float32 else 0.2)
