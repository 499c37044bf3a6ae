"""Our own network as a peer among peers: trained by the same loop, or taken from a checkpoint."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eisen_ray.baselines.peer import Picture, Segmentation, TrainablePeer
from eisen_ray.learning.step import RELEASE, StepSettings, batch_loss
from eisen_ray.model.eisen import Eisen, node_grid
from eisen_ray.model.regions import to_grid
from eisen_ray.model.surety import segment_confidences


class OwnNetwork(TrainablePeer):
    """EISEN under the interface of a peer.

    Args:
        network: backbone, affinities, grouping.
        background_known: full supervision: what is no object is known to be background, one more label, so that every
            row of the loss is supervised (authors). Off: label 0 says nothing, as with motion, or what
            `static_rows` says of it.
        settings: levels and rows of the loss.
        passes: with different draws; the first is the segmentation, the others say how sure it is [Decision 85].
    """

    def __init__(
        self, network: Eisen, *, background_known: bool, settings: StepSettings = RELEASE, passes: int = 2
    ) -> None:
        super().__init__()
        self.network = network
        self.background_known = background_known
        self.settings, self.passes = settings, passes

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Equation (6) on the grid of nodes."""
        levels = self.network(images, generator, self.settings.num_levels)
        height, width = node_grid(*images.shape[-2:])
        nodes = to_grid(labels, height, width)
        return batch_loss(levels, nodes + 1 if self.background_known else nodes, self.settings, generator)

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Segments of the first pass, and how sure they are."""
        runs = self.network.segment_runs(self.as_batch(picture.image), generator, self.passes)[:, 0].cpu().numpy()
        outlined = self.network.outlined(runs[0], picture.image)
        return Segmentation(outlined.astype(np.int32), segment_confidences(runs, outlined, picture.image))
