"""Pictures of two coloured squares on noise: what every peer that learns must be able to learn by heart."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eisen_ray.baselines.affinities import GroupingPeer, ReadoutPeer
from eisen_ray.baselines.own_network import OwnNetwork
from eisen_ray.baselines.peer import Peer, Picture, TrainablePeer
from eisen_ray.baselines.ssap import SsapPeer
from eisen_ray.baselines.training import PeerTraining, TrainSettings
from eisen_ray.measures.scores import Scores, evaluate_maps

SIDE = 64
ON_NODES = (OwnNetwork, SsapPeer, ReadoutPeer, GroupingPeer)
"""Peers whose maps stand at a quarter of the picture's size; all others' at its own."""
COLOURS = ((220, 60, 60), (60, 60, 230))


def squares(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images uint8 [count, 3, 64, 64] and labels int64 [count, 64, 64]: one square in each half, 0 around them."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, SIDE, SIDE, 3), dtype=np.uint8)
    labels = np.zeros((count, SIDE, SIDE), np.int64)
    for image, label in zip(images, labels, strict=True):
        for name, colour in enumerate(COLOURS):
            side = int(rng.integers(14, 26))
            top, left = int(rng.integers(0, SIDE - side)), int(rng.integers(0, SIDE // 2 - side + 1))
            place = np.s_[top : top + side, left + name * SIDE // 2 : left + name * SIDE // 2 + side]
            label[place], image[place] = name + 1, colour
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)


def learn(peer: TrainablePeer, images: Tensor, labels: Tensor, num_steps: int, rate: float = 1e-3) -> list[float]:
    """Steps on the same pictures; the losses."""
    generator = torch.Generator().manual_seed(0)
    training = PeerTraining(peer, TrainSettings(num_steps, rate, warmup_steps=5))
    losses = [training.step(images, labels, generator) for _ in range(num_steps)]
    peer.eval()
    return losses


def score(peer: Peer, images: Tensor, labels: Tensor) -> Scores:
    """The peer's maps against the truth; also checks that they have the form that is promised."""
    generator = torch.Generator().manual_seed(0)
    found = [peer.segment(Picture(image.permute(1, 2, 0).numpy()), generator) for image in images]
    for one in found:
        assert one.labels.dtype == np.int32
        assert one.labels.shape == ((SIDE // 4, SIDE // 4) if isinstance(peer, ON_NODES) else (SIDE, SIDE))
        assert one.labels.min() >= 0
        if one.confidences:
            assert set(np.unique(one.labels[one.labels > 0]).tolist()) == set(one.confidences)
    confidences = [one.confidences for one in found]
    maps = [one.labels for one in found]
    return evaluate_maps(maps, list(labels.numpy()), confidences=confidences if any(confidences) else None)
