from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eisen_ray.baselines.affinity_propagation import AffinityPropagationReadout


def blobs(seed: int = 0) -> NDArray[np.float64]:
    """Affinities of 60 points around three centres, 20 each; nodes that are exactly alike would never converge."""
    rng = np.random.default_rng(seed)
    places = np.repeat([[0, 0], [4, 0], [0, 4]], 20, axis=0) + rng.normal(scale=0.3, size=(60, 2))
    return np.exp(-np.linalg.norm(places[:, None] - places[None], axis=-1))


def test_finds_the_objects_and_their_number() -> None:
    labels = AffinityPropagationReadout(-3.0)(blobs(), 0)
    assert len(set(labels.tolist())) == 3
    assert all(len(set(labels[begin : begin + 20].tolist())) == 1 for begin in (0, 20, 40))


def test_a_lower_preference_gives_fewer_segments() -> None:
    few, many = (len(set(AffinityPropagationReadout(value)(blobs(), 0).tolist())) for value in (-3.0, 0.9))
    assert few < many


def test_without_convergence_there_still_is_an_answer() -> None:
    labels = AffinityPropagationReadout(-1.0, max_iterations=2)(np.ones((6, 6)), 0)
    assert labels.shape == (6,)
    assert labels.min() >= -1
