"""A study of training: every trial is a run of the main job, with flow and other targets shared among all.

A trial's own process runs the rounds and starts Ray Train inside (Ray's driver pattern). It watches for checkpoints,
scores each on held-out images, and reports that: what falls behind is stopped. Targets are named by digests of what
shapes them, so trials that do not change the flow never work it out again. [Decision 72]
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from eisen_ray.config import RunConfig
from eisen_ray.data.masks import masked_frames
from eisen_ray.errors import ConfigError, DataError
from eisen_ray.presets import load_preset
from eisen_ray.report.study_pages import require_plots
from eisen_ray.report.study_trials import Study
from eisen_ray.runtime.bootstrap import settled, settled_place
from eisen_ray.runtime.cluster import Capacity, capacity, connect
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.placement import Plan, make_plan
from eisen_ray.runtime.rounds import Run, make_labels, prepare, run_rounds
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.studies import TRIALS, Search, claim_study, finish, in_order, record_file, run_search
from eisen_ray.runtime.study_frames import moving_frames, unmasked_frames
from eisen_ray.runtime.study_images import StudyFrame
from eisen_ray.runtime.training_trials import study_of
from eisen_ray.runtime.validation import Validator
from eisen_ray.settings import digest, to_dict
from eisen_ray.spaces import Space, Value, check_space, with_values
from eisen_ray.tune_config import TrainingStudyConfig

BASE, TARGETS = "base", "targets"
"""Under a study's root: the run that makes the shared flow, and where it lies."""


def run_training_study(config: TrainingStudyConfig, space: Space, name: str, command: str) -> Study:
    """Run or continue a study of training; writes its report and prints a table.

    Args:
        config: the study.
        space: what to search, of the kind `training`.
        name: of the space.
        command: the command line, for the report.

    Raises:
        EisenError: something that the user can act on.
    """
    require_plots()
    space = replace(space, trials=space.trials if config.trials < 0 else config.trials)
    if space.trials and config.seeds > 1:
        raise ConfigError("Several seeds need a study of every combination: give --trials 0, or --seeds 1.")
    store = Store(settled_place(config.root or _study_root(config, space, name)))
    base = base_config(config, store)
    check_space(space, base)
    scheduler = _scheduler(config, space, base)
    claim_study(store, _identity(config, space, base))
    is_ours = not ray.is_initialized()
    connect(dashboard=True)
    try:
        plan = make_plan(base, capacity())
        root = f"{store.uri('').rstrip('/')}/{BASE}"
        run = prepare(replace(plan, config=replace(plan.config, root=root)))
        frames, work = share_targets(run, config)
        trial = _Trial(plan.config, plan.offered, config, frames, work, store)
        search = Search(
            objective=config.objective,
            concurrent=concurrent_trials(config, plan),
            trials=space.trials,
            seed=config.seed,
            repeats=tuple(range(config.seed, config.seed + config.seeds)),
            scheduler=scheduler,
            reuse=False,
        )
        began = time.monotonic()
        grid = run_search(trial, space, base, store, search)
        study = study_of(in_order(grid), name, config, command, store)
    finally:
        if is_ours:
            ray.shutdown()
    study = replace(study, facts={**_facts(config, base, len(frames)), "time": f"{time.monotonic() - began:.0f} s"})
    finish(store, study, base)
    return study


def base_config(config: TrainingStudyConfig, store: Store) -> RunConfig:
    """The run that trials vary: the preset, with what the study needs.

    Raises:
        ConfigError: no such preset, and no such file.
    """
    base = load_preset(config.preset)
    base = replace(
        base,
        targets=f"{store.uri('').rstrip('/')}/{TARGETS}",
        train=replace(base.train, checkpoint_every_steps=config.validate_every_steps),
        rounds=replace(base.rounds, num_rounds=config.num_rounds),
    )
    return settled(base)


def share_targets(run: Run, config: TrainingStudyConfig) -> tuple[list[StudyFrame], RoundWork]:
    """Make the flow that all trials share, once, and choose the images that trials are scored on.

    Raises:
        DataError: the objective needs masks, and there are none; or motion, and nothing moves.
    """
    work = RoundWork(config=run.config, flow_identity=run.flow_identity)
    make_labels(run, work, list(run.index.fragments))
    held_out = list((run.held_out or run.index).fragments)
    if config.objective == "agreement":
        return unmasked_frames(held_out, config.max_images), work
    if config.objective == "motion_iou":
        return moving_frames(work, held_out, config.max_images, run.plan.on_gpu, run.reporter)
    seen = {
        (fragment.clip.clip_id, frame): StudyFrame(fragment.clip, frame, masked=True)
        for fragment in held_out
        for frame in masked_frames(fragment.clip, fragment.frames)
    }
    if not seen:
        raise DataError(
            "The held-out clips have no masks, which the objective mean_iou needs. Use --objective agreement or "
            "--objective motion_iou, or give masks (data.eval_source)."
        )
    every = list(seen.values())
    step = max(1, len(every) // config.max_images)
    return every[::step][: config.max_images], work


def concurrent_trials(config: TrainingStudyConfig, plan: Plan) -> int:
    """How many trials the cluster holds at one time, with all that they start: Ray Tune does not count it.

    Raises:
        ConfigError: the study asks for more; trials would wait for each other without an end.
    """
    needs = [
        (sum(each.count * each.cpus for each in phase), sum(each.count * each.gpus for each in phase))
        for phase in plan.phases
    ]
    cpus, gpus = max(need[0] for need in needs), max(need[1] for need in needs)
    most = int((plan.offered.cpus + 1e-6) // cpus) if cpus else 1
    if gpus:
        most = min(most, int((plan.offered.gpus + 1e-6) // gpus))
    most = max(1, most)
    if config.concurrent > most:
        raise ConfigError(
            f"{config.concurrent} trials at a time need {config.concurrent * cpus:g} CPUs and "
            f"{config.concurrent * gpus:g} GPUs; the cluster holds {most}. Lower --concurrent."
        )
    return config.concurrent or most


class _Trial:
    """What Ray Tune calls for one setting."""

    def __init__(
        self,
        base: RunConfig,
        offered: Capacity,
        config: TrainingStudyConfig,
        frames: Sequence[StudyFrame],
        work: RoundWork,
        store: Store,
    ) -> None:
        self.base = base
        self.offered = offered
        self.config = config
        self.frames = list(frames)
        self.work = work
        self.store = store
        # Tune asks a callable for its name.
        self.__name__ = "train_and_score"

    def __call__(self, settings: dict[str, Value]) -> None:
        """Run the rounds of a setting, or what is left of them; report scores on the way and at the end."""
        began = time.monotonic()
        values = dict(settings)
        seed = int(values.pop("seed", self.config.seed))
        path = record_file(values, seed)
        # A trial that had finished before a restart must report again, or Tune forgets it.
        if self.store.exists(path):
            tune.report(self.store.read_json(path)["last"])
            return
        root = f"{self.store.uri('').rstrip('/')}/{TRIALS}/{digest(values, seed)}"
        run = replace(with_values(self.base, values), root=root, seed=seed)
        validator = Validator(run, self.work, self.frames, self.config.objective, tune.report)
        # An actor of its own: whatever a process of Tune starts would have to fit into the trial's placement group.
        # It ends with the trial's process, and all that it has started with it.
        runner = ray.remote(num_cpus=0)(_Runner).options(scheduling_strategy="DEFAULT").remote()
        with validator:
            ray.get(runner.run.remote(run, self.offered))
        last = validator.final()
        record = {
            "settings": values,
            "seed": seed,
            "cost_s": time.monotonic() - began,
            "last": last,
            "curve": validator.curve,
        }
        self.store.write_json(path, record)
        tune.report(last)


class _Runner:
    """Runs the rounds of a trial."""

    def run(self, config: RunConfig, offered: Capacity) -> None:
        """See `run_rounds`."""
        run_rounds(config, offered)


def _scheduler(config: TrainingStudyConfig, space: Space, base: RunConfig) -> Any:
    if not config.asha:
        return None
    domain = space.parameters.get("train.num_steps")
    steps = max(getattr(domain, "values", (getattr(domain, "high", base.train.num_steps),)))
    most = int(steps) * config.num_rounds
    if config.grace_steps > most:
        raise ConfigError(
            f"No trial is stopped before {config.grace_steps} steps, and none has more than {most}; "
            "lower --grace-steps, or give --no-asha."
        )
    # Our own count of steps: Tune's starts again at 1 after a restart.
    return ASHAScheduler(time_attr="step", max_t=most + 1, grace_period=config.grace_steps, reduction_factor=3)


def _study_root(config: TrainingStudyConfig, space: Space, name: str) -> str:
    return f"runs/studies/{name}-{digest(to_dict(config), to_dict(space))[:8]}"


def _identity(config: TrainingStudyConfig, space: Space, base: RunConfig) -> dict[str, Any]:
    settings = to_dict(config)
    for place in ("root", "concurrent", "trials", "vary", "preset"):
        settings.pop(place)
    plain = {key: value for key, value in to_dict(base).items() if key not in ("root", "targets", "resources")}
    return {"base": plain, "study": settings, "space": to_dict(space)}


def _facts(config: TrainingStudyConfig, base: RunConfig, num_images: int) -> dict[str, str]:
    return {
        "base": f"preset {config.preset}, {config.num_rounds} round{'s' * (config.num_rounds != 1)}",
        "data": f"layout {base.data.layout}, {base.data.source or 'inside the package'}",
        "scored": f"{num_images} held-out images every {config.validate_every_steps} steps",
    }
