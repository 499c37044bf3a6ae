"""Affinity propagation (scikit-learn): a readout of Table 4 that finds the number of segments itself."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from eisen_ray.baselines.peer import need


class AffinityPropagationReadout:
    """Nodes choose exemplars by passing messages.

    Args:
        preference: of each node to be an exemplar, on the scale of affinities; lower gives fewer segments.
        damping: share of a message's old value that stays.
        max_iterations: of message passing.
    """

    def __init__(self, preference: float, damping: float = 0.9, max_iterations: int = 200) -> None:
        self.preference, self.damping, self.max_iterations = preference, damping, max_iterations
        self._propagate = need("sklearn.cluster").affinity_propagation

    def __call__(self, affinity: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
        """See `affinities.Readout`; without convergence, the exemplars of the last iteration."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it did not converge is no news on noisy affinities
            _, found = self._propagate(
                affinity,
                preference=self.preference,
                damping=self.damping,
                max_iter=self.max_iterations,
                random_state=seed,
            )
        return np.asarray(found, np.int64)
