"""Adam and the schedule, against golden case 10."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eisen_ray.learning.optim import learning_rate_at, make_adam, make_schedule

GOLDEN = Path(__file__).parents[1] / "golden"


def test_case10_learning_rates_equal_the_releases() -> None:
    golden = np.load(GOLDEN / "10_lr_schedule.npz")
    base, num_steps = float(golden["base_lr"]), int(golden["max_iters"])
    for step, expected in zip(golden["step"].tolist(), golden["lr"].tolist(), strict=True):
        received = learning_rate_at(step, base, warmup_steps=1000, num_steps=num_steps)
        assert received == pytest.approx(expected, rel=1e-12, abs=0)


def test_rate_is_zero_from_the_last_step_on() -> None:
    assert learning_rate_at(10, 1.0, 0, 10) == 0
    assert learning_rate_at(11, 1.0, 0, 10) == 0


def test_without_warmup_the_first_step_has_the_full_rate() -> None:
    assert learning_rate_at(0, 0.5, 0, 10) == 0.5


def test_schedule_sets_the_rate_of_every_step() -> None:
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = make_adam([parameter], 5e-4)
    schedule = make_schedule(optimizer, warmup_steps=3, num_steps=8)
    for step in range(8):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate_at(step, 5e-4, 3, 8), rel=1e-12)
        optimizer.step()
        schedule.step()


def test_adam_has_no_weight_decay() -> None:
    (group,) = make_adam([torch.nn.Parameter(torch.ones(1))], 1e-3).param_groups
    assert group["weight_decay"] == 0
    assert group["lr"] == 1e-3
