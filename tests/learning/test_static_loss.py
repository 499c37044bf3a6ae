"""Rows of nodes at rest: against a loop over rows, and what they learn and do not learn."""

from __future__ import annotations

import math

import pytest
import torch

from eisen_ray.learning.static_loss import static_loss
from tests.layouts import assert_close, random_nodes, seeded

BATCH, NODES = 2, 30


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    query, key = (2 * random_nodes(BATCH, NODES, 4, seed) for seed in (1, 2))
    return query, key, torch.randint(0, 3, (BATCH, NODES), generator=seeded(3))


def test_eq08_resting_rows_cost_what_their_softmax_gives_to_known_nodes() -> None:
    query, key, labels = inputs()
    drawn = torch.randint(NODES, (BATCH, 12), generator=seeded(5))
    expected, count = 0.0, 0
    for image in range(BATCH):
        for row in drawn[image].tolist():
            if labels[image, row] > 0:
                continue
            share = [math.exp(float(query[image, row] @ key[image, other]) / 2) for other in range(NODES)]
            kept = sum(value for value, label in zip(share, labels[image], strict=True) if label == 0)
            expected -= math.log(kept / sum(share))
            count += 1
    total, rows = static_loss(query, key, labels, seeded(5), 12)
    assert 0 < count < 24
    assert rows == count
    assert float(total) == pytest.approx(expected)


def test_gradient_is_right() -> None:
    query, key, labels = inputs()
    given = (query.double().requires_grad_(), key.double().requires_grad_())
    assert torch.autograd.gradcheck(lambda q, k: static_loss(q, k, labels, seeded(5), 12)[0], given)


def test_descent_parts_rest_from_motion_and_leaves_rest_alone() -> None:
    query, key, labels = inputs()
    query.requires_grad_()
    static_loss(query, key, labels, seeded(5), 200)[0].backward()
    before, after = (
        (q @ key.transpose(1, 2) / 2).softmax(-1) for q in (query.detach(), query.detach() - 0.02 * query.grad)
    )
    known = (labels > 0)[:, None].expand_as(before)
    at_rest = labels == 0
    assert ((after * known).sum(-1) < (before * known).sum(-1))[at_rest].all()
    assert (query.grad[labels > 0] == 0).all()


@pytest.mark.parametrize("label", [0, 1])
def test_images_of_one_kind_cost_nothing(label: int) -> None:
    """Nothing moves, or everything is known: no row, or nothing to keep away from, and no NaN."""
    query, key, _ = inputs()
    query.requires_grad_()
    total, rows = static_loss(query, key, torch.full((BATCH, NODES), label), seeded(), 8)
    total.backward()
    assert float(total.detach()) == pytest.approx(0, abs=1e-5)
    assert rows == (0 if label else 8 * BATCH)
    assert_close(query.grad, torch.zeros_like(query), 1e-6)
