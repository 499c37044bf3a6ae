from __future__ import annotations

import numpy as np
import torch

from eisen_ray.baselines.ssap import OFFSETS, SsapPeer, partition_level
from eisen_ray.model.small_backbone import SmallBackbone
from tests.baselines.scenes import learn, score, squares


def test_learns_by_heart() -> None:
    torch.manual_seed(0)
    images, labels = squares(4)
    backbone = SmallBackbone()
    learner = SsapPeer(backbone, backbone.out_channels, num_levels=3, thing_threshold=0.5)
    losses = learn(learner, images, labels, 60)
    assert losses[-1] < 0.6 * losses[0]
    assert score(learner, images, labels)["mean_iou"] > 0.6


def test_the_window_has_each_pair_once() -> None:
    assert len(OFFSETS) == len(set(OFFSETS)) == 12
    assert not {(-row, -column) for row, column in OFFSETS} & set(OFFSETS)


def true_affinity(labels: np.ndarray) -> np.ndarray:
    """1 where a node and its partner have one label, 0 elsewhere; 0.5 out of the picture."""
    height, width = labels.shape
    found = np.full((len(OFFSETS), height, width), 0.5)
    for plane, (down, right) in zip(found, OFFSETS, strict=True):
        for row in range(height):
            for column in range(width):
                if 0 <= row + down < height and 0 <= column + right < width:
                    plane[row, column] = labels[row, column] == labels[row + down, column + right]
    return found


def as_sets(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels.ravel() == name).tolist()) for name in np.unique(labels[labels > 0])}


def test_true_affinities_give_the_objects_back_whatever_the_coarse_level_said() -> None:
    labels = np.zeros((12, 12), np.int64)
    labels[1:7, 1:6], labels[1:7, 6:11], labels[8:11, 2:11] = 1, 2, 3
    for coarse in (np.zeros((1, 1), np.int64), labels[::2, ::2]):
        found = partition_level(true_affinity(labels), labels > 0, coarse)
        assert as_sets(found) == as_sets(labels)
        assert (found[labels == 0] == 0).all()


def test_inner_nodes_of_a_coarse_segment_stay_together() -> None:
    coarse = np.ones((2, 2), np.int64)
    torn = np.zeros((len(OFFSETS), 8, 8))
    found = partition_level(torn, np.ones((8, 8), bool), coarse)
    assert len(np.unique(found)) == 1, "all nodes are inner: the finer level has no say"
    coarse = np.array([[1, 1], [0, 0]])
    found = partition_level(torn, np.ones((8, 8), bool), coarse)
    assert (found[:3] == found[0, 0]).all()
    assert len(np.unique(found[3:])) == 5 * 8, "the rim and the rest are decided anew"


def test_small_segments_are_dropped() -> None:
    backbone = SmallBackbone()
    peer = SsapPeer(backbone, backbone.out_channels, num_levels=1, min_nodes=5)
    labels = np.zeros((4, 4), np.int64)
    labels[0, :2], labels[2:] = 7, 9
    found = peer._named(labels, np.full((4, 4), 0.25))
    assert found.labels[0, 0] == 0
    assert found.confidences == {1: 0.25}
    assert (found.labels[2:] == 1).all()
