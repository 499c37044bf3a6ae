"""Pairs of frames whose flow is known."""

from __future__ import annotations

import cv2
import numpy as np
import torch


def textured_pair(u: int, v: int, size: int = 160) -> tuple[torch.Tensor, torch.Tensor]:
    """Two uint8 frames [1, 3, size, size]: the second shows the first moved by u px right and v px down."""
    noise = np.random.default_rng(0).integers(0, 256, (size + 64, size + 64, 3), dtype=np.uint8)
    scene = cv2.GaussianBlur(noise, (0, 0), 2.0)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    views = [scene[32 - y : 32 - y + size, 32 - x : 32 - x + size] for x, y in ((0, 0), (u, v))]
    first, second = (torch.from_numpy(np.ascontiguousarray(view)).permute(2, 0, 1)[None] for view in views)
    return first, second
