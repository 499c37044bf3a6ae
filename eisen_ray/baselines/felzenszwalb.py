"""Felzenszwalb and Huttenlocher's graph segmentation (scikit-image): colour alone, nothing is learned."""

from __future__ import annotations

import numpy as np
import torch

from eisen_ray.baselines.peer import Picture, Segmentation, need


class Felzenszwalb:
    """Regions of similar colour.

    Args:
        scale: larger gives larger regions; the usual values lie between 50 and 1000.
        sigma: of the Gaussian that smooths the picture first, px.
        min_size: smaller regions join a neighbour, px.
    """

    needs_neighbour = False

    def __init__(self, scale: float, sigma: float = 0.8, min_size: int = 20) -> None:
        self.scale, self.sigma, self.min_size = scale, sigma, min_size
        self._segment = need("skimage.segmentation").felzenszwalb

    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Every pixel is in some region; the generator is not used."""
        found = self._segment(picture.image, scale=self.scale, sigma=self.sigma, min_size=self.min_size)
        return Segmentation(np.asarray(found, np.int32) + 1, {})
