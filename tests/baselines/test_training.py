from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eisen_ray.baselines.peer import Picture, Segmentation, TrainablePeer
from eisen_ray.baselines.training import PeerTraining, TrainSettings, one_object


class Constant(TrainablePeer):
    """Learns one number: the mean of the images."""

    learning_rate = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] = []

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        self.seen.append(images)
        return (self.number - images.float().mean()) ** 2 / 10

    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        return Segmentation(np.zeros(picture.image.shape[:2], np.int32), {})


IMAGES = torch.full((2, 3, 8, 8), 3, dtype=torch.uint8)
LABELS = torch.ones(2, 8, 8, dtype=torch.int64)


def test_steps_lower_the_loss_at_the_peers_own_rate() -> None:
    peer = Constant()
    training = PeerTraining(peer, TrainSettings(20))
    assert training.optimizer.param_groups[0]["lr"] == 0.5
    losses = [training.step(IMAGES, LABELS, torch.Generator()) for _ in range(20)]
    assert losses[-1] < 0.1 * losses[0]
    assert training.optimizer.param_groups[0]["lr"] == 0, "the schedule has ended"
    assert PeerTraining(Constant(), TrainSettings(9, 0.25)).optimizer.param_groups[0]["lr"] == 0.25


def test_augmented_images_differ_from_step_to_step() -> None:
    images = torch.arange(2 * 3 * 64, dtype=torch.uint8).view(2, 3, 8, 8)
    peer = Constant()
    training, generator = PeerTraining(peer, TrainSettings(2, augmented=True)), torch.Generator().manual_seed(0)
    for _ in range(2):
        training.step(images, LABELS, generator)
    assert not torch.equal(*peer.seen)


def test_divergence_stops_before_the_update() -> None:
    peer = Constant()
    training = PeerTraining(peer, TrainSettings(3))
    with pytest.raises(FloatingPointError, match="diverged: loss nan"):
        training.step(torch.full((1, 3, 4, 4), torch.nan), LABELS, torch.Generator())
    assert float(peer.number.detach()) == 0


def test_all_that_moves_is_one_object() -> None:
    assert one_object(torch.tensor([[0, 3, 7]])).tolist() == [[0, 1, 1]]
