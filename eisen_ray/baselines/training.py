"""One step for all peers: augment, forward, backward, clip, Adam with our own schedule [Decision 122]."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from eisen_ray.baselines.peer import TrainablePeer
from eisen_ray.learning.augment import augment
from eisen_ray.learning.optim import make_adam, make_schedule


class TrainSettings(NamedTuple):
    """How a peer learns.

    Attributes:
        num_steps: of the whole training.
        learning_rate: Adam's; 0: the peer's own.
        warmup_steps: of linear warm-up.
        clip_norm: limit of the gradient's norm.
        augmented: change images at random first.
    """

    num_steps: int
    learning_rate: float = 0.0
    warmup_steps: int = 0
    clip_norm: float = 1.0
    augmented: bool = False


class PeerTraining:
    """A peer with its optimizer.

    Args:
        peer: on its device.
        settings: how it learns.
    """

    def __init__(self, peer: TrainablePeer, settings: TrainSettings) -> None:
        self.peer = peer
        self.settings = settings
        self.optimizer = make_adam(peer.parameters(), settings.learning_rate or peer.learning_rate)
        self.scheduler = make_schedule(self.optimizer, settings.warmup_steps, settings.num_steps)

    def step(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> float:
        """One step on a batch; the loss before it.

        Args:
            images: uint8 [B, 3, H, W].
            labels: int64 [B, h, w], 0 = no object.
            generator: on the images' device.

        Raises:
            FloatingPointError: loss or gradient is not finite; nothing was updated.
        """
        self.peer.train()
        if self.settings.augmented:
            images, labels = augment(images, labels, generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.peer.loss(images, labels, generator)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.peer.parameters(), self.settings.clip_norm)
        value = float(loss.detach())
        if not bool(torch.isfinite(norm)) or not torch.isfinite(loss.detach()):
            raise FloatingPointError(f"Training diverged: loss {value}, gradient norm {float(norm)}; nothing updated.")
        self.optimizer.step()
        self.scheduler.step()
        return value


def one_object(labels: Tensor) -> Tensor:
    """Everything that moves as one object: how the paper's baselines see motion [Decision 121]."""
    return (labels > 0).long()
