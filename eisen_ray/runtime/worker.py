"""What runs in each training process: the student's loop inside Ray Train."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch
from torch import nn

from eisen_ray.build import build_step
from eisen_ray.config import RunConfig
from eisen_ray.errors import DataError
from eisen_ray.learning.step import Batch, train_step
from eisen_ray.runtime.batches import Counter, Sample, batched, mixed, replayed, samples_of, to_batch
from eisen_ray.runtime.layout import RoundWork, Teacher, reading_file, stable_seed
from eisen_ray.runtime.prefetch import DEPTH, Prefetched
from eisen_ray.runtime.progress import StopAnswer
from eisen_ray.runtime.reading import epoch_of
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
        counter = Counter()
        passes = map(counter.counted, _passes(work, settings["datasets"]))
        made = _batches(work, student, passes, rank, world_size)
        batches = Prefetched(made, DEPTH if device.type == "cuda" else 0)
        try:
            loop.run(batches, counter)
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
        self._answer = StopAnswer(board) if self.rank == 0 and board is not None else None
        self._tell({"event": "started", "pid": os.getpid()})
        self._first = student.step
        self._last = (student.step, time.monotonic(), 0.0)

    def run(self, batches: Prefetched[NamedBatch], read: Counter) -> None:
        """Train until the last step, or until the driver asks for an end; checkpoints on the way and at the end.

        Args:
            batches: this worker's parts, on its device.
            read: counts the samples that this worker has read so far.
        """
        train, student = self.work.config.train, self.student
        settings = build_step(train, self.world_size)
        for names, batch in itertools.islice(batches, train.num_steps - student.step):
            metrics: dict[str, float] = train_step(self.model, batch, student.optimizer, student.generator, settings)
            metrics["train/learning_rate"] = float(student.scheduler.get_last_lr()[0])
            student.scheduler.step()
            student.step += 1
            student.used.append(names)
            at_end = student.step == train.num_steps
            if student.step % train.log_every_steps == 0 or at_end:
                used = (student.step - self._first) * (train.batch_size // self.world_size)
                self._tell_step(metrics, batches.waited_s, read.count - used, int(names.max()))
            told_to_stop = self._told_to_stop()
            if student.step % train.checkpoint_every_steps == 0 or at_end or told_to_stop:
                self._save(metrics)
            if told_to_stop:
                return

    def _told_to_stop(self) -> bool:
        # Rank 0's answer for all: every worker must save after the same step.
        told = self._answer is not None and self._answer()
        if self.world_size == 1:
            return told
        shared = torch.tensor([told], dtype=torch.int32, device=self.student.generator.device)
        torch.distributed.broadcast(shared, 0)
        return bool(shared.item())

    def _save(self, metrics: dict[str, float]) -> None:
        # Every worker reports: `report` is a barrier, and each adds its used samples and random state.
        with tempfile.TemporaryDirectory() as folder:
            save_student(self.student, self.work, Path(folder), self.rank)
            reported = {**metrics, "step": self.student.step, "round": self.work.round_number}
            checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(reported, checkpoint=checkpoint, checkpoint_upload_fn=upload_checked)

    def _tell_step(self, metrics: dict[str, float], waited_s: float, queued: int, newest: int) -> None:
        step, now = self.student.step, time.monotonic()
        last_step, last_time, waited_before = self._last
        elapsed = max(now - last_time, 1e-9)
        images = (step - last_step) * self.work.config.train.batch_size
        pace = {
            "train/images_per_s": images / elapsed,
            # Share of the time in which the step waited for data.
            "train/wait_share": (waited_s - waited_before) / elapsed,
            # Read by this worker, not yet used: the shuffle buffer and batches that are ready.
            "train/queued_images": float(queued),
        }
        self._last = (step, now, waited_s)
        busy_s = elapsed - (waited_s - waited_before)
        epoch = epoch_of(newest, len(reading_list(self.work.store, reading_file(self.work.round_number))))
        told = {"images": images, "busy_s": busy_s, "epoch": epoch}
        self._tell({"event": "step", "metrics": {**metrics, **pace}, **told})

    def _tell(self, record: dict[str, Any]) -> None:
        if self.rank == 0 and self.board is not None:
            self.board.add.remote({**record, "round": self.work.round_number, "step": self.student.step})


def _batches(
    work: RoundWork, student: Student, passes: Iterable[Iterator[Sample]], rank: int, world_size: int
) -> Iterator[NamedBatch]:
    """This worker's part of every batch, on its device, without end."""
    rng = np.random.default_rng([stable_seed("shuffle", work.config.seed, work.round_number, rank), student.step])
    num_fragments = len(reading_list(work.store, reading_file(work.round_number)))
    samples = mixed(passes, work.config.train.shuffle_images, rng, num_fragments)
    for some in batched(samples, work.config.train.batch_size // world_size):
        used = np.array([sample.sample_id for sample in some], dtype=np.int64)
        yield used, to_batch(some, work.teaching, student.generator.device)
    raise DataError("No stored fragment could be read; the reasons are in the folder quarantine under the root.")


def _passes(work: RoundWork, names: list[str]) -> Iterator[Iterator[Sample]]:
    """This worker's samples, without end: one pass, read once and kept, or all datasets and the last again and again.

    The last one is not read again if it is empty.
    """
    if replays(work):
        num_fragments = len(reading_list(work.store, reading_file(work.round_number)))
        read = itertools.chain.from_iterable(_read(name, work.grid) for name in names)
        yield replayed(read, num_fragments, reading_seed(work))
        return
    for name in names:
        yield _read(name, work.grid)
    while True:
        again = _read(names[-1], work.grid)
        first = next(again, None)
        if first is None:
            return
        yield itertools.chain([first], again)


def _read(name: str, grid: tuple[int, int]) -> Iterator[Sample]:
    shard = ray.train.get_dataset_shard(name)
    yield from samples_of(shard.iter_batches(batch_size=ROWS_PER_READ, batch_format="numpy"), grid)


def _use_threads(num_threads: int, local_workers: int) -> None:
    # Ray sets one thread per worker; on a CPU the cores would idle.
    torch.set_num_threads(num_threads or max(1, (os.cpu_count() or 1) // local_workers))
