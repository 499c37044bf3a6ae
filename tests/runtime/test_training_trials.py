from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.studies import record_file
from eisen_ray.runtime.training_trials import study_of
from eisen_ray.tune_config import TrainingStudyConfig


def result(rate: float, error: Exception | None = None, **metrics: float) -> SimpleNamespace:
    """As Ray Tune gives it."""
    frame = pd.DataFrame({"step": [3.0], "mean_iou": [0.1]})
    return SimpleNamespace(
        config={"train.learning_rate": rate, "seed": 0}, error=error, metrics=metrics, metrics_dataframe=frame
    )


def test_finished_stopped_and_failed_are_kept_apart(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    record = {
        "settings": {"train.learning_rate": 0.1},
        "seed": 0,
        "cost_s": 5.0,
        "last": {"mean_iou": 0.4, "step": 6.0},
        "curve": [[3, 0.2], [6, 0.4]],
    }
    store.write_json(record_file({"train.learning_rate": 0.1}, 0), record)
    grid = [
        result(0.1, mean_iou=0.4),
        result(0.2, mean_iou=0.1, time_total_s=2.0),
        result(0.3, error=RuntimeError("first line\nwent wrong")),
    ]
    study = study_of(grid, "training", TrainingStudyConfig(), "command", store)
    done, stopped, failed = study.trials
    assert (done.state, done.value, done.cost_s, done.curve) == ("finished", 0.4, 5.0, ((3.0, 0.2), (6.0, 0.4)))
    assert (stopped.state, stopped.value, stopped.cost_s, stopped.curve) == ("stopped", 0.1, 2.0, ((3.0, 0.1),))
    assert (failed.state, failed.value, failed.error) == ("failed", None, "went wrong")
    assert done.params == {"train.learning_rate": 0.1}, "the seed is no parameter"
