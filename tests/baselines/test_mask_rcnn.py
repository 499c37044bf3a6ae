from __future__ import annotations

import pytest
import torch

from eisen_ray.baselines.mask_rcnn import MaskRcnnPeer
from tests.baselines.scenes import SIDE, learn, score, squares


def test_learns_by_heart() -> None:
    torch.manual_seed(0)
    images, labels = squares(2)
    learner = MaskRcnnPeer("small", SIDE, SIDE)
    losses = learn(learner, images, labels, 40)
    assert losses[-1] < 0.2 * max(losses)
    scores = score(learner, images, labels)
    assert scores["mean_iou"] > 0.7
    assert scores["average_precision"] > 0.5


def test_pictures_without_objects_can_be_learned_and_segmented() -> None:
    torch.manual_seed(0)
    images, labels = squares(1)
    learner = MaskRcnnPeer("small", SIDE, SIDE)
    assert learn(learner, images, torch.zeros_like(labels), 1)[0] > 0
    score(learner, images, labels)


def test_nothing_is_downloaded_or_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    learner = MaskRcnnPeer("full", SIDE, SIDE)
    assert all(parameter.requires_grad for parameter in learner.parameters())
    assert not [module for module in learner.modules() if "Frozen" in type(module).__name__]
    anchors = learner.detector.rpn.anchor_generator.sizes
    assert anchors[0][0] < anchors[-1][0] < SIDE, "anchors are shares of the picture"
