from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eisen_ray.errors import PromotionError, WeightsError
from eisen_ray.learning.checkpoint import load_checkpoint
from eisen_ray.runtime.layout import RoundWork, Teacher, evaluation_file, training_folder
from eisen_ray.runtime.promotion import check_health, copy_out, promote, promoted, rollback
from eisen_ray.runtime.student import Student, new_student, save_student

HEALTHY = {"segments_per_image": 3.0, "coverage": 0.7, "agreement": 0.6}


def trained(work: RoundWork, folder: Path, step: int | None = None) -> Student:
    student = new_student(work, torch.device("cpu"))
    student.step = work.config.train.num_steps if step is None else step
    folder.mkdir(exist_ok=True)
    save_student(student, work, folder, rank=0)
    return student


def test_student_is_copied_out_without_what_only_training_needs(work: RoundWork, tmp_path: Path) -> None:
    student = trained(work, tmp_path / "c")
    candidate = copy_out(work, tmp_path / "c")
    assert candidate.path == f"rounds/1/checkpoint-{candidate.sha256[:8]}"
    assert work.store.files(candidate.path) == {"model.safetensors", "checkpoint.json"}
    model = new_student(replace(work, config=replace(work.config, seed=5)), torch.device("cpu")).model
    folder = work.store.download(candidate.path, tmp_path / "again")
    assert load_checkpoint(folder, model).meta["step"] == work.config.train.num_steps
    for name, tensor in student.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])


def test_gate_refuses_too_few_steps(work: RoundWork, tmp_path: Path) -> None:
    trained(work, tmp_path / "c", step=2)
    with pytest.raises(PromotionError, match="stopped at step 2 of 6; run the same command"):
        copy_out(work, tmp_path / "c")


def test_gate_refuses_damaged_weights(work: RoundWork, tmp_path: Path) -> None:
    trained(work, tmp_path / "c")
    file = tmp_path / "c" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"xxxx")
    with pytest.raises(WeightsError, match="damaged"):
        copy_out(work, tmp_path / "c")


def test_gate_refuses_weights_that_are_not_finite(work: RoundWork, tmp_path: Path) -> None:
    student = new_student(work, torch.device("cpu"))
    student.step = work.config.train.num_steps
    with torch.no_grad():
        next(student.model.parameters()).fill_(torch.nan)
    save_student(student, work, tmp_path, rank=0)
    with pytest.raises(WeightsError, match="NaN"):
        copy_out(work, tmp_path)


@pytest.mark.parametrize(
    ("health", "message"),
    [
        ({"segments_per_image": 0.2}, r"segments_per_image is 0\.200, rounds\.min_segments asks for 0\.5"),
        ({"agreement": 0.05}, r"agreement is 0\.050, rounds\.min_agreement asks for 0\.1"),
        ({"agreement": float("nan")}, "agreement is nan"),
    ],
)
def test_gate_refuses_a_collapsed_student(work: RoundWork, health: dict, message: str) -> None:
    rounds = replace(work.config.rounds, min_segments=0.5, min_agreement=0.1)
    with pytest.raises(PromotionError, match=message):
        check_health({**HEALTHY, **health}, rounds, 1)


def test_gate_lets_a_healthy_student_through(work: RoundWork) -> None:
    check_health(HEALTHY, replace(work.config.rounds, min_segments=0.5, min_agreement=0.1), 1)


def test_promotion_is_written_once_and_the_winner_is_read_back(work: RoundWork) -> None:
    assert promoted(work.store, 1) is None
    first, second = Teacher(path="a", sha256="1"), Teacher(path="b", sha256="2")
    assert promote(work, first, {"step": 6}) == first
    assert promote(work, second, {"step": 6}) == first
    assert promoted(work.store, 1) == first
    assert work.store.read_json("rounds/1/teacher.json") == {"checkpoint": "a", "sha256": "1", "round": 1, "step": 6}


def test_promotion_removes_the_training_folder(work: RoundWork) -> None:
    work.store.write(f"{training_folder(1)}/checkpoint/optimizer.pt", b"large")
    promote(work, Teacher(path="a", sha256="1"), {})
    assert not work.store.exists(training_folder(1))


def test_rollback_takes_back_the_newest_round_only(work: RoundWork) -> None:
    config = replace(work.config, rounds=replace(work.config.rounds, num_rounds=3))
    for number in (1, 2):
        step = replace(work, round_number=number)
        promote(step, Teacher(path=f"rounds/{number}/checkpoint-x", sha256="1"), {})
        work.store.write(evaluation_file(number), b"{}")
        work.store.write(f"rounds/{number}/checkpoint-x/model.safetensors", b"")
    work.store.write("flow/x/aa/f.parquet", b"")
    assert rollback(config) == 2
    assert promoted(work.store, 2) is None
    assert work.store.files("rounds/2") == set()
    assert promoted(work.store, 1) is not None
    assert work.store.exists("flow/x/aa/f.parquet")
    assert rollback(config) == 1
    assert rollback(config) is None
