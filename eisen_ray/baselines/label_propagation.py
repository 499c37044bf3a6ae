"""Label propagation (networkx): a readout of Table 4 in which nodes take the label that most of their friends have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from eisen_ray.baselines.peer import need


class LabelPropagationReadout:
    """Communities of the graph whose edges are the strong affinities, weighted by them.

    Args:
        threshold: affinities below it are no edges.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._graphs = need("networkx")
        self._communities = need("networkx.algorithms.community").asyn_lpa_communities

    def __call__(self, affinity: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
        """See `affinities.Readout`."""
        edges = np.where(affinity > self.threshold, affinity, 0.0)
        np.fill_diagonal(edges, 0.0)
        graph = self._graphs.from_scipy_sparse_array(csr_array(edges))
        labels = np.full(len(affinity), -1, np.int64)
        for place, members in enumerate(self._communities(graph, weight="weight", seed=seed)):
            labels[list(members)] = place
        return labels
