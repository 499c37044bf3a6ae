"""Named runs: they build, they travel, they carry the published numbers, and Table 3 is one field away."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch

from eisen_ray.build import build_eisen, build_grouping, build_motion
from eisen_ray.config import GroupingConfig, ModelConfig, RunConfig
from eisen_ray.data.layouts import LAYOUTS
from eisen_ray.presets import PAPER, PRESETS, RELEASE, YOUNG
from eisen_ray.settings import differences, digest, from_dict, to_dict

NAMES = sorted(PRESETS)


@pytest.mark.parametrize("name", NAMES)
def test_presets_survive_json(name: str) -> None:
    config = PRESETS[name]()
    again = from_dict(RunConfig, json.loads(json.dumps(to_dict(config))))
    assert again == config
    assert differences(to_dict(again), to_dict(config)) == []
    assert digest(again) == digest(config)


@pytest.mark.parametrize("name", NAMES)
def test_presets_build(name: str) -> None:
    config = PRESETS[name]()
    with torch.device("meta"):
        network = build_eisen(config.model, config.grouping)
    assert network.grouping.kprop.num_iterations == config.grouping.num_iterations
    teacher = dataclasses.replace(config.grouping, num_iterations=config.teacher.num_iterations)
    assert build_grouping(teacher).kprop.num_iterations == config.teacher.num_iterations
    assert build_motion(config.motion).threshold_px == config.motion.threshold_px
    assert config.data.layout in LAYOUTS


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_say_how_to_run_and_what_to_expect(name: str) -> None:
    text = PRESETS[name].__doc__ or ""
    command = "python jobs/bootstrap.py" if name == "quickstart" else f"python jobs/bootstrap.py {name}"
    assert f"Command: {command}" in text
    assert "Hardware: " in text
    assert "xpected mIoU" in text
    if PRESETS[name]().data.layout != "sample":
        assert "--data.source" in text


def test_presets_are_named_for_their_functions_and_write_to_their_own_roots() -> None:
    assert {name: function.__name__ for name, function in PRESETS.items()} == {name: name for name in PRESETS}
    assert {name: function().root for name, function in PRESETS.items()} == {name: f"runs/{name}" for name in PRESETS}


def test_presets_are_made_anew_and_alike() -> None:
    for name in NAMES:
        assert PRESETS[name]() == PRESETS[name]()


# The dossier's table of operating points; both share what follows them.
BOTH = {
    "plateau_width": 32,
    "num_slots": 32,
    "num_rounds": 3,
    "overlap": 0.2,
    "inhibition": "subtract",
    "norm": "l2",
    "readout": "competition",
    "excite": True,
    "inhibit": True,
    "min_region_nodes": 20,
}


@pytest.mark.parametrize(
    ("point", "numbers"),
    [
        (RELEASE, {"num_iterations": 25, "threshold": 0.7, "start": "spread"}),
        (PAPER, {"num_iterations": 40, "threshold": 0.5, "start": "first"}),
    ],
    ids=["release", "paper"],
)
def test_operating_points_carry_the_published_numbers(point: GroupingConfig, numbers: dict[str, Any]) -> None:
    assert {name: getattr(point, name) for name in {**numbers, **BOTH}} == {**numbers, **BOTH}


def test_playroom_is_trained_as_released() -> None:
    config = PRESETS["playroom"]()
    assert config.grouping == RELEASE
    model, train = config.model, config.train
    assert (model.backbone, model.scope, model.window, model.embedding_width) == (
        "resnet50-deeplab",
        "local+far",
        25,
        32,
    )
    assert (train.num_steps, train.batch_size, train.learning_rate) == (200_000, 8, 5e-4)
    assert (train.loss_levels, train.warmup_steps, train.clip_norm, train.augment) == (3, 1000, 1.0, False)
    assert (config.data.image_height, config.data.image_width) == (512, 512)
    assert (config.flow.estimator, config.flow.num_updates, config.motion.threshold_px) == ("raft-large", 20, 0.5)
    assert not config.motion.split_components, "all that moves is one segment"


@pytest.mark.parametrize("name", ["davis", "bridge", "folder"])
def test_other_data_sets_are_run_at_the_paper_point(name: str) -> None:
    config = PRESETS[name]()
    assert config.grouping == PAPER
    assert (config.model.backbone, config.train.augment) == ("resnet50-deeplab", False)


def test_bridge_carries_the_published_thresholds_and_rounds() -> None:
    config = PRESETS["bridge"]()
    assert (config.motion.threshold_px, config.motion.min_area, config.motion.max_area) == (1.0, 0.01, 0.5)
    assert (config.rounds.num_rounds, config.teacher.num_runs, config.teacher.agreement) == (3, 4, 1.0)


def test_young_networks_are_read_until_every_small_thing_is_found() -> None:
    """Twenty things of 3x3 nodes on eight large pieces of ground: pointers fall on ground first [Decision 141]."""
    ids = torch.arange(48)[:, None] // 12 * 2 + torch.arange(48) // 24
    corners = torch.cartesian_prod(torch.arange(2, 46, 9), torch.arange(2, 46, 9))[:20]
    for thing, (top, left) in enumerate(corners.tolist(), start=8):
        ids[top : top + 3, left : left + 3] = thing
    plateau = torch.nn.functional.one_hot(ids, YOUNG.plateau_width).float().view(1, -1, YOUNG.plateau_width)

    def found(grouping: GroupingConfig) -> list[int]:
        reading = build_grouping(grouping).read
        return [int(reading(plateau, 48, 48, torch.Generator().manual_seed(seed)).max()) for seed in range(10)]

    assert found(YOUNG) == [28] * 10
    assert min(found(dataclasses.replace(YOUNG, num_rounds=3))) < 28


def test_young_networks_see_in_a_mirror_what_they_see_without() -> None:
    """What belongs together does not depend on which of two mirror images a picture is [Decision 143]."""
    torch.manual_seed(0)
    model = build_eisen(ModelConfig(backbone="small", scope="full"), YOUNG).eval()
    picture = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    (one, grid), (other, _) = (model.graph(view, torch.Generator()) for view in (picture, picture.flip(-1)))
    place = torch.arange(grid[0] * grid[1]).view(grid).flip(1).flatten()
    logits, mirrored = (graph.query @ graph.key.transpose(1, 2) for graph in (one, other))
    torch.testing.assert_close(logits, mirrored[:, place][:, :, place], rtol=1e-4, atol=1e-4)


def test_young_networks_are_read_from_several_passes() -> None:
    """What one pass of three misses is in the others [Decision 145]."""
    model = build_eisen(ModelConfig(backbone="small"), YOUNG)
    picture = np.full((96, 96, 3), 60, np.uint8)
    picture[16:48, 12:44] = 200
    missed, seen = np.ones((2, 24, 24), np.int64)
    seen[4:12, 3:11] = 2
    passes = [missed] * (model.num_passes - 1) + [seen]
    assert len(np.unique(model.chosen(np.stack(passes), picture))) == 2
    assert len(passes) == 3
    work = YOUNG.num_passes * YOUNG.plateau_width * YOUNG.num_iterations
    assert work <= 1.25 * 128 * 25, "not much more than the single wide pass of before"


@pytest.mark.parametrize("name", ["quickstart", "tiny"])
def test_runs_for_laptops_need_no_gpu_no_source_and_no_weights(name: str) -> None:
    config = PRESETS[name]()
    assert (config.data.layout, config.data.source, config.model.backbone) == ("sample", "", "small")
    assert config.flow.estimator == "dis" or config.flow.fallback


# --- Table 3 -------------------------------------------------------------------------------------------------------

ABLATIONS: list[tuple[str, type, str, Any]] = [
    ("Loc", ModelConfig, "scope", "local"),
    ("Full", ModelConfig, "scope", "full"),
    ("Argmax", GroupingConfig, "readout", "argmax"),
    ("Ex", GroupingConfig, "inhibit", False),
    ("Inb", GroupingConfig, "excite", False),
    ("softmax", GroupingConfig, "norm", "softmax"),
    *((f"{number} KProp iterations", GroupingConfig, "num_iterations", number) for number in (30, 20, 10, 1)),
    *((f"{number} Competition rounds", GroupingConfig, "num_rounds", number) for number in (2, 1)),
]
"""Every row of Table 3 that differs from the reference row (paper's point, Loc+Glob), by the one field it changes."""


@pytest.mark.parametrize(("cls", "field", "value"), [row[1:] for row in ABLATIONS], ids=[row[0] for row in ABLATIONS])
def test_every_ablation_of_table_3_is_one_field(cls: type, field: str, value: Any) -> None:
    model = ModelConfig(backbone="small")
    built = []
    for change in ({}, {field: value}):
        with torch.device("meta"):
            network = build_eisen(
                dataclasses.replace(model, **(change if cls is ModelConfig else {})),
                dataclasses.replace(PAPER, **(change if cls is GroupingConfig else {})),
            )
        kprop, competition = network.grouping.kprop, network.grouping.competition
        parts = {"sampler": network.sampler, "kprop": kprop, "competition": competition, "grouping": network.grouping}
        built.append({(name, key): each for name, part in parts.items() for key, each in vars(part).items()})
    before, after = built
    changed = {key for _, key in before if before[_, key] != after[_, key] and key not in ("kprop", "competition")}
    # Without far samples their number is of no account.
    assert changed - {"num_far"} == {field}
    assert value in [after[place] for place in after if place[1] == field]
