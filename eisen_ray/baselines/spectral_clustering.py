"""Spectral clustering of affinities (scikit-learn): a readout of Table 4."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from eisen_ray.baselines.peer import need


class SpectralReadout:
    """Normalised cuts into a fixed number of clusters; every node is in one.

    Args:
        num_clusters: how many segments a picture has.
    """

    def __init__(self, num_clusters: int) -> None:
        self.num_clusters = num_clusters
        self._cluster = need("sklearn.cluster").spectral_clustering

    def __call__(self, affinity: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
        """See `affinities.Readout`."""
        with warnings.catch_warnings():
            # scikit-learn warns of graphs in several parts; then each part is a cluster, which is what is wanted.
            warnings.simplefilter("ignore")
            found = self._cluster(affinity, n_clusters=self.num_clusters, random_state=seed, assign_labels="cluster_qr")
        return np.asarray(found, np.int64)
