"""A source of affinities that knows the truth, for tests of readouts."""

from __future__ import annotations

import numpy as np
import torch

from eisen_ray.baselines.affinities import Readout, ReadoutPeer
from eisen_ray.measures.scores import Scores
from eisen_ray.model.affinity_graph import AffinityGraph
from eisen_ray.model.neighbors import full_neighborhood
from tests.baselines.scenes import COLOURS, score, squares

SHARPNESS = 6.0
"""Logit by which a pair of one object is better than another pair."""


class ColourAffinities:
    """Nodes of like colour belong together."""

    def graph(self, image: np.ndarray, generator: torch.Generator) -> tuple[AffinityGraph, tuple[int, int]]:
        """See `AffinitySource.graph`."""
        nodes = torch.from_numpy(image[2::4, 2::4].astype(np.float32)).reshape(-1, 3)
        kinds = torch.tensor([[30.0, 30.0, 30.0], *COLOURS])
        key = torch.nn.functional.one_hot(torch.cdist(nodes, kinds).argmin(1), 3).float()[None]
        query = key * SHARPNESS * 3**0.5
        return AffinityGraph(query, key, full_neighborhood(16, 16)), (16, 16)


def readout_scores(readout: Readout, max_nodes: int = 4096) -> Scores:
    """A readout of true affinities on a few pictures."""
    images, labels = squares(3)
    # The truth on the grid: how coarse it is, is no fault of a readout.
    peer = ReadoutPeer(ColourAffinities(), readout, max_nodes, min_region_nodes=2)
    return score(peer, images, labels[:, 2::4, 2::4])
