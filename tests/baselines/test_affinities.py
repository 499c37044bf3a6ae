from __future__ import annotations

import numpy as np
import torch

from eisen_ray.baselines.affinities import GroupingPeer, NetworkAffinities, ReadoutPeer, pooled, symmetric
from eisen_ray.baselines.peer import Picture
from eisen_ray.build import build_eisen, build_grouping
from eisen_ray.config import GroupingConfig, ModelConfig
from tests.baselines.graphs import ColourAffinities
from tests.baselines.scenes import score, squares


def test_our_grouping_reads_true_affinities() -> None:
    images, labels = squares(3)
    grouping = build_grouping(GroupingConfig(threshold=0.5, num_iterations=20, min_region_nodes=2))
    assert score(GroupingPeer(ColourAffinities(), grouping), images, labels)["mean_iou"] > 0.7


def test_pooling_is_the_mean_over_blocks() -> None:
    affinity = torch.rand(24, 24, generator=torch.Generator().manual_seed(0))
    found, grid = pooled(affinity, (4, 6), 6)
    assert grid == (2, 3)
    nodes = [[r * 6 + c for r in (2 * i, 2 * i + 1) for c in (2 * j, 2 * j + 1)] for i in range(2) for j in range(3)]
    expected = torch.stack([torch.stack([affinity[a][:, b].mean() for b in nodes]) for a in nodes])
    assert torch.allclose(found, expected)
    same, grid = pooled(affinity, (4, 6), 24)
    assert same is affinity
    assert grid == (4, 6)


def test_symmetric_with_a_diagonal_of_one() -> None:
    found = symmetric(torch.tensor([[0.2, 0.8], [0.4, 0.5]]))
    assert np.allclose(found, [[1, 0.6], [0.6, 1]])


def test_the_network_gives_all_pairs_whatever_its_scope() -> None:
    torch.manual_seed(0)
    network = build_eisen(ModelConfig(backbone="small", scope="local+far", window=3, num_far=2), GroupingConfig())
    image = squares(1)[0][0].permute(1, 2, 0).numpy()
    graph, grid = NetworkAffinities(network.eval()).graph(image, torch.Generator())
    assert grid == (16, 16)
    affinity = graph.affinity()
    assert affinity.shape == (1, 1, 256, 256)
    assert torch.allclose(affinity.amax(-1), torch.ones(()))


def test_labels_of_pooled_nodes_go_back_to_the_grid_and_unassigned_ones_stay_so() -> None:
    class Halves:
        def __call__(self, affinity: np.ndarray, seed: int) -> np.ndarray:
            assert affinity.shape == (16, 16)
            columns = np.arange(16) % 4
            return np.where(columns == 3, -1, columns // 2)

    image = np.zeros((64, 64, 3), np.uint8)
    found = ReadoutPeer(ColourAffinities(), Halves(), max_nodes=16, min_region_nodes=1)
    labels = found.segment(Picture(image), torch.Generator()).labels
    assert labels.shape == (16, 16)
    assert (labels[:, 12:] == 0).all()
    assert {frozenset(np.unique(labels[:, :8])), frozenset(np.unique(labels[:, 8:12]))} == {
        frozenset({1}),
        frozenset({2}),
    }
