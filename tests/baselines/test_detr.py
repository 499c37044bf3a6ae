from __future__ import annotations

import pytest
import torch

from eisen_ray.baselines.detr import DetrPeer
from tests.baselines.scenes import learn, score, squares


def test_learns_one_object_by_heart() -> None:
    torch.manual_seed(0)
    images, labels = squares(2)
    labels = (labels == 1).long()
    learner = DetrPeer("small")
    losses = learn(learner, images, labels, 70)
    assert losses[-1] < 0.4 * losses[0]
    assert score(learner, images, labels)["mean_iou"] > 0.6


@pytest.mark.slow
def test_learns_two_objects_by_heart() -> None:
    """Queries are slow to share the work: some 200 steps pass before the loss falls below that of one object."""
    torch.manual_seed(0)
    images, labels = squares(4)
    learner = DetrPeer("small")
    learn(learner, images, labels, 500)
    assert score(learner, images, labels)["mean_iou"] > 0.8


def test_pictures_without_objects_can_be_learned() -> None:
    torch.manual_seed(0)
    images, labels = squares(2)
    labels[0] = 0
    learner = DetrPeer("small")
    assert learn(learner, images, labels, 1)[0] > 0
    assert learn(learner, images, torch.zeros_like(labels), 1)[0] > 0


def test_everything_learns() -> None:
    learner = DetrPeer("small")
    assert all(parameter.requires_grad for parameter in learner.parameters())
    assert not [module for module in learner.modules() if "Frozen" in type(module).__name__]
    assert [module for module in learner.modules() if isinstance(module, torch.nn.BatchNorm2d)]
