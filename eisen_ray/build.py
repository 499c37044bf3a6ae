"""From configs to modules: the only place that unpacks configs into plain arguments."""

from __future__ import annotations

import torch

from eisen_ray.config import FlowConfig, GroupingConfig, ModelConfig, MotionConfig, TrainConfig
from eisen_ray.learning.step import StepSettings
from eisen_ray.model.affinity import AffinityHead
from eisen_ray.model.backbone import ResNet50DeepLab
from eisen_ray.model.competition import Competition
from eisen_ray.model.eisen import Eisen, Grouping
from eisen_ray.model.kprop import KProp
from eisen_ray.model.neighbors import NeighborSampler
from eisen_ray.model.small_backbone import SmallBackbone
from eisen_ray.supervision.flow import FlowEstimator, load_flow
from eisen_ray.supervision.motion import MotionSegmenter


def build_eisen(model: ModelConfig, grouping: GroupingConfig) -> Eisen:
    """The network with random weights drawn from torch's global generator; seed it first."""
    backbone = ResNet50DeepLab() if model.backbone == "resnet50-deeplab" else SmallBackbone()
    return Eisen(
        backbone=backbone,
        head=AffinityHead(backbone.out_channels, model.embedding_width),
        sampler=NeighborSampler(model.scope, model.window, model.num_far, model.sampling, model.tile_size),
        grouping=build_grouping(grouping),
        enlarge=grouping.enlarge,
        mirror=grouping.mirror,
        snap=grouping.snap_to_edges,
        min_edge_share=grouping.min_edge_share,
        num_passes=grouping.num_passes,
    )


def build_grouping(grouping: GroupingConfig) -> Grouping:
    """KProp, readout and regions."""
    first_release = grouping.inhibition == "project"
    kprop = KProp(
        num_iterations=grouping.num_iterations,
        threshold=grouping.threshold,
        start=grouping.start,
        excite=grouping.excite,
        inhibit=grouping.inhibit,
        norm=grouping.norm,
        inhibition=grouping.inhibition,
        # Projection comes from the first release, which had no epsilon and this floor (reference case 14).
        epsilon=0.0 if first_release else 1e-16,
        norm_floor=1e-8 if first_release else 1e-12,
    )
    return Grouping(
        kprop=kprop,
        competition=Competition(grouping.num_slots, grouping.num_rounds, grouping.overlap, grouping.rule),
        readout=grouping.readout,
        plateau_width=grouping.plateau_width,
        min_region_nodes=grouping.min_region_nodes,
        precision=grouping.precision,
        mutual=grouping.mutual,
    )


def build_flow(flow: FlowConfig, device: torch.device) -> FlowEstimator:
    """The flow estimator with its weights on the device; see `FlowConfig.fallback` for what happens without any."""
    return load_flow(
        flow.estimator,
        weights=flow.weights,
        num_updates=flow.num_updates,
        device=device,
        precision=flow.precision,
        fallback=flow.fallback,
    )


def build_motion(motion: MotionConfig) -> MotionSegmenter:
    """From flow to motion segments."""
    return MotionSegmenter(
        method=motion.method,
        threshold_px=motion.threshold_px,
        min_area=motion.min_area,
        max_area=motion.max_area,
        split_components=motion.split_components,
        min_region_nodes=motion.min_region_nodes,
        largest_only=motion.largest_only,
        agreement=motion.agreement,
        relative_threshold=motion.relative_threshold,
    )


def build_step(train: TrainConfig, world_size: int) -> StepSettings:
    """How a step is taken by each of so many workers."""
    return StepSettings(
        num_levels=train.loss_levels,
        clip_norm=train.clip_norm,
        precision=train.precision,
        augmented=train.augment,
        labelled_rows=train.labelled_rows,
        segment_balance=train.segment_balance,
        static_rows=train.static_rows,
        world_size=world_size,
    )
