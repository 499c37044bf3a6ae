"""Confident segments: the authors' cases, the rule node by node, and the sizes that are dropped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.errors import ConfigError
from eisen_ray.supervision.confidence import confident_segments
from tests.golden_cases import load, same_partition


@pytest.mark.parametrize(("agreement", "name"), [(1.0, "out_thr100"), (0.75, "out_thr075"), (0.5, "out_thr050")])
def test_matches_case_15(agreement: float, name: str) -> None:
    case = load("15")
    found = confident_segments(torch.from_numpy(case["runs"])[:, None], agreement, min_nodes=0)[0].numpy()
    assert same_partition(found, case[name])
    assert ((found > 0) == (case[name] > 0)).all()


def scan_node_by_node(runs: np.ndarray, agreement: float) -> np.ndarray:
    """The rule as it is told, [S, N] -> [N]."""
    labels, opened = np.zeros(runs.shape[1], int), 0
    for node in range(runs.shape[1]):
        if labels[node] or not (runs[:, node] > 0).all():
            continue
        opened += 1
        for other in range(runs.shape[1]):
            if (runs[:, other] > 0).all() and (runs[:, other] == runs[:, node]).mean() >= agreement:
                labels[other] = opened
    return labels


@pytest.mark.parametrize("agreement", [0.25, 0.5, 0.7, 0.75, 1.0])
def test_follows_the_rule_node_by_node(agreement: float) -> None:
    rng = np.random.default_rng(3)
    runs = rng.integers(0, 4, (4, 3, 6, 7))
    found = confident_segments(torch.from_numpy(runs), agreement, min_nodes=0).numpy()
    for image in range(3):
        expected = scan_node_by_node(runs[:, image].reshape(4, -1), agreement)
        assert same_partition(found[image].ravel(), expected)


def test_batch_equals_single_images() -> None:
    runs = torch.randint(0, 3, (3, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    together = confident_segments(runs, 1.0, min_nodes=3)
    for image in range(4):
        assert torch.equal(together[image], confident_segments(runs[:, image : image + 1], 1.0, min_nodes=3)[0])


def test_small_and_large_segments_are_dropped() -> None:
    image = torch.zeros(1, 1, 10, 10, dtype=torch.int64)
    image[..., :2, :2], image[..., 4:, :] = 7, 3
    assert confident_segments(image, min_nodes=4).unique().tolist() == [0, 1, 2]
    assert (confident_segments(image, min_nodes=5) > 0).sum() == 60
    assert (confident_segments(image, min_nodes=0, max_area=0.5) > 0).sum() == 4


def test_candidates_of_a_majority() -> None:
    runs = torch.tensor([[[[1, 1, 0, 0]]], [[[2, 0, 2, 0]]], [[[1, 1, 0, 0]]]])
    assert confident_segments(runs, 0.5, min_nodes=0).flatten().tolist() == [1, 0, 0, 0]
    assert confident_segments(runs, 0.5, min_nodes=0, unanimous=False).flatten().tolist() == [1, 1, 0, 0]


def test_unassigned_everywhere_gives_nothing() -> None:
    assert not confident_segments(torch.zeros(4, 2, 8, 8, dtype=torch.int64)).any()


@pytest.mark.parametrize("agreement", [0.0, 1.1])
def test_refuses_an_impossible_agreement(agreement: float) -> None:
    with pytest.raises(ConfigError, match="agreement"):
        confident_segments(torch.zeros(2, 1, 4, 4, dtype=torch.int64), agreement)
