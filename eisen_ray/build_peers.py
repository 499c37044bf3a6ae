"""From configs to peers. The libraries of the extra `baselines` are loaded only by the peer that needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import nn

from eisen_ray.baselines.affinities import AffinitySource, GroupingPeer, NetworkAffinities, Readout, ReadoutPeer
from eisen_ray.baselines.affinity_propagation import AffinityPropagationReadout
from eisen_ray.baselines.felzenszwalb import Felzenszwalb
from eisen_ray.baselines.label_propagation import LabelPropagationReadout
from eisen_ray.baselines.moving_region import MovingRegion
from eisen_ray.baselines.own_network import OwnNetwork
from eisen_ray.baselines.peer import Peer, TrainablePeer
from eisen_ray.baselines.spectral_clustering import SpectralReadout
from eisen_ray.build import build_eisen, build_flow, build_grouping, build_motion
from eisen_ray.compare_config import CompareConfig, needs_dino, needs_network, supervision_of
from eisen_ray.errors import ConfigError
from eisen_ray.learning.step import StepSettings
from eisen_ray.model.backbone import ResNet50DeepLab
from eisen_ray.model.eisen import Eisen
from eisen_ray.model.small_backbone import SmallBackbone

Variant = Mapping[str, float]

READOUTS: dict[str, Callable[[Variant], Readout]] = {
    "spectral": lambda variant: SpectralReadout(int(variant["clusters"])),
    "affinity-propagation": lambda variant: AffinityPropagationReadout(variant["preference"]),
    "label-propagation": lambda variant: LabelPropagationReadout(variant["threshold"]),
}


def build_peer(
    row: str, config: CompareConfig, variant: Variant, device: torch.device, network: Eisen | None = None
) -> Peer:
    """The peer of a row, on the device; one that learns has random weights.

    Args:
        row: of `compare_config.ROWS`.
        config: the table.
        variant: from `variants_of`.
        device: where it works.
        network: our own, for rows that need one.

    Raises:
        ConfigError: a library is not installed, or a row needs a network and there is none.
        WeightsError: DINO's folder holds no such network.
    """
    if supervision_of(row):
        return build_trainable(row, config).to(device).eval()
    if row == "felzenszwalb":
        variants = config.variants
        return Felzenszwalb(variant["scale"], variants.felzenszwalb_sigma, variants.felzenszwalb_min_size)
    if row == "moving-region":
        return MovingRegion(build_flow(config.flow, device), build_motion(config.motion), config.grid)
    return _reader(row, config, variant, device, network)


def build_trainable(row: str, config: CompareConfig) -> TrainablePeer:
    """A peer that learns, on the CPU, with weights drawn from torch's global generator; seed it first."""
    name, size = row.partition(":")[0], config.learn.size
    if name == "mask-rcnn":
        from eisen_ray.baselines.mask_rcnn import MaskRcnnPeer

        return MaskRcnnPeer(size, config.data.image_height, config.data.image_width)
    if name == "detr":
        from eisen_ray.baselines.detr import DetrPeer

        return DetrPeer(size)
    if name == "panoptic-deeplab":
        from eisen_ray.baselines.panoptic_deeplab import PanopticDeepLabPeer

        return PanopticDeepLabPeer(*_backbone(size))
    if name == "ssap":
        from eisen_ray.baselines.ssap import SsapPeer

        return SsapPeer(*_backbone(size), num_levels=5 if size == "full" else 4)
    network = build_eisen(config.model, config.grouping)
    learn = config.learn
    settings = StepSettings(
        num_levels=learn.loss_levels,
        labelled_rows=learn.labelled_rows,
        segment_balance=learn.segment_balance,
        static_rows=learn.static_rows,
    )
    # One more label for the background, or rows that learn what they are not: both would say it twice [Decision 131].
    is_known = supervision_of(row) == "full" and not learn.static_rows
    return OwnNetwork(network, background_known=is_known, settings=settings)


def _backbone(size: str) -> tuple[nn.Module, int]:
    backbone = ResNet50DeepLab() if size == "full" else SmallBackbone()
    return backbone, backbone.out_channels


def _reader(row: str, config: CompareConfig, variant: Variant, device: torch.device, network: Eisen | None) -> Peer:
    if needs_network(row) and network is None:
        raise ConfigError(f"The row {row!r} needs a trained network; expected `checkpoint` to name one.")
    if row == "network" and network is not None:
        return OwnNetwork(network.to(device), background_known=False).eval()
    readout = row.partition("/")[2]
    source = _source(row, config, device, network)
    # Of the table, for all readouts alike: small regions are dropped by the same rule.
    if readout == "competition":
        return GroupingPeer(source, build_grouping(replace(config.grouping, threshold=variant["threshold"])))
    return ReadoutPeer(source, READOUTS[readout](variant), config.variants.max_nodes, config.grouping.min_region_nodes)


def _source(row: str, config: CompareConfig, device: torch.device, network: Eisen | None) -> AffinitySource:
    if network is not None and not needs_dino(row):
        return NetworkAffinities(network.to(device).eval())
    from eisen_ray.baselines.dino import DinoAffinities

    return DinoAffinities(config.dino, config.variants.dino_temperature)
