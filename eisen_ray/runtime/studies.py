"""What both kinds of study share: a claimed root, Ray Tune over settings, records that outlive it, the report."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.result_grid import ResultGrid
from ray.tune.search import BasicVariantGenerator
from ray.tune.search.optuna import OptunaSearch

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.report.study_pages import console_table, write_study
from eisen_ray.report.study_scores import ranked
from eisen_ray.report.study_trials import Study
from eisen_ray.report.tables import format_duration
from eisen_ray.runtime.layout import CONTACT_SHEET
from eisen_ray.runtime.reporter import write_line
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.study_runs import RUNS, write_runs
from eisen_ray.settings import differences, digest, to_dict
from eisen_ray.spaces import Choice, Range, Space, Value, settings_of, with_values

STUDY, TRIALS, TUNE, REPORT, BEST = "study.json", "trials", "tune", "report", "best.json"
"""Under a study's root: its settings, a record for each setting, Ray Tune's own state, the report, the best preset."""

# The trial's own process only waits: what it starts holds CPUs and GPUs of its own.
TRIAL_CPUS = 0.01


@dataclass(frozen=True)
class Search:
    """How Ray Tune goes through a space.

    Attributes:
        objective: name of the metric in what trials report.
        concurrent: trials at one time.
        trials: settings to draw by TPE; 0: every one of `settings_of`.
        seed: of the search.
        repeats: seeds of every setting as trials of their own; empty: a trial sees to its seeds itself.
        scheduler: stops trials early; None: none.
        reuse: whether a process serves one trial after the other.
    """

    objective: str
    concurrent: int
    trials: int
    seed: int
    repeats: tuple[int, ...] = ()
    scheduler: Any = None
    reuse: bool = True


def claim_study(store: Store, settings: Mapping[str, Any]) -> None:
    """Write a study's settings once; a later study under the same root must have the same.

    Raises:
        ConfigError: names each setting that differs.
    """
    store.check_writable()
    if store.create_json_once(STUDY, settings):
        return
    lines = differences(store.read_json(STUDY), json.loads(json.dumps(settings)))
    if lines:
        listed = "\n  ".join(lines)
        raise ConfigError(
            f"{store.uri('')} was begun as another study:\n  {listed}\n"
            "Give these settings again to continue it, or another --root to begin anew."
        )


def record_file(settings: Mapping[str, Value], seed: int) -> str:
    """Where the record of a setting lies."""
    return f"{TRIALS}/{digest(dict(settings), seed)}.json"


def sheet_file(record: str) -> str:
    """Where the contact sheet of a setting lies, by the file of its record."""
    return f"{record.removesuffix('.json')}/{CONTACT_SHEET}"


def run_search(
    trial: Callable[[dict[str, Value]], None], space: Space, base: RunConfig, store: Store, search: Search
) -> ResultGrid:
    """Run all trials of a study that are not done, in Ray Tune; a study that was killed goes on where it stood.

    Args:
        trial: runs one setting (with `seed`, if there are repeats) and reports `search.objective`.
        space: what to search.
        base: settings that rows of the space leave open.
        store: root of the study.
        search: how.
    """
    trainable = tune.with_resources(trial, {"CPU": TRIAL_CPUS})
    path = store.uri(TUNE)
    _quiet()
    if tune.Tuner.can_restore(path):
        tuner = tune.Tuner.restore(path, trainable, resume_unfinished=True, restart_errored=True)
        return tuner.fit()
    points = [] if search.trials else _points(space, base, search.repeats)
    # Given points have their own limit: Tune's `max_concurrent_trials` does not reach them.
    algorithm: Any = BasicVariantGenerator(points_to_evaluate=points, max_concurrent=search.concurrent)
    if search.trials:
        algorithm = OptunaSearch(metric=search.objective, mode="max", seed=search.seed)
    tuner = tune.Tuner(
        trainable,
        param_space=_param_space(space, points),
        tune_config=tune.TuneConfig(
            metric=search.objective,
            mode="max",
            search_alg=algorithm,
            scheduler=search.scheduler,
            num_samples=search.trials or len(points),
            max_concurrent_trials=search.concurrent if search.trials else None,
            reuse_actors=search.reuse,
        ),
        run_config=tune.RunConfig(
            name=TUNE, storage_path=store.uri("").rstrip("/"), verbose=0, callbacks=[_Lines(search)]
        ),
    )
    return tuner.fit()


def in_order(grid: ResultGrid) -> list[Any]:
    """Ray Tune's results by the number of the trial: after a restart it lists them in another order."""
    # A folder's name is the trainable's, the study's and the trial's number, of five digits.
    return sorted(grid, key=lambda result: str(result.path))


def finish(store: Store, study: Study, base: RunConfig) -> None:
    """Write a study's report, its runs for TensorBoard and the best setting as a preset, and print the table.

    Args:
        store: root of the study.
        study: all its trials.
        base: what the trials varied.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder), study)
        for path in sorted(Path(folder).iterdir()):
            store.write(f"{REPORT}/{path.name}", path.read_bytes())
    write_runs(store, study)
    write_line("\n" + console_table(study) + "\n")
    order = ranked(study)
    if order:
        best = with_values(base, order[0].settings)
        store.write_json(BEST, {**to_dict(best), "root": "runs/best", "targets": ""})
        write_line(f"best     python -m jobs.bootstrap --config {store.uri(BEST)}")
    write_line(f"report   {store.uri(REPORT)}/report.html")
    write_line(f"curves   tensorboard --logdir {store.uri(RUNS)}")


def _points(space: Space, base: RunConfig, repeats: Sequence[int]) -> list[dict[str, Value]]:
    plain, settings = to_dict(base), settings_of(space)
    names = list(dict.fromkeys(name for setting in settings for name in setting))
    full = [{name: setting.get(name, _looked_up(plain, name)) for name in names} for setting in settings]
    if not repeats:
        return full
    return [{**setting, "seed": seed} for setting in full for seed in repeats]


def _param_space(space: Space, points: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    if points:
        # Only names matter: every point gives all of its values.
        return {name: tune.choice([points[0][name]]) for name in points[0]}
    return {name: _domain(domain) for name, domain in space.parameters.items()}


def _domain(domain: Choice | Range) -> Any:
    if isinstance(domain, Choice):
        return tune.choice(list(domain.values))
    if domain.whole:
        # Ray leaves out the upper end.
        low, high = int(domain.low), int(domain.high) + 1
        return tune.lograndint(low, high) if domain.log else tune.randint(low, high)
    return tune.loguniform(domain.low, domain.high) if domain.log else tune.uniform(domain.low, domain.high)


def _looked_up(plain: Any, name: str) -> Any:
    for room in name.split("."):
        plain = plain[room]
    return plain


class _Lines(tune.Callback):
    """A line for every finished trial."""

    def __init__(self, search: Search) -> None:
        self._objective = search.objective
        self._began = time.monotonic()
        self._done = 0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook."""
        self._done += 1
        value = (trial.last_result or {}).get(self._objective, float("nan"))
        self._say(f"{self._objective} {value:.3f}  {_short(trial.config)}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook."""
        self._done += 1
        self._say(f"failed  {_short(trial.config)}")

    def _say(self, text: str) -> None:
        write_line(f"[{format_duration(time.monotonic() - self._began):>6}] trial {self._done:>3}  {text}")


def _short(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.rsplit('.', 1)[-1]} {value}" for name, value in settings.items())


def _quiet() -> None:
    # Of a failed trial Tune logs the traceback at once; the report has its error, and Tune's folder the traceback.
    for name in ("ray.tune", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
