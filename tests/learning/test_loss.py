"""Equation (6) against its twin, the golden tensors and the matrices of equations (7) to (11)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from eisen_ray.learning.loss import affinity_loss
from eisen_ray.model.affinity import affinity_logits
from eisen_ray.model.neighbors import full_neighborhood, row_neighborhood
from tests import reference as twin
from tests.golden_cases import load, nodes
from tests.layouts import GRIDS, KINDS, as_numpy, assert_close, neighborhood_of, random_nodes, row_view, seeded


def random_labels(batch: int, num_nodes: int, highest: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, highest + 1, (batch, num_nodes), generator=seeded(seed))


@pytest.mark.parametrize("kind", ["sampled", "full"])
def test_eq06_matches_case_02(kind: str) -> None:
    case = load("02")
    query, key = (torch.from_numpy(nodes(case[name])).float().requires_grad_() for name in ("query", "key"))
    samples = torch.from_numpy(case["sample_inds"][2])
    neighborhood = row_neighborhood(samples, 80) if kind == "sampled" else full_neighborhood(8, 10)
    logits = affinity_logits(query, key, neighborhood)
    logits.retain_grad()
    total, rows = affinity_loss(logits, torch.from_numpy(case["segment_target_small"]), neighborhood)
    (total / rows).backward()
    assert_close(total / rows, case["loss" if kind == "sampled" else "loss_full"], 1e-5)
    if kind == "sampled":
        assert_close(logits.grad[:, :, 0], case["grad_logits"], 1e-6)
        assert_close(query.grad, nodes(case["grad_query"]), 1e-6)
        assert_close(key.grad, nodes(case["grad_key"]), 1e-6)


def test_eq06_of_an_empty_target_is_zero_with_zero_gradient() -> None:
    logits = torch.from_numpy(load("02")["logits"])[:, :, None].requires_grad_()
    neighborhood = row_neighborhood(torch.from_numpy(load("02")["sample_inds"][2]), 80)
    total, rows = affinity_loss(logits, torch.zeros(2, 80, dtype=torch.long), neighborhood)
    total.backward()
    assert (total.item(), rows.item()) == (float(load("03")["loss_empty_target"]), 0)
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("every_row", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width", "tile"), GRIDS[:3])
def test_eq06_and_its_gradient_match_their_twin(kind: str, height: int, width: int, tile: int, every_row: bool) -> None:
    neighborhood = neighborhood_of(kind, height, width, 2, tile)
    view = row_view(neighborhood, 2)
    query, key = (3 * random_nodes(2, height * width, 4, seed=s) for s in (1, 2))
    logits = affinity_logits(query, key, neighborhood).requires_grad_()
    labels = random_labels(2, height * width)
    total, rows = affinity_loss(logits, labels, neighborhood, every_row)
    total.backward()
    own, gradient = view.take(logits), view.take(logits.grad)
    parts = [
        twin.eq06_loss(as_numpy(own[b]), as_numpy(labels[b]), as_numpy(view.columns[b]), every_row) for b in range(2)
    ]
    assert_close(total, np.array(sum(part[0] for part in parts)), 1e-9)
    assert rows.item() == sum(part[1] for part in parts)
    for b in range(2):
        assert_close(gradient[b], parts[b][2])


def test_eq06_floor_takes_the_gradient_of_hopeless_positives() -> None:
    columns = torch.tensor([[[0, 1, 2], [0, 1, 2], [0, 1, 2]]])
    logits = torch.tensor([[30.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    logits = logits[None, :, None].requires_grad_()
    labels = torch.tensor([[1, 1, 0]])
    total, _ = affinity_loss(logits, labels, row_neighborhood(columns, 3))
    total.backward()
    expected, _, gradient = twin.eq06_loss(as_numpy(logits)[0, :, 0], labels[0].numpy(), columns[0].numpy())
    assert_close(total, np.array(expected))
    assert_close(logits.grad[0, :, 0], gradient)
    first = logits.grad[0, 0, 0]
    assert first[1].abs() < 1e-12, "the positive at p < 1e-8 pulls no more"


def test_eq06_label_map_stands_for_the_pair_matrices_of_eq07_to_eq11() -> None:
    """Row-wise KL of the masked matrices themselves, D-hat and C-hat, equals the loss of the one label map."""
    motion, teacher = (random_labels(1, 20, 2, seed)[0].numpy() for seed in (4, 5))
    connectivity, mask = twin.eq10_eq11(motion, teacher)
    logits = affinity_logits(random_nodes(1, 20, 4, 1), random_nodes(1, 20, 4, 2), full_neighborhood(4, 5))
    affinity = as_numpy(logits[0, 0].softmax(-1))
    expected = 0.0
    for a in range(20):
        target = mask[a] * connectivity[a]
        if target.sum() == 0:
            continue  # KL of an all-zero row
        assert mask[a].all(), "a row with a positive admits all its pairs"
        for b in np.flatnonzero(target):
            share = 1 / target.sum()
            expected += share * (math.log(share) - math.log(affinity[a, b]))
    labels = torch.from_numpy(twin.label_map(motion, teacher))[None]
    total, rows = affinity_loss(logits, labels, full_neighborhood(4, 5))
    assert_close(total, np.array(expected))
    assert rows.item() == ((motion > 0) | (teacher > 0)).sum()


@pytest.mark.parametrize("kind", ["tile", "local"])
def test_tiles_and_rows_of_the_same_pairs_agree(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 7, 10, 2)
    view = row_view(neighborhood, 2)
    query, key = random_nodes(2, 70, 4, 1).requires_grad_(), random_nodes(2, 70, 4, 2).requires_grad_()
    labels = random_labels(2, 70)
    results = []
    for pairs in (neighborhood, view.rows()):
        total, rows = affinity_loss(affinity_logits(query, key, pairs), labels, pairs)
        results.append((total, rows, *torch.autograd.grad(total, (query, key))))
    for ours, theirs in zip(*results, strict=True):
        assert_close(ours, theirs, 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_segments_do_not_matter(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 5, 6, 2)
    logits = affinity_logits(random_nodes(2, 30, 4, 1), random_nodes(2, 30, 4, 2), neighborhood)
    labels = random_labels(2, 30)
    renamed = torch.tensor([0, 900, 7, 2**40])[labels]
    assert_close(affinity_loss(logits, labels, neighborhood)[0], affinity_loss(logits, renamed, neighborhood)[0], 0)


def test_order_of_nodes_does_not_matter() -> None:
    query, key, labels = random_nodes(1, 20, 4, 1), random_nodes(1, 20, 4, 2), random_labels(1, 20)
    order = torch.randperm(20, generator=seeded())
    neighborhood = full_neighborhood(4, 5)
    plain = affinity_loss(affinity_logits(query, key, neighborhood), labels, neighborhood)
    shuffled = affinity_logits(query[:, order], key[:, order], neighborhood)
    assert_close(affinity_loss(shuffled, labels[:, order], neighborhood)[0], plain[0], 1e-9)


def test_samples_outside_the_image_are_negatives() -> None:
    columns = torch.tensor([[[0, 1], [1, 1]]])  # node 0 samples itself and a node; then the same place outside
    outside = torch.tensor([[[0, 2], [1, 1]]])
    labels = torch.tensor([[1, 0]])
    logits = torch.zeros(1, 2, 1, 2, dtype=torch.float64)
    for indices in (columns, outside):
        total, rows = affinity_loss(logits, labels, row_neighborhood(indices, 2))
        assert rows.item() == 1
        assert_close(total, np.array(math.log(2)))


def test_perfect_logits_cost_nothing_and_labels_of_others_are_negatives() -> None:
    labels = torch.tensor([[1, 1, 2, 2, 0]])
    same = labels[0][:, None] == labels[0]
    logits = torch.where(same, 0.0, -100.0).double()[None, None]
    neighborhood = full_neighborhood(1, 5)
    assert_close(affinity_loss(logits, labels, neighborhood)[0], np.array(0.0))
    worst, rows = affinity_loss(-logits, labels, neighborhood)
    assert rows.item() == 4
    assert_close(worst / rows, np.array(-math.log(2) - math.log(1e-8)), 1e-6)


def test_loss_is_the_same_on_every_call_and_finite_with_huge_logits() -> None:
    neighborhood = neighborhood_of("tile", 5, 6, 2)
    logits = 1e4 * affinity_logits(random_nodes(2, 30, 4, 1), random_nodes(2, 30, 4, 2), neighborhood).float()
    logits.requires_grad_()
    total, _ = affinity_loss(logits, random_labels(2, 30), neighborhood)
    total.backward()
    assert total.isfinite()
    assert logits.grad.isfinite().all()
