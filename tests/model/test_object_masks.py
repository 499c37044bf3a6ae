"""Equation (5) and what both rules of Competition share, against twins and case 06."""

from __future__ import annotations

import numpy as np
import torch

from eisen_ray.model.object_masks import (
    RandomDraws,
    object_masks,
    pairwise_jaccard,
    read_segments,
    take_nodes,
)
from tests import reference_competition as twin
from tests.golden_cases import load
from tests.layouts import as_numpy, assert_close, random_plateau, seeded


def test_eq05_masks_match_their_twin() -> None:
    plateau = random_plateau(2, 6, 7, 5)
    pointers = torch.randint(42, (2, 4), generator=seeded(1))
    nodes = plateau.flatten(1, 2)
    vectors = take_nodes(nodes, pointers)
    masks = object_masks(nodes, vectors)
    for b in range(2):
        places = np.stack([pointers[b] // 7, pointers[b] % 7], -1)
        expected_vectors, expected = twin.eq05_pointer_masks(as_numpy(plateau[b]), places)
        assert_close(vectors[b], expected_vectors)
        assert_close(masks[b].unflatten(-1, (6, 7)), expected)


def test_eq05_gradient_is_right() -> None:
    nodes = (torch.rand(1, 6, 3, generator=seeded(), dtype=torch.float64) + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda h: object_masks(h, take_nodes(h, torch.tensor([[1, 4]]))), nodes)


def test_eq05_masks_match_case_06() -> None:
    case = load("06")
    nodes = torch.from_numpy(case["plateau"]).flatten(1, 2)
    vectors = torch.nn.functional.normalize(torch.from_numpy(case["agent_vectors"]), dim=-1)
    assert_close(object_masks(nodes, vectors).transpose(1, 2), case["masks"], 1e-5)


def test_overlap_matches_case_06() -> None:
    case = load("06")
    masks = torch.from_numpy(case["masks"]).transpose(1, 2)
    assert_close(pairwise_jaccard(masks), case["pairwise_iou"], 1e-6)


def test_overlap_matches_its_twin() -> None:
    masks = torch.rand(2, 5, 30, generator=seeded())
    masks[:, 4] = 0.5  # exactly at the limit: empty
    table = pairwise_jaccard(masks)
    for b in range(2):
        expected = [[twin.jaccard(one, other) for other in as_numpy(masks[b])] for one in as_numpy(masks[b])]
        assert_close(table[b], np.array(expected), 1e-6)
    assert (table[:, 4, 4] == 0).all()


def test_readout_matches_its_twin() -> None:
    masks = torch.rand(2, 5, 12, generator=seeded(), dtype=torch.float64)
    retained = torch.tensor([[True, False, True, True, False], [False] * 5])
    soft, labels = read_segments(masks, retained)
    for b in range(2):
        expected, winner = twin.read_segments(as_numpy(masks[b])[:, None], as_numpy(retained[b]))
        assert_close(soft[b], expected[:, 0])
        np.testing.assert_array_equal(labels[b], winner[0])


def test_random_pixels_follow_the_weights() -> None:
    weights = torch.tensor([[0.0, 1.0, 3.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    drawn = RandomDraws(seeded()).pixels(weights, 4000)
    assert drawn.shape == (2, 4000)
    assert (drawn[1] == 0).all()
    counts = drawn[0].bincount(minlength=4)
    assert counts[0] == counts[3] == 0
    assert abs(counts[1].item() - 1000) < 150


def test_random_pixels_cope_with_no_weight_at_all() -> None:
    drawn = RandomDraws(seeded()).pixels(torch.zeros(1, 5), 500)
    assert len(drawn.unique()) == 5


def test_random_draws_come_from_the_generator_alone() -> None:
    weights = torch.rand(2, 50, generator=seeded())
    one, other = RandomDraws(seeded(7)), RandomDraws(seeded(7))
    assert torch.equal(one.pixels(weights, 9), other.pixels(weights, 9))
    torch.manual_seed(1)
    noise = one.noise((2, 3))
    assert torch.equal(noise, other.noise((2, 3)))
    assert ((noise >= 0) & (noise < 1)).all()
