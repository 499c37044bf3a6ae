"""Drawn rows: against equation (6) on the same rows, how often each is drawn, and what they teach."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eisen_ray.learning.drawn_loss import drawn_loss
from eisen_ray.learning.loss import affinity_loss
from eisen_ray.model.affinity import affinity_logits
from eisen_ray.model.neighbors import NeighborSampler
from eisen_ray.model.pair_layout import Neighborhood
from tests.layouts import assert_close, random_nodes, seeded

BATCH, SIDE = 3, 6
NODES = SIDE * SIDE


def inputs(spread: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    query, key = (spread * random_nodes(BATCH, NODES, 4, seed) for seed in (1, 2))
    labels = torch.zeros(BATCH, NODES, dtype=torch.long)
    labels[0, :20], labels[0, 20:24] = 1, 2
    labels[1, 5:8] = 4
    return query, key, labels  # the last image has none


def pairs(scope: str = "full", sampling: str = "tile", batch: int = BATCH) -> Neighborhood:
    return NeighborSampler(scope, window=3, num_far=7, sampling=sampling, tile_size=4)(SIDE, SIDE, batch, seeded(8))


def whole_mean(query: Tensor, key: Tensor, labels: Tensor, neighborhood: Neighborhood) -> float:
    """Equation (6) over all supervised rows."""
    total, rows = affinity_loss(affinity_logits(query, key, neighborhood), labels, neighborhood)
    return float(total / rows)


def drawn_mean(query: Tensor, key: Tensor, labels: Tensor, neighborhood: Neighborhood, num_rows: int) -> float:
    total, rows = drawn_loss(query, key, labels, neighborhood, seeded(7), num_rows)
    assert rows == num_rows * (labels > 0).any(dim=1).sum()
    return float(total / rows)


@pytest.mark.parametrize("spread", [2.0, 60.0])
@pytest.mark.parametrize(
    ("scope", "sampling"), [("full", "tile"), ("local", "tile"), ("local+far", "tile"), ("local+far", "row")]
)
def test_eq06_a_row_costs_what_it_costs_among_all_rows(scope: str, sampling: str, spread: float) -> None:
    """Labelled alone or with far mates, at a corner or inside; large logits reach the floor of the logarithm."""
    query, key, _ = inputs(spread)
    neighborhood = pairs(scope, sampling)
    labels = torch.zeros(BATCH, NODES, dtype=torch.long)
    for image, node in enumerate((0, 14, 35)):
        labels[image, node] = 3
    assert drawn_mean(query, key, labels, neighborhood, 1) == pytest.approx(
        whole_mean(query, key, labels, neighborhood), rel=1e-5
    )


@pytest.mark.parametrize("scope", ["full", "local+far"])
def test_eq06_evenly_drawn_rows_tend_to_the_mean_of_an_image(scope: str) -> None:
    query, key, labels = inputs()
    for image in range(2):
        one = (*(part[image : image + 1] for part in (query, key, labels)), pairs(scope, batch=1))
        assert drawn_mean(*one, 20_000) == pytest.approx(whole_mean(*one), rel=0.02)


@pytest.mark.parametrize(("balance", "share"), [(0.0, 20 / 24), (0.5, 5**0.5 / (1 + 5**0.5)), (1.0, 0.5)])
def test_balance_moves_rows_from_large_segments_to_small_ones(balance: float, share: float) -> None:
    _, key, labels = (part[:1] for part in inputs())
    # Rows with equal queries and equal labels have one gradient: its length counts how often they were drawn.
    query = torch.zeros_like(key).requires_grad_()
    total, rows = drawn_loss(query, key, labels, pairs(batch=1), seeded(3), 4000, balance)
    total.backward()
    large, small = query.grad[0, :20].norm(dim=-1), query.grad[0, 20:24].norm(dim=-1)
    per_row = [drawn_norm(key, node) for node in (0, 20)]
    found = large.sum() / per_row[0], small.sum() / per_row[1]
    assert float(sum(found)) == pytest.approx(int(rows), rel=1e-3)
    assert float(found[0] / sum(found)) == pytest.approx(share, abs=0.03)
    assert (query.grad[0, 24:] == 0).all()


def drawn_norm(key: Tensor, node: int) -> float:
    """Length of the gradient of one row with a query of zeros."""
    labels = inputs()[2][:1]
    positive = (labels == labels[0, node]).double()
    target = positive / positive.sum() - 1 / NODES
    return float((target @ key[0] / key.shape[-1] ** 0.5).norm())


def test_gradient_is_right() -> None:
    query, key, labels = inputs()
    neighborhood = pairs("local+far")
    given = (query.double().requires_grad_(), key.double().requires_grad_())
    assert torch.autograd.gradcheck(lambda q, k: drawn_loss(q, k, labels, neighborhood, seeded(5), 6, 0.5)[0], given)


def test_images_without_labels_are_passed_over() -> None:
    query, key, labels = inputs()
    query.requires_grad_()
    total, rows = drawn_loss(query, key, labels, pairs(), seeded(), 8)
    total.backward()
    assert rows == 16
    assert (query.grad[2] == 0).all()
    assert (query.grad[0] != 0).any()


def test_a_batch_without_labels_costs_nothing_and_gives_gradients_of_zero() -> None:
    query, key, labels = inputs()
    query.requires_grad_()
    total, rows = drawn_loss(query, key, 0 * labels, pairs(), seeded(), 8, 1.0)
    total.backward()
    assert (float(total.detach()), int(rows)) == (0.0, 0)
    assert_close(query.grad, torch.zeros_like(query), 0)
