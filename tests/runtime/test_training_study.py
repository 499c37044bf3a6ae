"""What a training study decides before and around its trials; the trials themselves run in tests/jobs/test_tune.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.presets import tiny
from eisen_ray.runtime.cluster import Capacity
from eisen_ray.runtime.packing import Machine
from eisen_ray.runtime.placement import make_plan
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.training_study import _scheduler, base_config, concurrent_trials, run_training_study
from eisen_ray.spaces import Choice, Space, training
from eisen_ray.tune_config import TrainingStudyConfig

CONFIG = TrainingStudyConfig(preset="tiny", validate_every_steps=3, grace_steps=3)


def test_the_base_shares_targets_and_saves_as_often_as_it_is_scored(tmp_path: Path) -> None:
    base = base_config(CONFIG, Store(str(tmp_path / "study")))
    assert base.targets == str(tmp_path / "study/targets")
    assert base.train.checkpoint_every_steps == 3
    assert base.rounds.num_rounds == 1
    assert base.model == tiny().model


def test_trials_never_wait_for_each_other() -> None:
    two = make_plan(tiny(), Capacity((Machine(2),)))
    eight = make_plan(tiny(), Capacity((Machine(8),)))
    assert concurrent_trials(CONFIG, two) == 1
    # A worker of one CPU and a decoding task of half a CPU each.
    assert concurrent_trials(CONFIG, eight) == 5
    assert concurrent_trials(replace(CONFIG, concurrent=3), eight) == 3
    with pytest.raises(ConfigError, match="2 trials at a time need 3 CPUs"):
        concurrent_trials(replace(CONFIG, concurrent=2), two)


def test_trials_share_gpus_too() -> None:
    plan = make_plan(tiny(), Capacity((Machine(64, 4),)))
    needed = max(sum(each.count * each.gpus for each in phase) for phase in plan.phases)
    assert concurrent_trials(CONFIG, plan) == int(4 // needed)


def test_a_grace_longer_than_all_trials_is_refused() -> None:
    space = Space(kind="training", parameters={"train.num_steps": Choice((2, 6))})
    assert _scheduler(replace(CONFIG, grace_steps=6), space, tiny()) is not None
    assert _scheduler(replace(CONFIG, grace_steps=7, num_rounds=2), space, tiny()) is not None
    assert _scheduler(replace(CONFIG, grace_steps=7, asha=False), space, tiny()) is None
    with pytest.raises(ConfigError, match="none has more than 6"):
        _scheduler(replace(CONFIG, grace_steps=7), space, tiny())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "quikstart"}, "No preset and no file 'quikstart'"),
        ({"seeds": 2}, "give --trials 0"),
    ],
)
def test_what_cannot_be_run_is_refused_before_ray_starts(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run_training_study(replace(CONFIG, root=str(tmp_path), **changes), training(), "training", "")
