from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.baselines.moving_region import MovingRegion
from eisen_ray.baselines.peer import Picture
from eisen_ray.errors import DataError
from eisen_ray.supervision.flow import DisFlow
from eisen_ray.supervision.motion import MotionSegmenter

PEER = MovingRegion(DisFlow(), MotionSegmenter(threshold_px=1.0), (32, 32))


def test_finds_what_moves() -> None:
    rng = np.random.default_rng(0)
    ground, thing = rng.integers(0, 256, (128, 128, 3)), rng.integers(0, 256, (48, 48, 3))
    frames = np.stack([ground, ground]).astype(np.uint8)
    frames[0, 40:88, 40:88] = thing
    frames[1, 40:88, 44:92] = thing
    found = PEER.segment(Picture(frames[0], frames), torch.Generator())
    truth = np.zeros((32, 32), bool)
    truth[10:22, 10:22] = True
    moving = found.labels > 0
    assert found.labels.shape == (32, 32)
    assert found.labels.dtype == np.int32
    assert (moving & truth).sum() / (moving | truth).sum() > 0.6


def test_nothing_moves() -> None:
    frames = np.zeros((2, 128, 128, 3), np.uint8)
    assert not PEER.segment(Picture(frames[0], frames), torch.Generator()).labels.any()


def test_one_frame_is_not_enough() -> None:
    with pytest.raises(DataError, match="expected a frame and its neighbour"):
        PEER.segment(Picture(np.zeros((128, 128, 3), np.uint8)), torch.Generator())
