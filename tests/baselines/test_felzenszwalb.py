from __future__ import annotations

import numpy as np
import torch

from eisen_ray.baselines.felzenszwalb import Felzenszwalb
from eisen_ray.baselines.peer import Picture
from tests.baselines.scenes import score, squares


def test_finds_uniform_squares() -> None:
    images, labels = squares(3)
    assert score(Felzenszwalb(scale=200, sigma=0.3), images, labels)["mean_iou"] > 0.8


def test_larger_scales_give_fewer_segments() -> None:
    picture = Picture(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    found = [Felzenszwalb(scale, min_size=1).segment(picture, torch.Generator()) for scale in (10, 1000)]
    assert found[0].labels.max() > found[1].labels.max()
    assert found[0].labels.shape == (40, 60)
    assert found[0].labels.min() == 1, "every pixel is in a region"
