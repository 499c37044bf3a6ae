from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from eisen_ray.config import DataConfig, FlowConfig, ModelConfig, MotionConfig, RunConfig, TrainConfig
from eisen_ray.errors import ConfigError
from eisen_ray.settings import differences, digest, from_dict, to_dict


def test_round_trip_through_json() -> None:
    config = RunConfig(
        root="s3://bucket/run",
        data=DataConfig(layout="davis", source="clips"),
        motion=MotionConfig(offsets=(-1, 1, 2)),
        flow=FlowConfig(estimator="dis", fallback=True),
    )
    assert from_dict(RunConfig, json.loads(json.dumps(to_dict(config)))) == config


def test_left_out_settings_are_the_defaults() -> None:
    assert from_dict(RunConfig, {"train": {"num_steps": 7}}) == RunConfig(train=TrainConfig(num_steps=7))


def test_whole_number_serves_as_float() -> None:
    value = from_dict(MotionConfig, {"threshold_px": 1}).threshold_px
    assert (value, type(value)) == (1.0, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": {"num_step": 7}}, r"Unknown setting train\.num_step\. Did you mean train\.num_steps\?"),
        ({"trian": {}}, r"Unknown setting trian\. Did you mean train\?"),
        ({"train": {"zzz": 7}}, r"Unknown setting train\.zzz\. Known: .*batch_size, "),
        ({"train": 3}, r"train is 3; expected a group of settings"),
        ({"train": {"num_steps": "7"}}, r"train\.num_steps is '7'; expected a value of type int"),
        ({"train": {"num_steps": 7.5}}, r"train\.num_steps is 7\.5; expected"),
        ({"train": {"num_steps": True}}, r"train\.num_steps is True; expected"),
        ({"train": {"learning_rate": True}}, r"train\.learning_rate is True; expected"),
        ({"train": {"learning_rate": None}}, r"train\.learning_rate is None; expected"),
        ({"grouping": {"excite": 1}}, r"grouping\.excite is 1; expected"),
        ({"root": 5}, r"root is 5; expected"),
        ({"flow": {"estimator": "raft"}}, r"flow\.estimator is 'raft'; expected one of 'raft-large'"),
        ({"motion": {"offsets": 1}}, r"motion\.offsets is 1; expected a list"),
        ({"motion": {"offsets": ["a"]}}, r"motion\.offsets is 'a'; expected"),
        ({"model": {"window": 4}}, r"model\.window is 4; expected an odd number"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(RunConfig, values)


def test_digest_is_stable_across_processes() -> None:
    code = "from eisen_ray.config import RunConfig; from eisen_ray.settings import digest; print(digest(RunConfig()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(RunConfig())


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": (2, 3), "a": 1})


def test_digest_is_a_fixed_name() -> None:
    # Stored flow and labels are found by this name: a change of the rule would orphan what old runs stored.
    assert digest({"a": 1}, "raft", 2.5) == "ed13bd3082674092"


def test_every_setting_shapes_the_digest() -> None:
    config = ModelConfig()
    changed = [
        dataclasses.replace(config, backbone="small"),
        dataclasses.replace(config, embedding_width=31),
        dataclasses.replace(config, scope="full"),
        dataclasses.replace(config, window=27),
        dataclasses.replace(config, num_far=0),
        dataclasses.replace(config, sampling="row"),
        dataclasses.replace(config, tile_size=9),
    ]
    assert len(changed) == len(dataclasses.fields(config))
    assert len({digest(each) for each in [config, *changed]}) == len(changed) + 1
    assert digest(config, 1) != digest(config, 2)


def test_differences_name_each_changed_setting() -> None:
    old = to_dict(RunConfig())
    new = to_dict(RunConfig(seed=3, train=TrainConfig(num_steps=7)))
    del new["flow"]["fallback"]
    assert differences(old, new) == [
        "flow.fallback: False -> '(absent)'",
        "seed: 0 -> 3",
        "train.num_steps: 200000 -> 7",
    ]
    assert differences(old, old) == []
