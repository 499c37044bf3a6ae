"""Checkpoints: what goes in comes out, and nothing damaged or foreign is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from eisen_ray.errors import WeightsError
from eisen_ray.learning import checkpoint
from eisen_ray.learning.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint, weights_sha256
from eisen_ray.learning.optim import make_adam, make_schedule

META = {"config": {"root": "runs/a", "motion": {"offsets": [1, 2]}}, "step": 12, "round": 2}


def make_model(seed: int = 0, width: int = 4) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))


def train(model: nn.Module, optimizer: torch.optim.Optimizer, schedule: object, steps: int) -> None:
    images = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(images) - images.mean()).pow(3).mean().backward()
        optimizer.step()
        schedule.step()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "saved", make_model(), META)
    return tmp_path / "saved"


def edit_manifest(directory: Path, **changes: object) -> None:
    path = directory / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_weights_and_meta_come_back(saved: Path) -> None:
    model = make_model(seed=1)
    loaded = load_checkpoint(saved, model)
    for name, tensor in make_model().state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert loaded.meta == read_checkpoint(saved).meta == META
    assert loaded.weights_sha256 == read_checkpoint(saved).weights_sha256 == weights_sha256(saved)
    assert sorted(path.name for path in saved.iterdir()) == ["checkpoint.json", "model.safetensors"]


def test_equal_weights_have_equal_hashes_in_any_memory_layout(saved: Path, tmp_path: Path) -> None:
    model = make_model().to(memory_format=torch.channels_last)
    again = save_checkpoint(tmp_path / "again", model, {"step": 0})
    assert again == weights_sha256(saved) == weights_sha256(saved / "model.safetensors")
    assert again != save_checkpoint(tmp_path / "other", make_model(seed=1), {})


def test_training_goes_on_as_if_never_interrupted(tmp_path: Path) -> None:
    model = make_model()
    optimizer = make_adam(model.parameters(), 1e-2)
    schedule = make_schedule(optimizer, 2, 20)
    train(model, optimizer, schedule, 4)
    save_checkpoint(tmp_path, model, META, optimizer=optimizer, scheduler=schedule)
    train(model, optimizer, schedule, 4)

    resumed = make_model(seed=5)
    optimizer = make_adam(resumed.parameters(), 1.0)
    schedule = make_schedule(optimizer, 2, 20)
    load_checkpoint(tmp_path, resumed, optimizer=optimizer, scheduler=schedule)
    train(resumed, optimizer, schedule, 4)
    for name, tensor in model.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


def test_extra_tensors_come_back(tmp_path: Path) -> None:
    state = torch.Generator().manual_seed(3).get_state()
    save_checkpoint(tmp_path, make_model(), META, extra_tensors={"generator": state})
    assert torch.equal(load_checkpoint(tmp_path, make_model()).extra_tensors["generator"], state)


def test_saving_again_leaves_nothing_of_the_old(tmp_path: Path) -> None:
    model = make_model()
    save_checkpoint(tmp_path, model, META, optimizer=make_adam(model.parameters(), 1.0))
    save_checkpoint(tmp_path, make_model(seed=1), {"step": 13})
    assert read_checkpoint(tmp_path).meta == {"step": 13}
    assert not (tmp_path / "optimizer.pt").exists()


def test_interrupted_saving_leaves_no_checkpoint(saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint.torch, "save", fail)
    model = make_model(seed=1)
    for directory in (saved, tmp_path / "new"):
        with pytest.raises(OSError, match="disk full"):
            save_checkpoint(directory, model, META, optimizer=make_adam(model.parameters(), 1.0))
        with pytest.raises(WeightsError, match=r"No complete checkpoint in .*checkpoint\.json is missing"):
            load_checkpoint(directory, model)
        assert not list(directory.glob(".*"))


def test_meta_that_is_not_json_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for value in (object(), float("nan")):
        with pytest.raises(WeightsError, match="plain JSON"):
            save_checkpoint(tmp_path / "new", make_model(), {"value": value})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("keep_bytes", [0, 40, 300])
def test_truncated_weights_are_refused(saved: Path, keep_bytes: int) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep_bytes])
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged or was changed"):
        load_checkpoint(saved, make_model())
    edit_manifest(saved, files={"model.safetensors": weights_sha256(saved)})
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_checkpoint(saved, make_model())


def test_one_flipped_bit_is_refused_and_changes_nothing(saved: Path) -> None:
    path = saved / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    model, untouched = make_model(seed=1), make_model(seed=1)
    with pytest.raises(WeightsError, match="damaged"):
        load_checkpoint(saved, model)
    assert all(torch.equal(t, untouched.state_dict()[name]) for name, t in model.state_dict().items())


def test_missing_weights_file_is_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors is missing"):
        load_checkpoint(saved, make_model())


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "{}"])
def test_damaged_manifest_is_refused(saved: Path, text: str) -> None:
    (saved / "checkpoint.json").write_text(text)
    with pytest.raises(WeightsError, match=r"is damaged|has format None"):
        read_checkpoint(saved)


def test_other_format_is_refused(saved: Path) -> None:
    edit_manifest(saved, format=2)
    with pytest.raises(WeightsError, match="has format 2; this release reads 1"):
        load_checkpoint(saved, make_model())


@pytest.mark.parametrize("files", [{}, {"model.safetensors": "0", "../../secret": "0"}, []])
def test_manifest_with_other_files_is_refused(saved: Path, files: object) -> None:
    edit_manifest(saved, files=files)
    with pytest.raises(WeightsError, match="does not list a checkpoint's files"):
        read_checkpoint(saved)


def test_weights_of_another_model_are_refused_by_name(saved: Path) -> None:
    with pytest.raises(WeightsError, match=r"0\.weight is \(4, 3, 3, 3\) torch\.float32, the model has \(5, 3, 3, 3\)"):
        load_checkpoint(saved, make_model(width=5))
    with pytest.raises(WeightsError, match=r"missing 2\.weight"):
        load_checkpoint(saved, make_model().append(nn.Linear(1, 1)))
    with pytest.raises(WeightsError, match=r"unexpected 1\.weight"):
        load_checkpoint(saved, make_model()[:1])
    with pytest.raises(WeightsError, match=r"torch\.float32, the model has .*torch\.float64"):
        load_checkpoint(saved, make_model().double())


def test_weights_that_are_not_finite_are_refused_unless_asked_for(tmp_path: Path) -> None:
    model = make_model()
    model[1].running_var[2] = float("inf")
    save_checkpoint(tmp_path, model, META)
    with pytest.raises(WeightsError, match=r"NaN or infinity in 1 tensors, first 1\.running_var"):
        load_checkpoint(tmp_path, make_model())
    load_checkpoint(tmp_path, make_model(), require_finite=False)


def test_optimizer_state_that_is_absent_or_foreign_is_refused(saved: Path, tmp_path: Path) -> None:
    model = make_model()
    optimizer = make_adam(model.parameters(), 1.0)
    with pytest.raises(WeightsError, match=r"weights only, no optimizer\.pt"):
        load_checkpoint(saved, model, optimizer=optimizer)
    save_checkpoint(tmp_path, model, META, optimizer=optimizer)
    with pytest.raises(WeightsError, match="saved without a scheduler"):
        load_checkpoint(tmp_path, model, optimizer=optimizer, scheduler=make_schedule(optimizer, 1, 2))
    with pytest.raises(WeightsError, match=r"optimizer state .* does not fit"):
        load_checkpoint(tmp_path, model, optimizer=make_adam([torch.zeros(1)], 1.0))


def test_hash_of_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is missing"):
        weights_sha256(tmp_path)
