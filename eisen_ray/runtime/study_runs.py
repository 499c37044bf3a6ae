"""A study for TensorBoard: every setting a run of its own, with scores, curve and contact sheet."""

from __future__ import annotations

import tempfile
from pathlib import Path

from eisen_ray.report.study_trials import Study, Trial
from eisen_ray.report.tensorboard import write_trial
from eisen_ray.runtime.storage import Store

RUNS = "tensorboard"
"""Under a study's root: a folder for each setting, named by the number of its best trial."""


def write_runs(store: Store, study: Study) -> None:
    """Write the runs of all settings with a score, in place of earlier ones.

    Args:
        store: root of the study, which holds the trials' contact sheets.
        study: finished or not.
    """
    store.delete(RUNS)
    for trials in _settings(study):
        best = min(trials, key=lambda trial: study.better(trial.score or 0.0))
        curve = max((trial.curve for trial in trials), key=len)
        points = [(round(step), {f"curve/{study.objective}": value}) for step, value in curve]
        scores = {**best.metrics, study.objective: best.score or 0.0}
        with tempfile.TemporaryDirectory() as folder:
            run, sheet = Path(folder, "run"), Path(folder, "sheet.png")
            if best.sheet and store.exists(best.sheet):
                sheet.write_bytes(store.read(best.sheet))
            params = {**best.settings, "seed": best.seed}
            write_trial(run, params, scores, points, sheet if sheet.exists() else None)
            store.write_folder(f"{RUNS}/{best.number:04d}", {path.name: path.read_bytes() for path in run.iterdir()})


def _settings(study: Study) -> list[list[Trial]]:
    """Trials with a score; the numbers of iterations of one setting and seed together."""
    found: dict[str, list[Trial]] = {}
    for trial in study.trials:
        if trial.score is not None:
            found.setdefault(trial.sheet or str(trial.number), []).append(trial)
    return list(found.values())
