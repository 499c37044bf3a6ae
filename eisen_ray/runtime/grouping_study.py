"""A study of grouping: the weights stay, features are worked out once, and trials only group and score.

Feature hosts, one a GPU or a CPU, share the images among them. A trial is a setting of everything but the number of
KProp iterations, which is free: message passing for 40 of them passes through all smaller numbers. [Decision 71]
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ray
from ray import tune

from eisen_ray.data.frames import Quarantined
from eisen_ray.data.layouts import list_scored
from eisen_ray.data.scored_frames import MaskedClip, check_scored
from eisen_ray.errors import ConfigError, DataError
from eisen_ray.report.study_pages import require_plots
from eisen_ray.report.study_trials import FAILED, FINISHED, Study, Trial
from eisen_ray.resources import ResourcesConfig
from eisen_ray.runtime.bootstrap import settled_place
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.cluster import Capacity, capacity, connect
from eisen_ray.runtime.evaluate import look
from eisen_ray.runtime.feature_host import FeatureHost, ScoredBy
from eisen_ray.runtime.features import ImageFacts, summed_facts
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.placement import make_plan
from eisen_ray.runtime.reporter import Reporter, write_line
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.studies import Search, claim_study, finish, in_order, record_file, run_search, sheet_file
from eisen_ray.runtime.study_frames import held_out_fragments, moving_frames, unmasked_frames
from eisen_ray.runtime.study_images import StudyFrame, masked_study_frames
from eisen_ray.settings import digest, to_dict
from eisen_ray.spaces import ITERATIONS, Space, Value, check_space, iterations_of, with_values
from eisen_ray.tune_config import GroupingStudyConfig


def run_grouping_study(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, space: Space, name: str, command: str
) -> Study:
    """Run or continue a study of a checkpoint's grouping; writes its report and prints a table.

    Args:
        checkpoint: the network.
        config: the study.
        space: what to search, of the kind `grouping`.
        name: of the space.
        command: the command line, for the report.

    Raises:
        EisenError: something that the user can act on.
    """
    require_plots()
    config = replace(config, data=replace(config.data, source=settled_place(config.data.source)))
    space = replace(space, trials=space.trials if config.trials < 0 else config.trials)
    base = checkpoint.config
    check_space(space, base)
    store = Store(settled_place(config.root) or settled_place(_study_root(checkpoint, config, space, name)))
    claim_study(store, _identity(checkpoint, config, space))
    is_ours, hosts = not ray.is_initialized(), []
    connect()
    try:
        offered = capacity()
        frames, work = find_frames(checkpoint, config, store, offered)
        hosts = start_hosts(checkpoint, config, frames, work, offered)
        trial = _Trial(hosts, checkpoint, config, iterations_of(space, base), store)
        search = Search(config.objective, config.concurrent or 2, space.trials, config.seed)
        began = time.monotonic()
        grid = run_search(trial, space, base, store, search)
        study = _study(in_order(grid), name, config, command, store)
    finally:
        # Ray keeps what Tune was given, and with it the hosts, until the cluster ends.
        for host in hosts:
            ray.kill(host)
        if is_ours:
            ray.shutdown()
    facts = {**_facts(checkpoint, config, len(frames)), "time": f"{time.monotonic() - began:.0f} s"}
    study = replace(study, facts=facts)
    finish(store, study, base)
    return study


def find_frames(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, store: Store, offered: Capacity
) -> tuple[list[StudyFrame], RoundWork]:
    """Which images are scored, and the work whose stored motion is their truth, if it is.

    Raises:
        DataError: there are none.
    """
    data = replace(checkpoint.config.data, layout=config.data.layout, source=config.data.source, eval_source="")
    run = replace(checkpoint.config, root=store.root, targets="", data=data)
    # Sizes of pools follow from this cluster, not from the one on which the checkpoint was trained.
    run = make_plan(replace(run, resources=ResourcesConfig()), offered).config
    work = RoundWork(config=run, flow_identity="")
    if config.objective in ("agreement", "motion_iou"):
        fragments = held_out_fragments(store, data)
        if config.objective == "agreement":
            return unmasked_frames(fragments, config.max_images), work
        return moving_frames(work, fragments, config.max_images, offered.has_gpus, Reporter(store))
    clips = list_scored(config.data.layout, config.data.source, config.data.split)
    looked = look(clips)
    masked = [found for found in looked if isinstance(found, MaskedClip)]
    bad = [found for found in looked if isinstance(found, Quarantined)]
    check_scored(len(masked), bad, config.data.source or config.data.layout)
    return masked_study_frames(masked, config.max_images), work


def start_hosts(
    checkpoint: StoredCheckpoint,
    config: GroupingStudyConfig,
    frames: Sequence[StudyFrame],
    work: RoundWork,
    offered: Capacity,
) -> list[Any]:
    """Feature hosts with their share of the images, ready to score.

    Raises:
        ConfigError: more hosts than the cluster can start.
        DataError: no image can be read.
    """
    most = int(offered.gpus if offered.has_gpus else offered.cpus)
    count = min(config.hosts or most, len(frames))
    if config.hosts > most:
        raise ConfigError(f"{config.hosts} hosts need a GPU or CPU each; the cluster has {most}. Lower --hosts.")
    # Half a CPU: trials' own processes, and what reads the images, must find room beside.
    share = {"num_gpus": 1.0} if offered.has_gpus else {"num_cpus": 0.5}
    # A lost host is started again from storage and asked again.
    kind = ray.remote(max_restarts=2, max_task_retries=2, **share)(FeatureHost)
    scored_by = ScoredBy(checkpoint, config.data, config.cache_mib * 1024**2, 0 if offered.has_gpus else 1)
    began = time.monotonic()
    hosts = [kind.remote(scored_by, list(frames[place::count]), work) for place in range(count)]
    sizes = ray.get([host.num_images.remote() for host in hosts])
    if not sum(sizes):
        raise DataError("None of the images of the study can be read; `python -m jobs.evaluate` names the reasons.")
    write_line(f"features of {sum(sizes)} images in {count} processes, {time.monotonic() - began:.0f} s")
    return [host for host, size in zip(hosts, sizes, strict=True) if size]


class _Trial:
    """What Ray Tune calls for one setting: all seeds, all numbers of iterations."""

    def __init__(
        self,
        hosts: list[Any],
        checkpoint: StoredCheckpoint,
        config: GroupingStudyConfig,
        iterations: Sequence[int],
        store: Store,
    ) -> None:
        self.hosts = hosts
        self.base = checkpoint.config
        self.config = config
        self.iterations = tuple(iterations)
        self.store = store
        # Tune asks a callable for its name.
        self.__name__ = "group_and_score"

    def __call__(self, settings: dict[str, Value]) -> None:
        """Score a setting, keep the record, report the best number of iterations."""
        best: dict[str, float] = {}
        for seed in range(self.config.seed, self.config.seed + self.config.seeds):
            path = record_file(settings, seed)
            record = self.store.read_json(path) if self.store.exists(path) else self._score(settings, seed, path)
            for count, scores in record["scores"].items():
                value = scores.get(self.config.objective, float("nan"))
                if not best or value > best[self.config.objective]:
                    best = {**scores, self.config.objective: value, "iterations": int(count)}
        tune.report(best)

    def _score(self, settings: dict[str, Value], seed: int, path: str) -> dict[str, Any]:
        began = time.monotonic()
        counts = self.iterations
        values = dict(settings)
        if ITERATIONS in values:
            # Drawn by a search: the smaller ones are still free, but only this one is the trial's.
            counts = (int(values.pop(ITERATIONS)),)
        run = with_values(self.base, values)
        passes = 2 if self.config.objective == "agreement" else 1
        parts = ray.get([host.score.remote(run.model, run.grouping, counts, seed, passes) for host in self.hosts])
        scores = {}
        for count in counts:
            facts: list[ImageFacts] = [one for part in parts for one in part[count]]
            scores[str(count)] = summed_facts(facts, self.config.objective)
        best = max(counts, key=lambda count: scores[str(count)].get(self.config.objective, float("-inf")))
        sheet = ray.get(self.hosts[0].sheet.remote(run.model, run.grouping, best, seed, passes))
        self.store.write(sheet_file(path), sheet)
        record = {"settings": settings, "seed": seed, "cost_s": time.monotonic() - began, "scores": scores}
        self.store.write_json(path, record)
        return record


def _study(grid: Any, name: str, config: GroupingStudyConfig, command: str, store: Store) -> Study:
    trials: list[Trial] = []
    for result in grid:
        settings = dict(result.config or {})
        for seed in range(config.seed, config.seed + config.seeds):
            path = record_file(settings, seed)
            if result.error is not None or not store.exists(path):
                error = str(result.error or "no record").strip().splitlines()[-1]
                trials.append(
                    Trial(number=len(trials), params=settings, value=None, state=FAILED, seed=seed, error=error)
                )
                continue
            trials += _rows(store.read_json(path), config.objective, len(trials), sheet_file(path))
    return Study(
        name=name,
        objective=config.objective,
        maximize=True,
        trials=tuple(trials),
        command=command,
        curve_axis="KProp iterations",
    )


def _rows(record: dict[str, Any], objective: str, first: int, sheet: str) -> list[Trial]:
    """A row for every number of iterations; the last one carries the curve."""
    counts = sorted(record["scores"], key=int)
    curve = tuple((float(count), record["scores"][count].get(objective, float("nan"))) for count in counts)
    return [
        Trial(
            number=first + place,
            params={**record["settings"], ITERATIONS: int(count)},
            value=record["scores"][count].get(objective),
            state=FINISHED,
            seed=record["seed"],
            cost_s=record["cost_s"] / len(counts),
            metrics=record["scores"][count],
            curve=curve if place == len(counts) - 1 else (),
            sheet=sheet,
        )
        for place, count in enumerate(counts)
    ]


def _study_root(checkpoint: StoredCheckpoint, config: GroupingStudyConfig, space: Space, name: str) -> str:
    return f"runs/studies/{name}-{digest(_identity(checkpoint, config, space))[:8]}"


def _identity(checkpoint: StoredCheckpoint, config: GroupingStudyConfig, space: Space) -> dict[str, Any]:
    settings = to_dict(config)
    for place in ("root", "concurrent", "hosts", "cache_mib", "trials", "vary"):
        settings.pop(place)
    return {"weights_sha256": checkpoint.sha256, "study": settings, "space": to_dict(space)}


def _facts(checkpoint: StoredCheckpoint, config: GroupingStudyConfig, num_images: int) -> dict[str, str]:
    return {
        "checkpoint": f"{checkpoint.store.uri(checkpoint.path)}, weights {checkpoint.sha256[:12]}",
        "data": f"{num_images} images, layout {config.data.layout}, {config.data.source or 'inside the package'}",
    }
