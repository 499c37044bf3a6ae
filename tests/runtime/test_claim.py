from __future__ import annotations

from dataclasses import replace

import pytest

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.runtime.claim import claim
from eisen_ray.runtime.storage import Store


def change(config: RunConfig, room: str, **fields: object) -> RunConfig:
    return replace(config, **{room: replace(getattr(config, room), **fields)})


def test_same_settings_continue(config: RunConfig) -> None:
    claim(Store(config.root), config, "dis")
    claim(Store(config.root), config, "dis")


def test_other_settings_are_refused_by_name(config: RunConfig) -> None:
    store = Store(config.root)
    claim(store, config, "dis")
    other = change(change(config, "train", learning_rate=0.5), "motion", threshold_px=7.0)
    with pytest.raises(ConfigError) as error:
        claim(store, other, "dis")
    assert "train.learning_rate: 0.001 -> 0.5" in str(error.value)
    assert "motion.threshold_px: 1.0 -> 7.0" in str(error.value)
    assert "another --root" in str(error.value)


def test_another_flow_estimator_is_refused(config: RunConfig) -> None:
    store = Store(config.root)
    claim(store, config, "dis")
    with pytest.raises(ConfigError, match="flow_identity: 'dis' -> 'raft-small"):
        claim(store, config, "raft-small 1234")


def test_targets_may_lie_elsewhere(config: RunConfig) -> None:
    store = Store(config.root)
    claim(store, config, "dis")
    claim(store, replace(config, targets="s3://shared/targets"), "dis")
    assert store.read_json("config.json")["config"]["targets"] == "s3://shared/targets"


@pytest.mark.parametrize(
    ("room", "fields"),
    [
        ("rounds", {"num_rounds": 5}),
        ("resources", {"max_flow_actors": 4}),
        ("train", {"log_every_steps": 7, "checkpoint_every_steps": 5}),
    ],
)
def test_what_does_not_shape_results_may_change(config: RunConfig, room: str, fields: dict) -> None:
    store = Store(config.root)
    claim(store, config, "dis")
    other = change(config, room, **fields)
    claim(store, other, "dis")
    assert store.read_json("config.json")["config"][room] != {}
    stored = store.read_json("config.json")["config"][room]
    assert all(stored[name] == value for name, value in fields.items())
