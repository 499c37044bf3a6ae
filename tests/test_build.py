"""Configs become modules: every field arrives where it belongs, and none is forgotten."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from eisen_ray import build
from eisen_ray.build import build_eisen, build_flow, build_grouping, build_motion, build_step
from eisen_ray.config import FlowConfig, GroupingConfig, ModelConfig, MotionConfig, TrainConfig
from eisen_ray.learning.step import StepSettings
from eisen_ray.model.competition import paper_rule
from eisen_ray.model.eisen import Eisen
from eisen_ray.model.release_rule import release_rule
from eisen_ray.model.small_backbone import SmallBackbone
from eisen_ray.supervision.flow import DisFlow

SMALL = ModelConfig(backbone="small", window=5, num_far=7, tile_size=4)

OTHER: dict[type, dict[str, Any]] = {
    ModelConfig: {
        "backbone": "resnet50-deeplab",
        "embedding_width": 16,
        "scope": "local",
        "window": 7,
        "num_far": 9,
        "sampling": "row",
        "tile_size": 2,
    },
    GroupingConfig: {
        "plateau_width": 8,
        "num_iterations": 3,
        "threshold": 0.4,
        "start": "all",
        "mutual": True,
        "excite": False,
        "inhibit": False,
        "norm": "softmax",
        "inhibition": "project",
        "readout": "argmax",
        "rule": "release",
        "num_slots": 5,
        "num_rounds": 2,
        "overlap": 0.3,
        "min_region_nodes": 4,
        "precision": "bf16",
    },
    MotionConfig: {
        "method": "plateau",
        "threshold_px": 2.0,
        "relative_threshold": 0.3,
        "min_area": 0.1,
        "max_area": 0.9,
        "split_components": True,
        "min_region_nodes": 4,
        "largest_only": True,
        "agreement": 1.0,
    },
}
"""For every field a value unlike the default."""

USED_ELSEWHERE = {
    (MotionConfig, "offsets"): "runtime: which frames the flow stage pairs",
    (GroupingConfig, "enlarge"): "the network: what it makes of pictures before it segments them",
    (GroupingConfig, "mirror"): "the network: how often it looks at them",
    (GroupingConfig, "snap_to_edges"): "the network: what it makes of segments after it found them",
    (MotionConfig, "snap_to_edges"): "runtime: what the flow stage makes of motion, which needs the images",
    (GroupingConfig, "min_edge_share"): "the network: which of them it keeps",
    (GroupingConfig, "num_passes"): "the network: from how many it chooses",
}


def meta_eisen(model: ModelConfig, grouping: GroupingConfig) -> Eisen:
    """The network without memory for its weights: only sizes count here."""
    with torch.device("meta"):
        return build_eisen(model, grouping)


def described(built: Any) -> Any:
    """Plain settings of a built object and of all it holds; of a network, the sizes of its weights."""
    if isinstance(built, Eisen):
        parts = {"sampler": built.sampler, "grouping": built.grouping}
        sizes = {name: tuple(parameter.shape) for name, parameter in built.named_parameters()}
        return {"weights": sizes, **{name: described(part) for name, part in parts.items()}}
    if hasattr(built, "__dict__") and not callable(getattr(built, "__code__", None)) and not isinstance(built, type):
        if type(built).__module__.startswith("eisen_ray"):
            return {name: described(value) for name, value in vars(built).items()}
    return getattr(built, "__name__", built)


def build_one(config: Any) -> Any:
    if isinstance(config, ModelConfig):
        return described(meta_eisen(config, GroupingConfig()))
    return described(build_grouping(config) if isinstance(config, GroupingConfig) else build_motion(config))


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, values in OTHER.items() for name in values])
def test_every_field_changes_what_is_built(cls: type, name: str) -> None:
    config = SMALL if cls is ModelConfig else cls()
    changed = dataclasses.replace(config, **{name: OTHER[cls][name]})
    assert changed != config
    assert build_one(changed) != build_one(config)
    assert build_one(config) == build_one(dataclasses.replace(config))


@pytest.mark.parametrize("cls", OTHER)
def test_no_field_is_left_out_here(cls: type) -> None:
    fields = {field.name for field in dataclasses.fields(cls)}
    assert fields == set(OTHER[cls]) | {name for owner, name in USED_ELSEWHERE if owner is cls}


def test_fields_arrive_under_their_own_names() -> None:
    values = OTHER[GroupingConfig]
    grouping = build_grouping(GroupingConfig(**values))
    for name in ("num_iterations", "threshold", "start", "excite", "inhibit", "norm", "inhibition"):
        assert getattr(grouping.kprop, name) == values[name], name
    for name in ("num_slots", "num_rounds", "overlap"):
        assert getattr(grouping.competition, name) == values[name], name
    for name in ("readout", "plateau_width", "min_region_nodes", "mutual"):
        assert getattr(grouping, name) == values[name], name
    finer = meta_eisen(
        SMALL, GroupingConfig(enlarge=1.5, mirror=True, snap_to_edges=0.1, min_edge_share=0.6, num_passes=2)
    )
    assert (finer.enlarge, finer.mirror, finer.snap, finer.min_edge_share, finer.num_passes) == (1.5, True, 0.1, 0.6, 2)
    sampler = meta_eisen(SMALL, GroupingConfig()).sampler
    for name in ("scope", "window", "num_far", "sampling", "tile_size"):
        assert getattr(sampler, name) == getattr(SMALL, name), name
    motion = build_motion(MotionConfig(**OTHER[MotionConfig]))
    for name, value in OTHER[MotionConfig].items():
        assert getattr(motion, name) == value, name


def test_a_step_is_taken_as_the_training_says() -> None:
    rows = {"labelled_rows": 5, "segment_balance": 0.25, "static_rows": 7}
    train = TrainConfig(loss_levels=2, clip_norm=0.5, precision="bf16", augment=True, **rows)
    assert build_step(train, 3) == StepSettings(2, 0.5, "bf16", augmented=True, **rows, world_size=3)


def test_rules_of_competition() -> None:
    assert build_grouping(GroupingConfig(rule="paper")).competition.rule is paper_rule
    assert build_grouping(GroupingConfig(rule="release")).competition.rule is release_rule


def test_projection_comes_with_the_first_release_floors() -> None:
    first, later = (build_grouping(GroupingConfig(inhibition=kind)).kprop for kind in ("project", "subtract"))
    assert (first.epsilon, first.norm_floor) == (0.0, 1e-8)
    assert (later.epsilon, later.norm_floor) == (1e-16, 1e-12)


def test_the_paper_network_has_its_parameters() -> None:
    network = meta_eisen(ModelConfig(), GroupingConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == 40_059_168
    assert isinstance(meta_eisen(SMALL, GroupingConfig()).backbone, SmallBackbone)


def test_the_head_fits_the_backbone() -> None:
    torch.manual_seed(0)
    model = dataclasses.replace(SMALL, embedding_width=6)
    network = build_eisen(model, GroupingConfig(num_iterations=2, plateau_width=4, min_region_nodes=1)).eval()
    images = torch.zeros(1, 3, 32, 40, dtype=torch.uint8)
    query, key, grid = network.embed(images)
    assert (query.shape, key.shape, grid) == ((1, 80, 6), (1, 80, 6), (8, 10))
    assert network.segment(images, torch.Generator().manual_seed(0)).shape == (1, 8, 10)


def test_equal_seeds_build_equal_weights() -> None:
    vectors = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        vectors.append(nn.utils.parameters_to_vector(build_eisen(SMALL, GroupingConfig()).parameters()))
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])


def test_flow_settings_are_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(build, "load_flow", lambda *args, **kwargs: seen.append((*args, kwargs)))
    build_flow(
        FlowConfig(estimator="raft-small", weights="w.pt", num_updates=7, fallback=True, precision="bf16"),
        torch.device("cpu"),
    )
    expected = {
        "weights": "w.pt",
        "num_updates": 7,
        "device": torch.device("cpu"),
        "precision": "bf16",
        "fallback": True,
    }
    assert seen == [("raft-small", expected)]


def test_classical_flow_needs_nothing() -> None:
    flow = build_flow(FlowConfig(estimator="dis"), torch.device("cpu"))
    assert isinstance(flow, DisFlow)
    frames = torch.randint(0, 256, (1, 3, 128, 128), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert flow(frames, frames).shape == (1, 2, 128, 128)
