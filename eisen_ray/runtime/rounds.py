"""Bootstrapping: rounds of flow, teacher, training, evaluation and promotion, as a state machine over storage.

Nothing is remembered in memory. Each step looks at what lies under the root and does what is missing, so the same
command begins a run, continues an interrupted one, and does nothing for a finished one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eisen_ray.build import build_flow
from eisen_ray.config import RunConfig
from eisen_ray.data.index import Fragment, Index
from eisen_ray.data.masks import masked_frames
from eisen_ray.errors import DataError
from eisen_ray.runtime.claim import claim
from eisen_ray.runtime.cluster import Capacity
from eisen_ray.runtime.evaluation import evaluate, gate_frames, scored_frames
from eisen_ray.runtime.indexing import held_out_index, training_index
from eisen_ray.runtime.layout import (
    RoundWork,
    Teacher,
    evaluation_file,
    reading_file,
    stored_fragments,
)
from eisen_ray.runtime.lines import points, tell_evaluation, tell_index, tell_pass, train_lines
from eisen_ray.runtime.passes import make_flow, make_segments
from eisen_ray.runtime.pictures import pictured_fragments, pictured_frames, write_sheet
from eisen_ray.runtime.placement import Plan, make_plan
from eisen_ray.runtime.promotion import check_health, copy_out, promote, promoted
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.student import best_device
from eisen_ray.runtime.trainer import fit_round


@dataclass(frozen=True)
class Run:
    """What stays the same over all rounds.

    Attributes:
        config: the run.
        flow_identity: which flow estimator.
        index: training fragments.
        held_out: evaluation fragments, if there are any.
        plan: what runs where.
        reporter: where lines and events go.
    """

    config: RunConfig
    flow_identity: str
    index: Index
    held_out: Index | None
    plan: Plan
    reporter: Reporter

    @property
    def store(self) -> Store:
        """The storage root."""
        return Store(self.config.root)

    @property
    def pictured(self) -> list[Fragment]:
        """Fragments shown on contact sheets."""
        return pictured_fragments((self.held_out or self.index).fragments)


def run_rounds(config: RunConfig, offered: Capacity) -> list[dict[str, Any]]:
    """Run all rounds that are not done, on the cluster that this process is connected to.

    Args:
        config: the run.
        offered: what the cluster has.

    Returns:
        One record per round: `evaluation.json`'s content.

    Raises:
        ConfigError: the root belongs to a run with other settings, or the cluster cannot run it.
        DataError: too much of the video cannot be used.
        PromotionError: a student did not pass the gate.
    """
    run = prepare(make_plan(config, offered))
    teacher: Teacher | None = None
    with run.reporter.ending():
        for number in range(1, config.rounds.num_rounds + 1):
            done = promoted(run.store, number)
            if done:
                run.reporter.say(f"round {number}  done before, {run.store.uri(done.path)}", round=number)
            teacher = done or run_round(run, number, teacher)
    return [run.store.read_json(evaluation_file(number)) for number in range(1, config.rounds.num_rounds + 1)]


def prepare(plan: Plan) -> Run:
    """Claim the root, choose the flow estimator, and list the fragments."""
    config = plan.config
    store = Store(config.root)
    store.check_writable()
    reporter = Reporter(store)
    estimator = build_flow(config.flow, best_device())
    claim(store, config, estimator.identity)
    if estimator.name == "dis":
        # After a fallback no actor shall look for the missing weights again.
        config = replace(config, flow=replace(config.flow, estimator="dis"))
    reporter.begin(config)
    with reporter.ending(on_success=False):
        index = training_index(store, config.data)
        held_out = held_out_index(store, config.data) if config.rounds.eval_images else None
        tell_index(index, held_out, reporter)
    return Run(config, estimator.identity, index, held_out, plan, reporter)


def run_round(run: Run, number: int, teacher: Teacher | None) -> Teacher:
    """One round, from wherever it stands to its promotion."""
    work = RoundWork(config=run.config, flow_identity=run.flow_identity, round_number=number, teacher=teacher)
    run.reporter.open_round(number)
    try:
        streams = run.plan.streams
        pin_reading(run, work, streams)
        checkpoint = fit_round(
            work,
            streams=streams,
            on_gpu=run.plan.on_gpu,
            tell=train_lines(run.config.train.num_steps, run.reporter),
        )
        if streams:
            # Not before the training: the first step should not wait for them.
            make_labels(run, work, run.pictured)
        with checkpoint.as_directory() as folder:
            candidate = copy_out(work, Path(folder))
        record = judge(run, work, candidate)
        winner = promote(work, candidate, record)
        text = f"round {number}  promoted {run.store.uri(winner.path)}"
        run.reporter.note("promoted", stage="promotion", message=text, now=True)
        return winner
    finally:
        run.reporter.close_round()


def pin_reading(run: Run, work: RoundWork, streams: bool) -> None:
    """Make the labels that must exist before training, and write down which fragments the round reads.

    In the feed `phases` these are the fragments whose labels are stored; in `stream` all, and those that turn out to be
    unusable are left out on the way.
    """
    fragments, number = list(run.index.fragments), work.round_number
    path = reading_file(number)
    if run.store.exists(path):
        return
    if not streams:
        make_labels(run, work, fragments + run.pictured)
        stored = stored_fragments(work.targets, work.motion_folder)
        if work.teacher:
            stored &= stored_fragments(work.targets, work.segments_folder)
        usable = [fragment for fragment in fragments if fragment.fragment_id in stored]
        _check_share(run, len(fragments) - len(usable))
        fragments = usable
    run.store.create_json_once(path, {"fragments": [fragment.to_json() for fragment in fragments]})


def make_labels(run: Run, work: RoundWork, fragments: list[Fragment]) -> None:
    """Motion and, where there is a teacher, confident segments of fragments that lack them; told as lines."""
    on_gpu, number = run.plan.on_gpu, work.round_number
    tell_pass(number, "flow", make_flow(work, fragments, on_gpu, run.reporter), run.reporter)
    if work.teacher:
        tell_pass(number, "teacher", make_segments(work, fragments, on_gpu, run.reporter), run.reporter)


def judge(run: Run, work: RoundWork, candidate: Teacher) -> dict[str, Any]:
    """Score a student, hold it against the gate, write `evaluation.json` and the contact sheet.

    Raises:
        PromotionError: it has collapsed.
    """
    rounds = run.config.rounds
    pictured = pictured_frames(work, run.pictured)
    held_out = run.held_out.fragments if run.held_out else ()
    scored = scored_frames(held_out, rounds.eval_images)
    # Pictured frames without masks are segmented too, as part of the gate's images.
    scored += [item for item in pictured if masked_frames(item[0].clip, [item[1]]) and item not in scored]
    gate = gate_frames(run.index.fragments, rounds.gate_images)
    gate += [item for item in pictured if item not in scored and item not in gate]
    run.reporter.note("started", stage="evaluation", total=len(scored) + len(gate), now=True)
    began = time.monotonic()
    found = evaluate(replace(work, teacher=candidate), scored, gate, run.plan.on_gpu, run.reporter)
    elapsed_s = time.monotonic() - began
    run.reporter.meter.count("evaluation", len(scored) + len(gate), elapsed_s)
    record = {
        "round": work.round_number,
        "step": run.config.train.num_steps,
        "scores": found.scores,
        "health": found.health,
    }
    run.store.write_json(evaluation_file(work.round_number), record)
    sheet = write_sheet(work, pictured, found)
    tell_evaluation(record, run.reporter, elapsed_s)
    run.reporter.judged(points(record), run.config.train.num_steps, sheet)
    check_health(found.health, rounds, work.round_number)
    return record


def _check_share(run: Run, num_bad: int) -> None:
    total, limit = len(run.index.fragments), run.config.data.max_bad_share
    if num_bad == total or num_bad / total > limit:
        raise DataError(
            f"{num_bad} of {total} fragments failed ({num_bad / total:.0%}); at most {limit:.0%} may "
            f"(data.max_bad_share). Reasons: {run.store.uri('quarantine')}."
        )
