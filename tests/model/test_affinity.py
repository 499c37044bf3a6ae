"""Equation (1) against its twin, the golden tensors and its own symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.model.affinity import AffinityHead, affinity_logits, row_max_affinity
from eisen_ray.model.neighbors import full_neighborhood, row_neighborhood
from tests import reference as twin
from tests.golden_cases import load, nodes
from tests.layouts import KINDS, as_numpy, assert_close, neighborhood_of, random_nodes, row_view, seeded


@pytest.mark.parametrize("kind", ["sampled", "full"])
def test_eq01_matches_case_02(kind: str) -> None:
    case = load("02")
    query, key = (torch.from_numpy(nodes(case[name])).float() for name in ("query", "key"))
    samples = torch.from_numpy(case["sample_inds"][2])
    neighborhood = row_neighborhood(samples, 80) if kind == "sampled" else full_neighborhood(8, 10)
    suffix = "" if kind == "sampled" else "_full"
    logits = affinity_logits(query, key, neighborhood)
    assert_close(logits.reshape(2, 80, -1), case["logits" + suffix], 1e-5)
    affinity = row_max_affinity(logits, neighborhood)
    assert_close(affinity.reshape(2, 80, -1), case["affinity" + suffix], 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_eq01_matches_its_twin_in_every_layout(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 5, 7, 2)
    view = row_view(neighborhood, 2)
    query, key = random_nodes(2, 35, 4, seed=1) * 2, random_nodes(2, 35, 4, seed=2)
    logits = affinity_logits(query, key, neighborhood)
    affinity = row_max_affinity(logits, neighborhood)
    for b in range(2):
        expected = twin.eq01_logits(as_numpy(query[b]), as_numpy(key[b]), as_numpy(view.columns[b]))
        assert_close(view.take(logits)[b], expected)
        assert_close(view.take(affinity)[b], twin.eq01_affinity(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_eq01_gradient_is_right(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 3, 3, 1, tile=2)
    query, key = random_nodes(1, 9, 2, seed=1).requires_grad_(), random_nodes(1, 9, 2, seed=2).requires_grad_()
    # The row maximum itself stays at 1, so tiny steps never change which pair it is.
    assert torch.autograd.gradcheck(
        lambda q, k: row_max_affinity(affinity_logits(q, k, neighborhood), neighborhood), (query, key)
    )


def test_eq01_is_equivariant_to_the_order_of_nodes() -> None:
    query, key = random_nodes(1, 12, 4, seed=1), random_nodes(1, 12, 4, seed=2)
    neighborhood = full_neighborhood(3, 4)
    order = torch.randperm(12, generator=seeded())
    plain = row_max_affinity(affinity_logits(query, key, neighborhood), neighborhood)[0, 0]
    shuffled = row_max_affinity(affinity_logits(query[:, order], key[:, order], neighborhood), neighborhood)[0, 0]
    assert_close(shuffled, plain[order][:, order])


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_has_maximum_one_and_absent_pairs_are_zero(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 5, 7, 2)
    query, key = random_nodes(2, 35, 4, seed=1), random_nodes(2, 35, 4, seed=2)
    affinity = row_max_affinity(affinity_logits(query, key, neighborhood), neighborhood)
    assert affinity.isfinite().all()
    assert (affinity.amax(-1) == 1).all()
    exists = neighborhood.exists()
    if exists is not None:
        assert (affinity[~exists.expand(affinity.shape)] == 0).all()


@pytest.mark.parametrize("kind", ["row", "tile", "local"])
def test_outside_samples_have_logit_zero_and_count_in_the_maximum(kind: str) -> None:
    neighborhood = neighborhood_of(kind, 5, 7, 1)
    view = row_view(neighborhood, 1)
    query, key = torch.ones(1, 35, 4), -torch.ones(1, 35, 4)  # every real pair has logit -2
    logits = affinity_logits(query, key, neighborhood)
    outside = view.columns == 35
    assert (view.take(logits)[outside] == 0).all()
    affinity = view.take(row_max_affinity(logits, neighborhood))
    at_border = outside.any(-1)
    assert (affinity[~at_border] == 1).all()
    beside_outside = affinity[~outside & at_border[..., None]]
    assert len(beside_outside) > 0
    assert_close(beside_outside, torch.full_like(beside_outside, np.exp(-2)), 1e-6)


def test_head_is_the_release_head() -> None:
    head = AffinityHead(128)
    assert sum(p.numel() for p in head.parameters()) == 6240
    query, key = head(torch.randn(2, 128, 3, 5, generator=seeded()))
    assert query.shape == key.shape == (2, 15, 32)


def test_head_numbers_nodes_row_by_row() -> None:
    head = AffinityHead(6, width=4)
    features = torch.randn(1, 6, 3, 5, generator=seeded())
    query, key = head(features)
    one_query, one_key = head(features[:, :, 1:2, 3:4])
    assert_close(query[:, 1 * 5 + 3], one_query[:, 0], 1e-6)
    assert_close(key[:, 1 * 5 + 3], one_key[:, 0], 1e-6)
