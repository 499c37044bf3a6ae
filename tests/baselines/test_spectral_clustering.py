from __future__ import annotations

import numpy as np

from eisen_ray.baselines.spectral_clustering import SpectralReadout
from tests.baselines.graphs import readout_scores


def test_finds_the_objects() -> None:
    assert readout_scores(SpectralReadout(3))["mean_iou"] > 0.9
    assert readout_scores(SpectralReadout(3), max_nodes=64)["mean_iou"] > 0.4


def test_gives_as_many_clusters_as_it_is_told_also_of_separate_parts() -> None:
    affinity = np.kron(np.eye(3), np.ones((4, 4)))
    labels = SpectralReadout(3)(affinity, 0)
    assert len(set(labels.tolist())) == 3
    assert all(len(set(labels[begin : begin + 4].tolist())) == 1 for begin in (0, 4, 8))
