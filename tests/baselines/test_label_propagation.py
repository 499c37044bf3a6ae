from __future__ import annotations

import numpy as np

from eisen_ray.baselines.label_propagation import LabelPropagationReadout
from tests.baselines.graphs import readout_scores


def test_finds_the_objects() -> None:
    assert readout_scores(LabelPropagationReadout(0.5))["mean_iou"] > 0.9


def test_weak_affinities_are_no_edges_and_every_node_has_a_label() -> None:
    affinity = np.kron(np.eye(2), np.full((3, 3), 0.6))
    np.fill_diagonal(affinity, 1.0)
    assert len(set(LabelPropagationReadout(0.5)(affinity, 0).tolist())) == 2
    assert len(set(LabelPropagationReadout(0.7)(affinity, 0).tolist())) == 6, "alone, each is a community"


def test_the_seed_decides() -> None:
    affinity = np.random.default_rng(1).random((30, 30))
    affinity = (affinity + affinity.T) / 2
    first, again = (LabelPropagationReadout(0.6)(affinity, 4).tolist() for _ in range(2))
    assert first == again
