"""The loss without a table of pairs against the loss of the table: value, gradient, rows, in every layout."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eisen_ray.learning import pair_loss as module
from eisen_ray.learning.loss import LOG_FLOOR, affinity_loss
from eisen_ray.learning.pair_loss import pair_loss
from eisen_ray.model.affinity import affinity_logits
from eisen_ray.model.neighbors import full_neighborhood, row_neighborhood
from eisen_ray.model.pair_layout import Neighborhood
from tests.golden_cases import load, nodes
from tests.layouts import GRIDS, KINDS, assert_close, neighborhood_of, random_nodes, seeded

BATCH = 2


def both(
    query: Tensor, key: Tensor, labels: Tensor, pairs: Neighborhood, every_row: bool = False
) -> list[list[Tensor]]:
    """Value, rows and gradients of the table's loss and of the one without a table."""
    results = []
    for without_table in (False, True):
        given = [tensor.detach().clone().requires_grad_() for tensor in (query, key)]
        if without_table:
            total, rows = pair_loss(*given, labels, pairs, every_row)
        else:
            total, rows = affinity_loss(affinity_logits(*given, pairs), labels, pairs, every_row)
        (3 * total).backward()
        results.append([total.detach(), rows, given[0].grad, given[1].grad])
    return results


@pytest.mark.parametrize("chunk", [1, 1 << 19])
@pytest.mark.parametrize("every_row", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width", "tile"), GRIDS)
def test_eq06_needs_no_table(
    kind: str, height: int, width: int, tile: int, every_row: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CPU_CHUNK_PAIRS", chunk)
    pairs = neighborhood_of(kind, height, width, BATCH, tile)
    query, key = (3 * random_nodes(BATCH, height * width, 4, seed) for seed in (1, 2))
    labels = torch.randint(0, 4, (BATCH, height * width), generator=seeded(3))
    labels[1, 1:] = 0
    for ours, theirs in zip(*both(query, key, labels, pairs, every_row), strict=True):
        assert_close(ours, theirs, 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_hopeless_positives_pull_no_more(kind: str) -> None:
    pairs = neighborhood_of(kind, 7, 10, BATCH)
    query, key = (8 * random_nodes(BATCH, 70, 4, seed) for seed in (1, 2))
    labels = torch.randint(0, 3, (BATCH, 70), generator=seeded(3))
    share = affinity_logits(query, key, pairs).log_softmax(-1)
    assert (share < LOG_FLOOR).any(), "the case must have some"
    for ours, theirs in zip(*both(query, key, labels, pairs), strict=True):
        assert_close(ours, theirs, 1e-9)


@pytest.mark.parametrize("kind", ["sampled", "full"])
def test_eq06_without_a_table_matches_case_02(kind: str) -> None:
    case = load("02")
    query, key = (torch.from_numpy(nodes(case[name])).float().requires_grad_() for name in ("query", "key"))
    samples = torch.from_numpy(case["sample_inds"][2])
    pairs = row_neighborhood(samples, 80) if kind == "sampled" else full_neighborhood(8, 10)
    total, rows = pair_loss(query, key, torch.from_numpy(case["segment_target_small"]), pairs)
    (total / rows).backward()
    assert_close(total / rows, case["loss" if kind == "sampled" else "loss_full"], 1e-5)
    if kind == "sampled":
        assert_close(query.grad, nodes(case["grad_query"]), 1e-6)
        assert_close(key.grad, nodes(case["grad_key"]), 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_label_costs_nothing_and_pulls_nothing(kind: str) -> None:
    pairs = neighborhood_of(kind, 5, 6, BATCH)
    query, key = (random_nodes(BATCH, 30, 4, seed).requires_grad_() for seed in (1, 2))
    total, rows = pair_loss(query, key, torch.zeros(BATCH, 30, dtype=torch.long), pairs)
    total.backward()
    assert (total.item(), rows.item()) == (0, 0)
    assert (query.grad == 0).all()
    assert (key.grad == 0).all()


def test_gradient_is_right() -> None:
    pairs = neighborhood_of("tile", 5, 6, 1)
    query, key = (random_nodes(1, 30, 3, seed).requires_grad_() for seed in (1, 2))
    labels = torch.randint(0, 3, (1, 30), generator=seeded())
    assert torch.autograd.gradcheck(lambda q, k: pair_loss(q, k, labels, pairs)[0], (query, key))


def test_autocast_does_not_round_logits() -> None:
    pairs = full_neighborhood(5, 6)
    query, key = (random_nodes(1, 30, 8, seed).float() for seed in (1, 2))
    labels = torch.randint(0, 3, (1, 30), generator=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = pair_loss(query, key, labels, pairs)[0]
    assert torch.equal(rounded, pair_loss(query, key, labels, pairs)[0])


def test_memory_grows_with_nodes_not_with_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tensor that is alive at one time holds more pairs than a chunk, or than one block."""
    monkeypatch.setattr(module, "_CPU_CHUNK_PAIRS", 1 << 14)
    largest = []
    plain = module._logits
    monkeypatch.setattr(module, "_logits", lambda *given: largest.append((found := plain(*given))[0].numel()) or found)
    pairs = neighborhood_of("tile", 32, 32, BATCH, tile=8)
    query, key = (random_nodes(BATCH, 1024, 4, seed).requires_grad_() for seed in (1, 2))
    pair_loss(query, key, torch.ones(BATCH, 1024, dtype=torch.long), pairs)[0].backward()
    assert max(largest) <= 1 << 14
    assert sum(largest) >= 2 * BATCH * 1024 * 100
