"""Studies for the tests of their report, with scores that are known exactly."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from PIL import Image

from eisen_ray.report.study_trials import FAILED, FINISHED, STOPPED, Study, Trial

OFFSETS = (-0.02, 0.0, 0.02)
"""What the seeds add to a score: standard deviation 0.02."""


def study(*trials: Trial, **changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "test",
        "objective": "val/mean_iou",
        "maximize": True,
        "trials": trials,
        "command": "python jobs/tune.py grouping",
    }
    return Study(**{**fields, **changes})


def trial(number: int, value: float | None, state: str = FINISHED, **fields: Any) -> Trial:
    params = fields.pop("params", {"x": number})
    return Trial(number=number, params=params, value=value, state=state, **fields)


def grouping_study() -> Study:
    """Three iterations by two thresholds by three seeds, with curves; best are 40 iterations and 0.3: 0.4 +- 0.02."""
    trials = []
    for iterations in (10, 20, 40):
        for threshold in (0.1, 0.3):
            for seed, offset in enumerate(OFFSETS):
                points = [step for step in (10, 20, 40) if step <= iterations]
                curve = tuple((step, step / 100 - (0.3 - threshold) / 2 + offset) for step in points)
                trials.append(
                    trial(
                        len(trials),
                        curve[-1][1],
                        params={"kprop.num_iterations": iterations, "kprop.threshold": threshold, "kprop.width": 16},
                        seed=seed,
                        cost_s=iterations / 10,
                        curve=curve,
                    )
                )
    return study(*trials, name="grouping", curve_axis="KProp iterations", facts={"checkpoint": "runs/x"})


def training_study() -> Study:
    """Thirty trials: log scale, categories, a conditional parameter; stopped, failed, NaN, diverged."""
    generator = np.random.default_rng(3)
    trials = []
    for number in range(30):
        params: dict[str, Any] = {
            "optim.learning_rate": 10 ** generator.uniform(-5, -2),
            "train.steps": 2 ** (6 + number % 4),
            "confidence.kind": ("agreement", "released")[number % 2],
            "model.small": number % 3 == 0,
        }
        if number % 2 == 0:
            params["confidence.runs"] = 2 + number % 5
        value = 0.4 - 0.1 * abs(math.log10(params["optim.learning_rate"]) + 3.5)
        fields: dict[str, Any] = {"params": params, "cost_s": 60.0 + number, "curve": ((100, value / 2), (200, value))}
        if number in (4, 9):
            trials.append(trial(number, value / 2, STOPPED, **{**fields, "curve": ((100, value / 2),)}))
        elif number == 11:
            trials.append(trial(number, None, FAILED, **fields, error="RuntimeError: a|b `c`\n  second line"))
        elif number == 13:
            trials.append(trial(number, math.nan, **fields))
        else:
            trials.append(trial(number, -50.0 if number == 17 else value, **fields))
    return study(*trials, name="training", curve_axis="step")


def opened(content: bytes | None) -> np.ndarray:
    """A PNG as uint8 [H, W, 3], checked to be no blank sheet: much paper, but some per cent of something else."""
    assert content is not None
    with Image.open(io.BytesIO(content)) as file:
        assert file.format == "PNG"
        picture = np.asarray(file.convert("RGB"))
    drawn = (np.abs(picture.astype(int) - picture[0, 0]).max(-1) > 30).mean()
    assert 0.01 < drawn < 0.6, f"{drawn:.3f} of the picture is drawn on"
    return picture
