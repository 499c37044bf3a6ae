from __future__ import annotations

import pytest
import torch

from eisen_ray.baselines.panoptic_deeplab import PanopticDeepLabPeer, centre_targets, peaks
from eisen_ray.model.small_backbone import SmallBackbone
from tests.baselines.scenes import SIDE, learn, score, squares


def peer() -> PanopticDeepLabPeer:
    torch.manual_seed(0)
    backbone = SmallBackbone()
    return PanopticDeepLabPeer(backbone, backbone.out_channels)


def test_learns_by_heart() -> None:
    images, labels = squares(4)
    learner = peer()
    losses = learn(learner, images, labels, 60)
    assert losses[-1] < 0.4 * losses[0]
    scores = score(learner, images, labels)
    assert scores["mean_iou"] > 0.6
    assert scores.num_segments < 4


def test_pictures_without_objects_can_be_learned() -> None:
    images, labels = squares(2)
    learner = peer()
    losses = learn(learner, images, torch.zeros_like(labels), 3)
    assert all(loss == loss for loss in losses)


def test_true_heads_give_the_objects_back(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = squares(1)
    thing, heat, arrow = centre_targets(labels[0], SIDE, SIDE)
    learner = peer().eval()
    said = ((20 * thing - 10)[None], heat[None], arrow[None] / (SIDE / 512))
    monkeypatch.setattr(PanopticDeepLabPeer, "forward", lambda *_: said)
    scores = score(learner, images, labels)
    assert scores["mean_iou"] == 1
    assert scores.num_segments == 2


def test_targets_of_a_rectangle() -> None:
    labels = torch.zeros(16, 16, dtype=torch.int64)
    labels[2:7, 4:11] = 5
    mask, heat, arrow = centre_targets(labels, 16, 16)
    assert torch.equal(mask, (labels > 0).float())
    assert heat.argmax() == 4 * 16 + 7
    assert heat.max() == 1
    assert arrow[:, 2, 4].tolist() == [2, 3]
    assert arrow[:, 6, 10].tolist() == [-2, -3]
    assert arrow[:, 0, 0].tolist() == [0, 0]


def test_peaks_are_the_highest_of_their_window() -> None:
    heat = torch.zeros(20, 20)
    heat[3, 3], heat[3, 5], heat[15, 15], heat[10, 2] = 0.9, 0.8, 0.5, 0.05
    places, heights = peaks(heat, 0.1, 5, 10)
    assert places.tolist() == [[3, 3], [15, 15]]
    assert torch.allclose(heights, torch.tensor([0.9, 0.5]))
    assert len(peaks(heat, 0.1, 5, 1)[0]) == 1
    assert len(peaks(torch.zeros(4, 4), 0.1, 3, 5)[0]) == 0
