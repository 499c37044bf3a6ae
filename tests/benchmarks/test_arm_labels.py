"""The judge of labels at the arm, on one drawn picture."""

from __future__ import annotations

import numpy as np

from benchmarks.arm_labels import judged, variants
from eisen_ray.teaching import TeacherConfig


def test_things_at_a_moving_arm_are_judged() -> None:
    """An arm of 5x8 nodes moves; on its right a thing that moves with it, below one that rests."""
    truth = np.zeros((64, 64), np.int64)
    truth[:40, :32], truth[:20, 32:44], truth[40:52, :12] = 1, 2, 3
    speed = np.where((truth == 1) | (truth == 2), 2.0, 0.0).astype(np.float32)
    motion = ((truth == 1) | (truth == 2))[::4, ::4].astype(np.int64)
    confident = np.select([truth == 2, truth > 0], [5, 4])[::4, ::4]
    teacher = TeacherConfig(min_region_nodes=0)
    fates = {
        name: {kind: (fate, round(iou, 2)) for kind, fate, iou in judged(labels, truth, speed, near=4)}
        for name, labels in variants(motion, confident, teacher).items()
    }
    merged = round(12 * 20 / (40 * 32 + 12 * 20), 2)
    assert fates["motion alone"] == {"carried": ("with arm", merged), "at rest": ("none", 0.0)}
    assert fates["explaining away"]["carried"] == ("apart", 1.0)
    assert fates["explaining away"]["at rest"][0] == "with arm"
    assert fates["explaining away, split by motion"]["at rest"] == ("none", 0.0)
    assert fates["no explaining away"]["carried"] == ("with arm", merged)
    assert fates["no explaining away"]["at rest"] == ("apart", 1.0)


def test_pictures_without_a_moving_arm_do_not_count() -> None:
    truth = np.zeros((64, 64), np.int64)
    truth[:40, :32], truth[40:52, :12] = 1, 2
    assert not list(judged(truth[::4, ::4], truth, np.zeros((64, 64), np.float32), near=4))
