"""What runs in each training process: the student's loop inside Ray Train."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch
from torch import nn

from eisen_ray.config import RunConfig
from eisen_ray.errors import DataError
from eisen_ray.learning.step import Batch, StepSettings, train_step
from eisen_ray.runtime.batches import Sample, batched, replayed, samples_of, shuffled, to_batch
from eisen_ray.runtime.layout import RoundWork, Teacher, reading_file, stable_seed
from eisen_ray.runtime.prefetch import DEPTH, Prefetched
from eisen_ray.runtime.samples import reading_list, reading_seed, replays
from eisen_ray.runtime.student import Student, best_device, new_student, resume_student, save_student
from eisen_ray.runtime.uploads import upload_checked
from eisen_ray.settings import from_dict

NamedBatch = tuple[np.ndarray, Batch]
"""The ids of a batch's samples, int64, and the batch."""

# Rows taken from the object store at a time: large enough to amortise a call, small beside the shuffle buffer.
ROWS_PER_READ = 16


def train_student(settings: dict[str, Any]) -> int:
    """Train a round's student in this process, as one of several; gives the steps done.

    Starts from the last checkpoint if there is one. All workers do the same steps; each reports its part of every
    checkpoint.

    Args:
        settings: from `feed.worker_settings`.

    Raises:
        FloatingPointError: loss or gradient is not finite, in all workers alike.
        DataError: the datasets hold no samples.
    """
    work = RoundWork(
        config=from_dict(RunConfig, settings["config"]),
        flow_identity=settings["flow_identity"],
        round_number=settings["round_number"],
        teacher=Teacher(**settings["teacher"]) if settings["teacher"] else None,
    )
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    device = best_device()
    _use_threads(work.config.resources.train_threads, context.get_local_world_size())
    student = new_student(work, device, rank, synchronised=world_size > 1 and device.type == "cuda")
    checkpoint = ray.train.get_checkpoint()
    if checkpoint:
        with checkpoint.as_directory() as folder:
            resume_student(student, Path(folder), rank)
    model = ray.train.torch.prepare_model(student.model, move_to_device=False)
    loop = StudentLoop(work, student, model, settings["board"], world_size)
    if student.step < work.config.train.num_steps:
        made = _batches(work, student, settings["datasets"], rank, world_size)
        batches = Prefetched(made, DEPTH if device.type == "cuda" else 0)
        try:
            loop.run(batches)
        finally:
            batches.close()
    return student.step


class StudentLoop:
    """Steps, and what is told and saved on the way."""

    def __init__(self, work: RoundWork, student: Student, model: nn.Module, board: Any, world_size: int) -> None:
        self.work = work
        self.student = student
        self.model = model
        self.board = board
        self.rank = ray.train.get_context().get_world_rank()
        self.world_size = world_size
        self._tell({"event": "started", "pid": os.getpid()})
        self._last = (student.step, time.monotonic(), 0.0)

    def run(self, batches: Prefetched[NamedBatch]) -> None:
        """Train until the last step; checkpoints on the way and at the end."""
        train, student = self.work.config.train, self.student
        settings = StepSettings(train.loss_levels, train.clip_norm, train.precision, train.augment, self.world_size)
        for names, batch in itertools.islice(batches, train.num_steps - student.step):
            metrics: dict[str, float] = train_step(self.model, batch, student.optimizer, student.generator, settings)
            metrics["train/learning_rate"] = float(student.scheduler.get_last_lr()[0])
            student.scheduler.step()
            student.step += 1
            student.used.append(names)
            at_end = student.step == train.num_steps
            if student.step % train.log_every_steps == 0 or at_end:
                self._tell_step(metrics, batches.waited_s)
            if student.step % train.checkpoint_every_steps == 0 or at_end:
                self._save(metrics)

    def _save(self, metrics: dict[str, float]) -> None:
        # Every worker reports: `report` is a barrier, and each adds its used samples and random state.
        with tempfile.TemporaryDirectory() as folder:
            save_student(self.student, self.work, Path(folder), self.rank)
            reported = {**metrics, "step": self.student.step, "round": self.work.round_number}
            checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(reported, checkpoint=checkpoint, checkpoint_upload_fn=upload_checked)

    def _tell_step(self, metrics: dict[str, float], waited_s: float) -> None:
        step, now = self.student.step, time.monotonic()
        last_step, last_time, waited_before = self._last
        elapsed = max(now - last_time, 1e-9)
        pace = {
            "train/images_per_s": (step - last_step) * self.work.config.train.batch_size / elapsed,
            # Share of the time in which the step waited for data.
            "train/wait_share": (waited_s - waited_before) / elapsed,
        }
        self._last = (step, now, waited_s)
        self._tell({"event": "step", "metrics": {**metrics, **pace}})

    def _tell(self, record: dict[str, Any]) -> None:
        if self.rank == 0 and self.board is not None:
            self.board.add.remote({**record, "round": self.work.round_number, "step": self.student.step})


def _batches(work: RoundWork, student: Student, names: list[str], rank: int, world_size: int) -> Iterator[NamedBatch]:
    """This worker's part of every batch, on its device, without end."""
    rng = np.random.default_rng([stable_seed("shuffle", work.config.seed, work.round_number, rank), student.step])
    num_fragments = len(reading_list(work.store, reading_file(work.round_number)))
    if replays(work):
        samples = replayed(_read(names, work.grid), num_fragments, reading_seed(work))
    else:
        samples = _read_on(names, work.grid)
    mixed = shuffled(samples, work.config.train.shuffle_images, rng, num_fragments)
    for some in batched(mixed, work.config.train.batch_size // world_size):
        used = np.array([sample.sample_id for sample in some], dtype=np.int64)
        yield used, to_batch(some, work.config.teacher, student.generator.device)
    raise DataError("No stored fragment could be read; the reasons are in the folder quarantine under the root.")


def _read(names: list[str], grid: tuple[int, int]) -> Iterator[Sample]:
    for name in names:
        shard = ray.train.get_dataset_shard(name)
        yield from samples_of(shard.iter_batches(batch_size=ROWS_PER_READ, batch_format="numpy"), grid)


def _read_on(names: list[str], grid: tuple[int, int]) -> Iterator[Sample]:
    """All datasets, then the last one again and again, unless it is empty."""
    yield from _read(names, grid)
    while True:
        again = _read(names[-1:], grid)
        first = next(again, None)
        if first is None:
            return
        yield first
        yield from again


def _use_threads(num_threads: int, local_workers: int) -> None:
    # Ray sets one thread per worker; on a CPU the cores would idle.
    torch.set_num_threads(num_threads or max(1, (os.cpu_count() or 1) // local_workers))
