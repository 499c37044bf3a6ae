from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.learning.step import Batch, StepSettings, train_step
from eisen_ray.runtime.layout import RoundWork, Teacher
from eisen_ray.runtime.student import (
    Student,
    load_teacher,
    new_student,
    resume_student,
    save_student,
    used_samples,
)

CPU = torch.device("cpu")


def train(student: Student, steps: int) -> None:
    data = torch.Generator().manual_seed(student.step)
    for _ in range(steps):
        images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=data)
        labels = torch.randint(0, 3, (2, 16, 16), generator=data)
        train_step(student.model, Batch(images, labels), student.optimizer, student.generator, StepSettings())
        student.scheduler.step()
        student.step += 1


def weights(student: Student) -> torch.Tensor:
    return torch.cat([tensor.flatten().float() for tensor in student.model.state_dict().values()])


def test_all_workers_begin_with_the_same_weights_and_their_own_draws(work: RoundWork) -> None:
    first, second = new_student(work, CPU, 0), new_student(work, CPU, 1)
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(torch.rand(4, generator=first.generator), torch.rand(4, generator=second.generator))


def test_seed_decides_the_weights(work: RoundWork) -> None:
    other = replace(work, config=replace(work.config, seed=1))
    assert not torch.equal(weights(new_student(work, CPU)), weights(new_student(other, CPU)))


def test_resumed_student_goes_on_as_if_nothing_had_happened(work: RoundWork, tmp_path: Path) -> None:
    student = new_student(work, CPU)
    train(student, 2)
    student.used.append(np.array([4, 2]))
    (tmp_path / "checkpoint").mkdir()
    save_student(student, work, tmp_path / "checkpoint", rank=0)
    train(student, 2)
    resumed = new_student(work, CPU)
    resume_student(resumed, tmp_path / "checkpoint", rank=0)
    assert resumed.step == 2
    assert np.concatenate(resumed.used).tolist() == [2, 4]
    train(resumed, 2)
    assert torch.equal(weights(student), weights(resumed))
    assert student.scheduler.get_last_lr() == resumed.scheduler.get_last_lr()


def test_used_samples_of_all_workers_are_merged_and_kept_by_one(work: RoundWork, tmp_path: Path) -> None:
    for rank, ids in enumerate(([5, 1], [9])):
        student = new_student(work, CPU, rank)
        student.used.append(np.array(ids))
        save_student(student, work, tmp_path, rank)
    assert used_samples(tmp_path).tolist() == [1, 5, 9]
    for rank, expected in enumerate(([1, 5, 9], [])):
        student = new_student(work, CPU, rank)
        resume_student(student, tmp_path, rank)
        assert [name for part in student.used for name in part] == expected


def test_more_workers_than_before_resume_too(work: RoundWork, tmp_path: Path) -> None:
    save_student(new_student(work, CPU), work, tmp_path, rank=0)
    student = new_student(work, CPU, rank=3)
    resume_student(student, tmp_path, rank=3)
    assert student.step == 0


def test_next_round_begins_with_the_teachers_weights(work: RoundWork, tmp_path: Path) -> None:
    first = new_student(work, CPU)
    train(first, 1)
    sha256 = save_checkpoint(tmp_path / "t", first.model, {"step": 1})
    work.store.upload(tmp_path / "t", "rounds/1/checkpoint")
    second = replace(work, round_number=2, teacher=Teacher(path="rounds/1/checkpoint", sha256=sha256))
    student = new_student(second, CPU)
    assert torch.equal(weights(student), weights(first))
    assert student.step == 0


def test_a_network_that_teaches_is_read_out_in_its_own_way(work: RoundWork, tmp_path: Path) -> None:
    config = work.config
    own = {"num_iterations": 3, "plateau_width": 12, "enlarge": 2.0, "snap_to_edges": 0.1, "min_edge_share": 0.7}
    teacher = replace(config.teacher, threshold=0.3, num_passes=5, **own)
    grouping = replace(config.grouping, enlarge=1.5, mirror=True, num_passes=2)
    work = replace(work, config=replace(config, teacher=teacher, grouping=grouping))
    sha256 = save_checkpoint(tmp_path / "t", new_student(work, CPU).model, {"step": 1})
    work.store.upload(tmp_path / "t", "rounds/1/checkpoint")
    taught = replace(work, teacher=Teacher(path="rounds/1/checkpoint", sha256=sha256))
    teaching, plain = load_teacher(taught, teaching=True), load_teacher(taught)
    read = (teaching.grouping.kprop.num_iterations, teaching.grouping.plateau_width, teaching.enlarge, teaching.snap)
    assert (*read, teaching.min_edge_share) == tuple(own.values())
    assert plain.grouping.plateau_width == work.config.grouping.plateau_width != 12
    assert plain.grouping.kprop.num_iterations == work.config.grouping.num_iterations != 3
    assert plain.enlarge == 1.5
    assert plain.mirror
    assert (plain.num_passes, teaching.num_passes) == (2, 5)
    assert (plain.grouping.kprop.threshold, teaching.grouping.kprop.threshold) == (config.grouping.threshold, 0.3)
    as_read = replace(taught, config=replace(taught.config, teacher=replace(teacher, threshold=0.0)))
    assert load_teacher(as_read, teaching=True).grouping.kprop.threshold == config.grouping.threshold
    assert teaching.mirror
    assert not teaching.training
    assert not plain.training


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_student_trains_on_a_gpu(work: RoundWork) -> None:
    student = new_student(work, torch.device("cuda"))
    assert next(student.model.parameters()).is_cuda
