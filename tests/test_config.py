from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from eisen_ray import config
from eisen_ray.config import DataConfig, MotionConfig, ResourcesConfig, RunConfig, TrainConfig
from eisen_ray.errors import ConfigError

OUT_OF_RANGE: list[tuple[type, dict[str, Any]]] = [
    (config.DataConfig, {"image_height": 30}),
    (config.DataConfig, {"image_width": 65}),
    (config.DataConfig, {"fragment_frames": 1}),
    (config.DataConfig, {"frame_stride": 0}),
    (config.DataConfig, {"pair_stride": 0}),
    (config.DataConfig, {"max_clips": -1}),
    (config.DataConfig, {"max_bad_share": 1.5}),
    (config.DataConfig, {"source": "", "layout": "videos"}),
    (config.FlowConfig, {"num_updates": 0}),
    (config.FlowConfig, {"height": 120}),
    (config.FlowConfig, {"width": 132}),
    (config.MotionConfig, {"threshold_px": 0.0}),
    (config.MotionConfig, {"relative_threshold": 1.0}),
    (config.MotionConfig, {"min_area": -0.1}),
    (config.MotionConfig, {"max_area": 1.1}),
    (config.MotionConfig, {"min_area": 0.5, "max_area": 0.5}),
    (config.MotionConfig, {"min_region_nodes": -1}),
    (config.MotionConfig, {"offsets": ()}),
    (config.MotionConfig, {"offsets": (1, 0)}),
    (config.MotionConfig, {"offsets": (1, 1)}),
    (config.MotionConfig, {"agreement": 0.0}),
    (config.ModelConfig, {"embedding_width": 0}),
    (config.ModelConfig, {"window": 24}),
    (config.ModelConfig, {"num_far": -1}),
    (config.ModelConfig, {"tile_size": 0}),
    (config.GroupingConfig, {"plateau_width": 0}),
    (config.GroupingConfig, {"num_iterations": 0}),
    (config.GroupingConfig, {"num_slots": 0}),
    (config.GroupingConfig, {"num_rounds": 0}),
    (config.GroupingConfig, {"threshold": 1.0}),
    (config.GroupingConfig, {"overlap": 0.0}),
    (config.GroupingConfig, {"min_region_nodes": -1}),
    (config.TeacherConfig, {"num_runs": 0}),
    (config.TeacherConfig, {"num_passes": 0}),
    (config.TeacherConfig, {"threshold": 1.0}),
    (config.TeacherConfig, {"num_iterations": 0}),
    (config.TeacherConfig, {"plateau_width": 0}),
    (config.TeacherConfig, {"agreement": 1.5}),
    (config.TeacherConfig, {"min_region_nodes": -1}),
    (config.TeacherConfig, {"max_area": 0.0}),
    (config.TeacherConfig, {"last_explaining_round": -1}),
    (config.TeacherConfig, {"snap_to_edges": -0.1}),
    (config.MotionConfig, {"snap_to_edges": 0.6}),
    (config.TeacherConfig, {"min_edge_share": 1.1, "snap_to_edges": 0.1}),
    (config.TeacherConfig, {"min_edge_share": 0.5}),
    (config.TeacherConfig, {"enlarge": 0.5, "snap_to_edges": 0.1}),
    (config.TeacherConfig, {"enlarge": 1.5}),
    (config.GroupingConfig, {"min_edge_share": -0.5, "snap_to_edges": 0.1}),
    (config.GroupingConfig, {"min_edge_share": 0.5}),
    (config.GroupingConfig, {"num_passes": 0}),
    (config.GroupingConfig, {"enlarge": 8.5}),
    (config.GroupingConfig, {"snap_to_edges": 0.6}),
    (config.TeacherConfig, {"min_moving_share": 1.5}),
    (config.TrainConfig, {"num_steps": 0}),
    (config.TrainConfig, {"batch_size": 0}),
    (config.TrainConfig, {"learning_rate": 0.0}),
    (config.TrainConfig, {"warmup_steps": -1}),
    (config.TrainConfig, {"clip_norm": 0.0}),
    (config.TrainConfig, {"loss_levels": 0}),
    (config.TrainConfig, {"shuffle_images": 0}),
    (config.TrainConfig, {"static_rows": -1}),
    (config.TrainConfig, {"labelled_rows": -1}),
    (config.TrainConfig, {"segment_balance": 1.5, "labelled_rows": 8}),
    (config.TrainConfig, {"labelled_rows": 0, "segment_balance": 0.5}),
    (config.TrainConfig, {"checkpoint_every_steps": 0}),
    (config.TrainConfig, {"log_every_steps": 0}),
    (config.RoundsConfig, {"num_rounds": 0}),
    (config.RoundsConfig, {"gate_images": 0}),
    (config.RoundsConfig, {"min_segments": -0.5}),
    (config.RoundsConfig, {"min_agreement": 1.5}),
    (config.RoundsConfig, {"eval_images": -1}),
    (config.ResourcesConfig, {"flow_actors": -1}),
    (config.ResourcesConfig, {"max_flow_actors": -1}),
    (config.ResourcesConfig, {"teacher_actors": 2, "max_teacher_actors": 1}),
    (config.ResourcesConfig, {"max_teacher_actors": -1}),
    (config.ResourcesConfig, {"decode_cpus": 0.0}),
    (config.ResourcesConfig, {"flow_gpus": 0.0}),
    (config.ResourcesConfig, {"teacher_gpus": 0.0}),
    (config.ResourcesConfig, {"actor_cpus": 0.0}),
    (config.ResourcesConfig, {"train_gpus": 0.0}),
    (config.ResourcesConfig, {"train_gpus": 1.5}),
    (config.ResourcesConfig, {"train_cpus": 0.0}),
    (config.ResourcesConfig, {"flow_batch": 0}),
    (config.ResourcesConfig, {"teacher_batch": 0}),
    (config.ResourcesConfig, {"train_workers": -1}),
    (config.ResourcesConfig, {"max_failures": -1}),
    (config.ResourcesConfig, {"train_threads": -1}),
    (config.ResourcesConfig, {"actor_threads": -1}),
    (config.RunConfig, {"root": ""}),
]

UNCHECKED = {"seed"}
"""Numbers of which every value is good."""


@pytest.mark.parametrize(("cls", "values"), OUT_OF_RANGE, ids=lambda value: str(getattr(value, "__name__", value)))
def test_value_out_of_range_is_refused_by_name(cls: type, values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        cls(**values)


def test_every_number_has_a_refused_value() -> None:
    rooms = [getattr(config, f"{room.title()}Config") for room in ("data", "flow", "motion", "model", "grouping")]
    rooms += [getattr(config, f"{room.title()}Config") for room in ("teacher", "train", "rounds", "resources", "run")]
    numbers = {
        (cls, field.name) for cls in rooms for field in dataclasses.fields(cls) if field.type in ("int", "float")
    }
    tested = {(cls, name) for cls, values in OUT_OF_RANGE for name in values}
    assert {name for cls, name in numbers - tested} == UNCHECKED


def test_limits_themselves_are_good() -> None:
    DataConfig(image_height=32, image_width=32, fragment_frames=2, max_bad_share=0.0)
    MotionConfig(min_area=0.0, max_area=1.0, agreement=1.0, offsets=(-1, 1))
    config.GroupingConfig(threshold=0.0, min_region_nodes=0)
    config.TeacherConfig(agreement=1.0, max_area=1.0)
    TrainConfig(warmup_steps=0, num_steps=1)


def test_message_says_received_and_expected() -> None:
    with pytest.raises(ConfigError, match=r"train\.num_steps is 0; expected at least 1"):
        TrainConfig(num_steps=0)


def test_batch_must_divide_among_the_workers() -> None:
    with pytest.raises(ConfigError, match=r"train\.batch_size is 8; expected a multiple of .* \(3\)"):
        RunConfig(resources=ResourcesConfig(train_workers=3))


def test_every_field_has_a_docstring() -> None:
    import ast
    import inspect

    for cls in ast.parse(inspect.getsource(config)).body:
        if not isinstance(cls, ast.ClassDef):
            continue
        for field, after in zip(cls.body, [*cls.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and not (cls.name == "RunConfig" and "Config" in ast.unparse(field)):
                assert isinstance(after, ast.Expr), f"{cls.name}.{ast.unparse(field.target)} has no docstring"


def test_configs_import_neither_torch_nor_ray() -> None:
    code = (
        "import sys, eisen_ray.config, eisen_ray.settings\n"
        "heavy = {'torch', 'ray', 'numpy', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
