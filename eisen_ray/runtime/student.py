"""The student in training: its network, optimizer and random state, and how it is saved and resumed. No Ray."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from eisen_ray.build import build_eisen
from eisen_ray.errors import WeightsError
from eisen_ray.learning.checkpoint import load_checkpoint, save_checkpoint
from eisen_ray.learning.optim import make_adam, make_schedule
from eisen_ray.model.eisen import Eisen
from eisen_ray.runtime.layout import RoundWork, Teacher, stable_seed
from eisen_ray.runtime.reading import joined, used_samples
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import to_dict


@dataclass
class Student:
    """Everything that a restart must bring back.

    Attributes:
        model: the network, not wrapped for DDP.
        optimizer, scheduler: as made by `learning.optim`.
        generator: draws the long-range pairs of this worker.
        step: optimizer steps done.
        used: ids of the samples that this worker has trained on, and, in rank 0, of all before the last restart.
    """

    model: Eisen
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    step: int = 0
    used: list[np.ndarray] = field(default_factory=list)


def best_device() -> torch.device:
    """A GPU if this process was given one that works, else the CPU."""
    # Not Ray's own answer: on a cluster with pretended GPUs it names a device that is not there.
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_teacher(work: RoundWork, teaching: bool = False) -> Eisen:
    """The promoted student that is this round's teacher, on the CPU, in evaluation mode.

    Args:
        work: the round.
        teaching: read out as the config's `teacher` says, instead of as its `grouping` does. [Decision 147]

    Raises:
        WeightsError: there is none, or it is damaged, or it is not the promoted one.
    """
    if work.teacher is None:
        raise WeightsError(f"Round {work.round_number} has no teacher; expected a promoted student.")
    grouping, teacher = work.config.grouping, work.config.teacher
    if teaching:
        own = ("num_iterations", "plateau_width", "num_passes", "enlarge", "snap_to_edges", "min_edge_share")
        threshold = teacher.threshold or grouping.threshold
        grouping = replace(grouping, threshold=threshold, **{name: getattr(teacher, name) for name in own})
    model = build_eisen(work.config.model, grouping)
    load_promoted(work.store, work.teacher, model)
    return model.eval()


def new_student(work: RoundWork, device: torch.device, rank: int = 0, synchronised: bool = False) -> Student:
    """A round's student at step 0: the teacher's weights, or random ones in round 1 (the same in every worker).

    Args:
        work: the round.
        device: where it trains.
        rank: of this worker; each draws its own long-range pairs.
        synchronised: batch statistics are taken over all workers.
    """
    train = work.config.train
    # torch initialises layers from its global generator; every worker must get the same weights.
    torch.manual_seed(stable_seed("weights", work.config.seed))
    model = build_eisen(work.config.model, work.config.grouping)
    if work.teacher:
        load_promoted(work.store, work.teacher, model)
    if synchronised:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    model = model.to(device)
    optimizer = make_adam(model.parameters(), train.learning_rate)
    scheduler = make_schedule(optimizer, train.warmup_steps, train.num_steps)
    generator = torch.Generator(device)
    generator.manual_seed(stable_seed("pairs", work.config.seed, work.round_number, rank))
    return Student(model, optimizer, scheduler, generator)


def load_promoted(store: Store, teacher: Teacher, model: Eisen) -> None:
    """Load promoted weights into a network.

    Raises:
        WeightsError: damaged, of another network, or not the weights that were promoted.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = load_checkpoint(store.download(teacher.path, Path(folder)), model).weights_sha256
    if found != teacher.sha256:
        raise WeightsError(f"{store.uri(teacher.path)} holds weights {found[:12]}; expected {teacher.sha256[:12]}.")


def save_student(student: Student, work: RoundWork, folder: Path, rank: int) -> None:
    """Write this worker's part of a checkpoint; rank 0 writes the network."""
    if rank == 0:
        meta = {"round": work.round_number, "step": student.step, "config": to_dict(work.config)}
        save_checkpoint(folder, student.model, meta, optimizer=student.optimizer, scheduler=student.scheduler)
    np.save(folder / f"used-{rank}.npy", joined(student.used))
    np.save(folder / f"generator-{rank}.npy", student.generator.get_state().numpy())


def resume_student(student: Student, folder: Path, rank: int) -> None:
    """Bring a student to the state of a checkpoint, which may have been written by another number of workers.

    Raises:
        WeightsError: the checkpoint is damaged or is of another network.
    """
    found = load_checkpoint(folder, student.model, optimizer=student.optimizer, scheduler=student.scheduler)
    student.step = int(found.meta["step"])
    student.used = [used_samples(folder)] if rank == 0 else []
    state = folder / f"generator-{rank}.npy"
    if state.exists():
        student.generator.set_state(torch.from_numpy(np.load(state)))
