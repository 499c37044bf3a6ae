"""Ray Train with real worker processes on the session's cluster."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eisen_ray.data.index import Index
from eisen_ray.runtime.batches import Sample
from eisen_ray.runtime.feed import last_checkpoint
from eisen_ray.runtime.layout import RoundWork, reading_file
from eisen_ray.runtime.passes import make_flow
from eisen_ray.runtime.reading import sample_id
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.samples import reading_list
from eisen_ray.runtime.stopping import STOP, Stopped
from eisen_ray.runtime.student import new_student, resume_student, used_samples
from eisen_ray.runtime.trainer import TrainingError, fit_round
from eisen_ray.runtime.worker import _batches
from eisen_ray.teaching import TeacherConfig

pytestmark = pytest.mark.usefixtures("ray_cluster")

FRAMES = (0, 2, 4, 6)


@pytest.fixture
def pinned(work: RoundWork, index: Index) -> Iterator[RoundWork]:
    """Round 1 of two fragments with four images each, with stored motion."""
    make_flow(work, index.fragments, False, Reporter(work.store))
    work.store.write_json(reading_file(1), {"fragments": [fragment.to_json() for fragment in index.fragments]})
    yield work
    reading_list.cache_clear()


def changed(work: RoundWork, *, train: dict[str, Any], resources: dict[str, Any] | None = None) -> RoundWork:
    config = replace(work.config, train=replace(work.config.train, **train))
    return replace(work, config=replace(config, resources=replace(config.resources, **(resources or {}))))


def fit(work: RoundWork, told: list[dict[str, Any]] | None = None, streams: bool = False) -> Path:
    """Train, and give the folder of the last checkpoint."""
    records = [] if told is None else told
    checkpoint = fit_round(work, streams=streams, on_gpu=False, tell=records.append)
    return Path(checkpoint.path)


def ids(epochs: int) -> list[int]:
    return sorted(sample_id(position, frame) for position in range(2 * epochs) for frame in FRAMES)


def test_interrupted_epoch_goes_on_with_exactly_the_unused_images(pinned: RoundWork) -> None:
    settings = {"batch_size": 2, "checkpoint_every_steps": 3, "log_every_steps": 1}
    first = used_samples(fit(changed(pinned, train={**settings, "num_steps": 3})))
    assert len(first) == 6
    assert set(first) < set(ids(1))
    told: list[dict[str, Any]] = []
    both = used_samples(fit(changed(pinned, train={**settings, "num_steps": 8}), told))
    assert both.tolist() == ids(2)
    assert [record["step"] for record in told if record["event"] == "started"] == [3]
    assert [record["step"] for record in told if record["event"] == "step"] == [4, 5, 6, 7, 8]


@pytest.mark.slow
def test_finished_training_is_not_repeated(pinned: RoundWork) -> None:
    work = changed(pinned, train={"batch_size": 2, "num_steps": 2})
    first = fit(work)
    told: list[dict[str, Any]] = []
    assert fit(work, told) == first
    assert [record["event"] for record in told] == ["started"]


def test_two_workers_learn_what_one_learns_at_the_same_global_batch(work: RoundWork, index: Index) -> None:
    # One image: however it is dealt, each worker's half of a batch equals the other's, batch statistics included.
    single = replace(work, config=replace(work.config, data=replace(work.config.data, pair_stride=7)))
    make_flow(single, index.fragments[:1], False, Reporter(work.store))
    single.store.write_json(reading_file(1), {"fragments": [index.fragments[0].to_json()]})
    students, losses = [], []
    for workers in (1, 2):
        train = {"batch_size": 2, "num_steps": 4, "log_every_steps": 1, "learning_rate": 1e-4, "augment": False}
        # All rows: each worker draws its own.
        train |= {"labelled_rows": 0, "segment_balance": 0.0, "static_rows": 0}
        told: list[dict[str, Any]] = []
        folder = fit(changed(single, train=train, resources={"train_workers": workers}), told)
        student = new_student(single, torch.device("cpu"))
        resume_student(student, folder, rank=0)
        students.append(student)
        losses.append([record["metrics"]["train/loss"] for record in told if record["event"] == "step"])
        assert len(used_samples(folder)) == 8
        single.store.delete("training")
    reading_list.cache_clear()
    assert losses[0][0] > 0
    # The first loss is before any update; later ones carry the rounding of sums in another order, through Adam.
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-5)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    for one, two in zip(students[0].model.parameters(), students[1].model.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-3)


@pytest.mark.timeout(180)
def test_two_workers_with_unequal_parts_of_an_epoch_do_not_wait_for_each_other(pinned: RoundWork) -> None:
    """Three fragments an epoch: one worker has two of the first epoch, the other one two of the spare one."""
    listed = pinned.store.read_json(reading_file(1))["fragments"]
    pinned.store.write_json(reading_file(1), {"fragments": [*listed, listed[0]]})
    reading_list.cache_clear()
    settings = {"batch_size": 2, "num_steps": 6, "checkpoint_every_steps": 6, "log_every_steps": 6}
    used = used_samples(fit(changed(pinned, train=settings, resources={"train_workers": 2})))
    assert len(used) == 12


@pytest.mark.slow
def test_two_workers_share_the_images_of_a_streamed_round(work: RoundWork, index: Index) -> None:
    work.store.write_json(reading_file(1), {"fragments": [fragment.to_json() for fragment in index.fragments]})
    train = {"batch_size": 4, "num_steps": 4}
    folder = fit(changed(work, train=train, resources={"train_workers": 2}), streams=True)
    reading_list.cache_clear()
    used = used_samples(folder)
    assert len(used) == len(set(used.tolist())) == 16
    parts = [np.load(folder / f"used-{rank}.npy") for rank in (0, 1)]
    assert [len(part) for part in parts] == [8, 8]
    # The first epoch went through the pools and was stored on the way.
    assert len(work.store.files(work.motion_folder)) == 2


def test_stream_fits_beside_a_worker_on_two_cpus(work: RoundWork, index: Index) -> None:
    # Three of the cluster's four CPUs for the worker: the rest is what a two-core laptop has beside it. Ray's own
    # readers ask for a whole CPU each, and this round would wait for one without an end.
    work.store.write_json(reading_file(1), {"fragments": [fragment.to_json() for fragment in index.fragments]})
    train = {"batch_size": 2, "num_steps": 4}
    folder = fit(changed(work, train=train, resources={"train_cpus": 3.0}), streams=True)
    reading_list.cache_clear()
    assert used_samples(folder).tolist() == ids(1)


@pytest.mark.slow
def test_killed_worker_is_replaced_and_goes_on_from_the_checkpoint(pinned: RoundWork) -> None:
    told: list[dict[str, Any]] = []
    train = {"batch_size": 2, "num_steps": 60, "checkpoint_every_steps": 5, "log_every_steps": 1}
    work = changed(pinned, train=train, resources={"max_failures": 2})
    killer = threading.Thread(target=_kill_worker_after_step, args=(told, 7), daemon=True)
    killer.start()
    folder = fit(work, told)
    killer.join(timeout=5)
    starts = [record["step"] for record in told if record["event"] == "started"]
    assert len(starts) == 2
    assert starts[1] >= 5
    assert starts[1] % 5 == 0
    assert used_samples(folder).tolist() == ids(15)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_asked_to_stop_all_workers_save_after_the_same_step(pinned: RoundWork, workers: int) -> None:
    told: list[dict[str, Any]] = []
    train = {"batch_size": 2, "num_steps": 4000, "checkpoint_every_steps": 4000, "log_every_steps": 1}
    work = changed(pinned, train=train, resources={"train_workers": workers})
    asking = threading.Thread(target=_stop_after_step, args=(told, 3), daemon=True)
    asking.start()
    try:
        with pytest.raises(Stopped):
            fit(work, told)
    finally:
        STOP.asked.clear()
    saved = last_checkpoint(work)
    assert saved is not None
    student = new_student(work, torch.device("cpu"))
    resume_student(student, Path(saved.path), rank=0)
    assert 3 <= student.step < 4000
    assert len(used_samples(Path(saved.path))) == 2 * student.step
    assert len(list(Path(saved.path).glob("used-*.npy"))) == workers


@pytest.mark.slow
def test_training_that_fails_again_and_again_says_why(pinned: RoundWork) -> None:
    for name in pinned.store.files(pinned.motion_folder):
        pinned.store.delete(f"{pinned.motion_folder}/{name}")
    work = changed(pinned, train={"batch_size": 2, "num_steps": 2}, resources={"max_failures": 0})
    with pytest.raises(TrainingError, match=r"Training of round 1 failed .*No stored fragment could be read"):
        fit(work)


def _stop_after_step(told: list[dict[str, Any]], step: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any(record["step"] >= step for record in list(told)):
        time.sleep(0.05)
    STOP.asked.set()


@pytest.mark.parametrize(("last", "label"), [(0, 3), (1, 4)])
def test_labels_are_merged_as_the_round_says(pinned: RoundWork, last: int, label: int) -> None:
    """All of the picture moves and is one confident segment, 3: that explains it, or it stays motion's and is 4."""
    config = replace(pinned.config, teacher=TeacherConfig(last_explaining_round=last))
    work = replace(pinned, config=config, round_number=2)
    work.store.write_json(reading_file(2), work.store.read_json(reading_file(1)))
    student = new_student(work, torch.device("cpu"))
    ones = np.ones(work.grid, np.uint16)
    image = np.zeros((work.grid[0] * 4, work.grid[1] * 4, 3), np.uint8)
    passes = [iter([Sample(number, image, ones, 3 * ones) for number in range(8)])]
    _, batch = next(_batches(work, student, passes, rank=0, world_size=1))
    assert batch.labels.unique().tolist() == [label]


def _kill_worker_after_step(told: list[dict[str, Any]], step: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any(record["event"] == "step" and record["step"] >= step for record in told):
            os.kill(told[0]["pid"], signal.SIGKILL)
            return
        time.sleep(0.05)
