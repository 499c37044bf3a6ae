"""From Ray Tune's results to the trials of a report: finished, stopped early, failed."""

from __future__ import annotations

from typing import Any

from eisen_ray.report.study_trials import FAILED, FINISHED, STOPPED, Study, Trial
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.studies import record_file, sheet_file
from eisen_ray.tune_config import TrainingStudyConfig


def study_of(grid: Any, name: str, config: TrainingStudyConfig, command: str, store: Store) -> Study:
    """A study from Ray Tune's results and the records of the trials that have finished.

    Args:
        grid: Ray Tune's results.
        name: of the space.
        config: the study.
        command: the command line.
        store: root of the study.
    """
    trials = []
    for number, result in enumerate(grid):
        values = dict(result.config or {})
        seed = int(values.pop("seed", config.seed))
        path = record_file(values, seed)
        metrics = {key: value for key, value in (result.metrics or {}).items() if key in _shown(config)}
        common: dict[str, Any] = {"number": number, "params": values, "seed": seed, "sheet": sheet_file(path)}
        if result.error is not None:
            error = str(result.error).strip().splitlines()[-1]
            trials.append(Trial(**common, value=None, state=FAILED, error=error))
        elif store.exists(path):
            record = store.read_json(path)
            trials.append(
                Trial(
                    **common,
                    value=record["last"][config.objective],
                    state=FINISHED,
                    cost_s=record["cost_s"],
                    metrics={key: value for key, value in record["last"].items() if key != "step"},
                    curve=tuple((float(step), float(value)) for step, value in record["curve"]),
                )
            )
        else:
            cost = float((result.metrics or {}).get("time_total_s", 0.0))
            curve = _reported(result, config.objective)
            trials.append(
                Trial(
                    **common,
                    value=metrics.get(config.objective),
                    state=STOPPED,
                    cost_s=cost,
                    metrics=metrics,
                    curve=curve,
                )
            )
    return Study(
        name=name, objective=config.objective, maximize=True, trials=tuple(trials), command=command, curve_axis="step"
    )


def _shown(config: TrainingStudyConfig) -> tuple[str, ...]:
    """Metrics of a trial that its report shows."""
    return (config.objective, "coverage", "segments", "agreement", "mean_iou", "mean_iou_arm", "mean_iou_objects")


def _reported(result: Any, objective: str) -> tuple[tuple[float, float], ...]:
    frame = result.metrics_dataframe
    if frame is None or "step" not in frame or objective not in frame:
        return ()
    return tuple((float(step), float(value)) for step, value in zip(frame["step"], frame[objective], strict=True))
