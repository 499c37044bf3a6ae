"""Equations (2) to (4) against their twins, the golden tensors and what propagation is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.errors import ConfigError
from eisen_ray.model.affinity_graph import pair_edges
from eisen_ray.model.kprop import KProp, initial_active, initial_plateau
from eisen_ray.model.neighbors import full_neighborhood, row_neighborhood
from eisen_ray.model.pair_layout import Neighborhood
from tests import reference as twin
from tests.golden_cases import load
from tests.layouts import KINDS, as_numpy, assert_close, neighborhood_of, num_columns, row_view, seeded

RULES = {
    "release": twin.Rules(6, 0.7),
    "paper": twin.Rules(6, 0.5, start="first"),
    "all_at_once": twin.Rules(6, 0.6, start="all"),
    "project": twin.Rules(6, 0.5, start="first", project=True, epsilon=1e-3),
    "excite_only": twin.Rules(6, 0.5, inhibit=False),
    "inhibit_only": twin.Rules(6, 0.5, excite=False),
    "softmax": twin.Rules(6, 0.5, norm="softmax"),
}


def kprop_of(rules: twin.Rules) -> KProp:
    return KProp(
        num_iterations=rules.num_iterations,
        threshold=rules.threshold,
        start=rules.start,
        excite=rules.excite,
        inhibit=rules.inhibit,
        norm=rules.norm,
        inhibition="project" if rules.project else "subtract",
        epsilon=rules.epsilon,
        norm_floor=rules.floor,
    )


def random_problem(neighborhood: Neighborhood, batch: int, width: int = 4) -> tuple[torch.Tensor, ...]:
    """Affinities, start and first senders in double precision; affinities 0 where pairs do not exist."""
    shape = (batch, *neighborhood.rows.shape[1:], num_columns(neighborhood))
    affinity = torch.rand(shape, generator=seeded(1), dtype=torch.float64)
    if neighborhood.exists() is not None:
        affinity = affinity * neighborhood.exists()
    plateau = initial_plateau(batch, neighborhood.num_nodes, width, seeded(2)).double()
    return affinity, plateau, initial_active(batch, neighborhood.num_nodes, seeded(3))


@pytest.mark.parametrize("start", ["spread", "all"])
@pytest.mark.parametrize(("tag", "threshold", "steps"), [("thr07_it25", 0.7, 25), ("thr05_it40", 0.5, 40)])
def test_eq02_eq03_eq04_match_case_04(tag: str, threshold: float, steps: int, start: str) -> None:
    case = load("04")
    name = "onenode" if start == "spread" else "all"
    kprop = KProp(num_iterations=steps, threshold=threshold, start=start)
    affinity, plateau = torch.from_numpy(case["A"])[:, None], torch.from_numpy(case["h0"])
    edges = pair_edges(affinity, full_neighborhood(6, 8), kprop.threshold)
    states = list(kprop.iterate(edges, plateau, torch.from_numpy(case["activated"]) > 0))
    assert len(states) == steps
    for iteration in (1, 2, 3):
        if f"{tag}_{name}_iter{iteration}" in case:
            assert_close(states[iteration - 1], case[f"{tag}_{name}_iter{iteration}"], 1e-5)
    assert_close(states[-1], case[f"{tag}_{name}_final"], 1e-5)


@pytest.mark.parametrize("name", ["project", "noproject"])
def test_eq02_eq03_eq04_match_case_14(name: str) -> None:
    case = load("14")
    inhibition = "project" if name == "project" else "subtract"
    kprop = KProp(40, 0.5, start="first", inhibition=inhibition, epsilon=0.0, norm_floor=1e-8)
    affinity, plateau = torch.from_numpy(case["A"])[:, None], torch.from_numpy(case["h0"])
    edges = pair_edges(affinity, full_neighborhood(6, 8), kprop.threshold)
    states = list(kprop.iterate(edges, plateau, torch.from_numpy(case["activated"]) > 0))
    for state, suffix in ((states[0], "iter1"), (states[1], "iter2"), (states[-1], "final")):
        assert_close(state, case[f"{name}_{suffix}"], 1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rules", list(RULES.values()), ids=list(RULES))
def test_eq02_eq03_eq04_match_their_twins(rules: twin.Rules, kind: str) -> None:
    neighborhood = neighborhood_of(kind, 5, 6, 2)
    view = row_view(neighborhood, 2)
    affinity, plateau, active = random_problem(neighborhood, 2)
    kprop = kprop_of(rules)
    states = list(kprop.iterate(pair_edges(affinity, neighborhood, kprop.threshold), plateau, active))
    own = view.take(affinity)
    for b in range(2):
        graph = twin.graph_of(as_numpy(own[b]), as_numpy(view.columns[b]), dense=kind == "full")
        expected = twin.kprop(graph, as_numpy(plateau[b]), as_numpy(active[b]), rules)
        for state, same in zip(states, expected, strict=True):
            assert_close(state[b], same)


@pytest.mark.parametrize("inhibition", ["subtract", "project"])
def test_eq02_eq03_eq04_gradient_is_right(inhibition: str) -> None:
    neighborhood = row_neighborhood(torch.tensor([[[0, 1, 1], [1, 2, 3], [2, 0, 3]]]), 3)
    affinity, plateau, active = random_problem(neighborhood, 1, width=3)
    kprop = KProp(num_iterations=2, threshold=0.3, inhibition=inhibition, epsilon=1e-2)  # off the corner of the ReLU
    inputs = affinity.requires_grad_(), plateau.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, h: kprop(a, neighborhood, h, active), inputs, eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("kind", ["tile", "local"])
def test_tiles_and_rows_of_the_same_pairs_agree(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 7, 10, 2)
    view = row_view(neighborhood, 2)
    affinity, plateau, active = random_problem(neighborhood, 2)
    kprop = KProp(num_iterations=10, threshold=0.5)
    by_rows = kprop(view.take(affinity)[:, :, None], view.rows(), plateau, active)
    assert_close(kprop(affinity, neighborhood, plateau, active), by_rows)


def test_order_of_nodes_does_not_matter() -> None:
    neighborhood = full_neighborhood(4, 5)
    affinity, plateau, active = random_problem(neighborhood, 1)
    order = torch.randperm(20, generator=seeded())
    kprop = KProp(num_iterations=8, threshold=0.5)
    plain = kprop(affinity, neighborhood, plateau, active)
    shuffled = kprop(affinity[:, :, order][..., order], neighborhood, plateau[:, order], active[:, order])
    assert_close(shuffled, plain[:, order])


def test_images_of_a_batch_do_not_mix() -> None:
    neighborhood = full_neighborhood(4, 5)
    affinity, plateau, active = random_problem(neighborhood, 3)
    kprop = KProp(num_iterations=8, threshold=0.5)
    together = kprop(affinity, neighborhood, plateau, active)
    for b in range(3):
        alone = kprop(affinity[b : b + 1], neighborhood, plateau[b : b + 1], active[b : b + 1])
        assert_close(together[b], alone[0])


@pytest.mark.parametrize("kind", ["full", "tile", "row"])
@pytest.mark.parametrize("start", ["spread", "first", "all"])
def test_passes_run_together_as_they_would_alone(start: str, kind: str) -> None:
    neighborhood = neighborhood_of(kind, 5, 6, 2)
    affinity, _, _ = random_problem(neighborhood, 2)
    plateau = initial_plateau(2, 30, 4, seeded(2), num_runs=3).double()
    active = torch.stack([initial_active(2, 30, seeded(seed)) for seed in range(3)], dim=-1)
    kprop = KProp(num_iterations=6, threshold=0.5, start=start)
    together = kprop(affinity, neighborhood, plateau, active)
    assert together.shape == (2, 30, 3, 4)
    for run in range(3):
        alone = kprop(affinity, neighborhood, plateau[:, :, run], active[..., run])
        assert_close(together[:, :, run], alone)


def chain(num_nodes: int) -> tuple[Neighborhood, torch.Tensor]:
    """Every node samples itself and the next node, with affinity 1."""
    nodes = torch.arange(num_nodes)
    columns = torch.stack([nodes, nodes + 1], dim=-1)[None]
    return row_neighborhood(columns, num_nodes), torch.ones(1, num_nodes, 1, 2)


@pytest.mark.parametrize(("start", "changed"), [("spread", [1, 2, 3, 4, 5]), ("first", [1, 6, 6, 6, 6])])
def test_one_active_node_spreads(start: str, changed: list[int]) -> None:
    neighborhood, affinity = chain(7)
    plateau = torch.nn.functional.normalize(initial_plateau(1, 7, 5, seeded()).double(), dim=-1)
    active = torch.zeros(1, 7, dtype=torch.bool)
    active[0, 1] = True
    states = KProp(num_iterations=5, start=start).iterate(
        pair_edges(affinity.double(), neighborhood, 0.7), plateau, active
    )
    # Node 1 sends to itself, which changes nothing, and to node 2; node 0 receives from itself alone.
    assert [int(((state - plateau)[0].abs().amax(-1) > 1e-9).sum()) for state in states] == changed


def test_the_start_node_matters_only_through_who_sends() -> None:
    neighborhood = neighborhood_of("tile", 5, 6, 1)
    affinity, plateau, active = random_problem(neighborhood, 1)
    everyone = torch.ones_like(active)
    for start in ("spread", "first"):
        assert_close(
            KProp(5, 0.5, start=start)(affinity, neighborhood, plateau, everyone),
            KProp(5, 0.5, start="all")(affinity, neighborhood, plateau, active),
        )


def test_nothing_is_sent_in_the_dead_zone() -> None:
    neighborhood = full_neighborhood(3, 4)
    _, plateau, active = random_problem(neighborhood, 1)
    unit = torch.nn.functional.normalize(plateau, dim=-1)
    for value in (0.31, 0.5, 0.7):  # with t = 0.7 neither A > t nor 1 - A > t
        affinity = torch.full((1, 1, 12, 12), value, dtype=torch.float64)
        assert_close(KProp(3, 0.7, start="all")(affinity, neighborhood, plateau, active), unit)


def test_both_messages_off_only_normalises() -> None:
    neighborhood = neighborhood_of("tile", 5, 6, 1)
    affinity, plateau, active = random_problem(neighborhood, 1)
    out = KProp(4, excite=False, inhibit=False)(affinity, neighborhood, plateau, active)
    assert_close(out, torch.nn.functional.normalize(plateau, dim=-1))


def test_perfect_affinities_make_flat_orthogonal_plateaus() -> None:
    objects = torch.tensor([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2])
    affinity = (objects[:, None] == objects).double()[None, None]
    neighborhood = full_neighborhood(3, 6)
    plateau = initial_plateau(1, 18, 16, seeded()).double()
    out = KProp()(affinity, neighborhood, plateau, initial_active(1, 18, seeded(1)))[0]
    assert_close(out.norm(dim=-1), torch.ones(18))
    cosine = out @ out.T
    same = objects[:, None] == objects
    assert cosine[same].min() > 0.999
    assert cosine[~same].max() < 1e-3
    excite_only = KProp(inhibit=False)(affinity, neighborhood, plateau, initial_active(1, 18, seeded(1)))[0]
    assert (excite_only @ excite_only.T)[~same].min() > 0.5, "without inhibition objects stay similar"


def test_start_is_positive_sums_to_one_and_comes_from_the_generator() -> None:
    plateau = initial_plateau(2, 30, 8, seeded(4))
    assert (plateau > 0).all()
    assert_close(plateau.sum(-1), torch.ones(2, 30), 1e-6)
    assert torch.equal(plateau, initial_plateau(2, 30, 8, seeded(4)))
    active = initial_active(50, 30, seeded(4))
    assert (active.sum(1) == 1).all()
    assert len(active.int().argmax(1).unique()) > 10, "images start at different nodes"


def test_normalisers_never_fall_below_one() -> None:
    columns = torch.tensor([[[1], [1]]])
    affinity = torch.tensor([0.8, 0.0], dtype=torch.float64).view(1, 2, 1, 1)
    plateau = torch.eye(2, dtype=torch.float64)[None]
    kprop = KProp(1, 0.7, start="all", inhibit=False)
    out = kprop(affinity, row_neighborhood(columns, 2), plateau, torch.ones(1, 2, dtype=torch.bool))
    expected = np.array([[1, 0], np.array([0.8, 1]) / np.hypot(0.8, 1)])
    assert_close(out[0], expected)


@pytest.mark.parametrize("arguments", [{"num_iterations": 0}, {"threshold": 1.0}, {"threshold": -0.1}])
def test_impossible_settings_are_refused(arguments: dict) -> None:
    with pytest.raises(ConfigError):
        KProp(**arguments)
