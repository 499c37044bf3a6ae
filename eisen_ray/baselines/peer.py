"""What every peer is: a picture goes in, a label map comes out; some learn first, from label maps."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from types import ModuleType
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from eisen_ray.errors import ConfigError


class Picture(NamedTuple):
    """What a peer may look at.

    Attributes:
        image: uint8 [H, W, 3], RGB, at the size of training.
        pair: uint8 [2, h, w, 3], the same frame and a neighbour of it at the size of flow; None for all peers but
            those with `needs_neighbour`.
    """

    image: np.ndarray
    pair: np.ndarray | None = None


class Segmentation(NamedTuple):
    """What a peer says of a picture.

    Attributes:
        labels: int32 [h, w], 0 = unassigned; the whole picture, on a grid of the peer's choice.
        confidences: of each label; empty: the peer gives none.
    """

    labels: np.ndarray
    confidences: dict[int, float]


class Peer(Protocol):
    """A method that segments single pictures."""

    needs_neighbour: bool
    """Whether it must see a second frame."""

    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Segments of a picture; all draws come from the generator."""


class TrainablePeer(nn.Module, ABC):
    """A peer that learns from label maps. What its library draws from torch's global generator, the caller seeds."""

    needs_neighbour = False
    learning_rate = 5e-4
    """Adam's rate where the run does not set one."""

    @abstractmethod
    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            images: uint8 or float [B, 3, H, W], values 0 to 255.
            labels: int64 [B, h, w], objects 1, 2, ..., 0 = none; h and w are those of the image or a part of them.
            generator: source of draws, on the images' device.
        """

    @abstractmethod
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Segments of a picture, in evaluation mode."""

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def as_batch(self, image: np.ndarray) -> Tensor:
        """uint8 [H, W, 3] as a batch of one, [1, 3, H, W], on the device of the weights."""
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(self.device)


def need(module: str, extra: str = "baselines") -> ModuleType:
    """Import a module of an optional extra.

    Raises:
        ConfigError: it is not installed; the message has the command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed; this peer needs the extra `{extra}`. Run: pip install 'eisen-ray[{extra}]'"
        ) from error


def draw_seed(generator: torch.Generator) -> int:
    """A seed below 2**31 for a library that has random numbers of its own."""
    return int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
