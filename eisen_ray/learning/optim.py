"""Adam and its schedule: linear warm-up, multiplied by a polynomial decay to zero (Section 4.1; release)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim.lr_scheduler import LambdaLR

WARMUP_FACTOR = 0.001
"""Share of the learning rate at step 0 (release)."""
DECAY_POWER = 0.9
"""Exponent of the decay (release)."""


def make_adam(parameters: Iterable[torch.nn.Parameter], learning_rate: float) -> torch.optim.Adam:
    """Adam without weight decay (release)."""
    return torch.optim.Adam(parameters, lr=learning_rate, weight_decay=0.0)


def learning_rate_at(
    step: int,
    base: float,
    warmup_steps: int,
    num_steps: int,
    warmup_factor: float = WARMUP_FACTOR,
    power: float = DECAY_POWER,
) -> float:
    """Learning rate of a step: base x warm-up x (1 - step/num_steps)^power.

    Both factors apply at once, so the decay already runs during the warm-up.

    Args:
        step: 0 is the first step; from `num_steps` on the rate is 0.
        base: the optimizer's learning rate.
        warmup_steps: steps of linear warm-up from `warmup_factor` to 1; 0 = none.
        num_steps: steps of the whole schedule.
        warmup_factor: share of the rate at step 0.
        power: exponent of the decay.
    """
    progress = min(step / warmup_steps, 1.0) if warmup_steps > 0 else 1.0
    warmup = warmup_factor + (1 - warmup_factor) * progress
    return base * warmup * max(0.0, 1 - step / num_steps) ** power


def make_schedule(optimizer: torch.optim.Optimizer, warmup_steps: int, num_steps: int) -> LambdaLR:
    """Scheduler that applies `learning_rate_at`; call its `step` once after every optimizer step."""
    return LambdaLR(optimizer, lambda step: learning_rate_at(step, 1.0, warmup_steps, num_steps))
