"""Scores of checkpoints beside the rounds; the rounds are played by files."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from eisen_ray.build import build_eisen
from eisen_ray.config import RunConfig
from eisen_ray.data.index import Index
from eisen_ray.data.masks import masked_frames
from eisen_ray.errors import WeightsError
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.runtime import validation
from eisen_ray.runtime.layout import RoundWork, promotion_file
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.study_images import StudyFrame
from eisen_ray.runtime.validation import Scores, Validator


@pytest.fixture
def frames(held_out: Index) -> list[StudyFrame]:
    fragment = held_out.fragments[0]
    return [StudyFrame(fragment.clip, masked_frames(fragment.clip, fragment.frames)[0], masked=True)]


def saved(config: RunConfig, folder: Path, step: int) -> Path:
    """A checkpoint of random weights."""
    folder.mkdir(parents=True)
    save_checkpoint(folder, build_eisen(config.model, config.grouping), {"step": step})
    return folder


class Committed:
    """Stands for Ray Train's checkpoint: a folder that is there."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def as_directory(self) -> Committed:
        return self

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, *_: object) -> None:
        pass


def test_every_new_checkpoint_is_scored_once_and_the_last_one_at_the_end(
    config: RunConfig, frames: list[StudyFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, rounds=replace(config.rounds, num_rounds=1))
    work = RoundWork(config=config, flow_identity="")
    newest: list[Committed] = []
    monkeypatch.setattr(validation, "last_checkpoint", lambda work: newest[-1] if newest else None)
    monkeypatch.setattr(validation, "LOOK_EVERY_S", 0.01)
    told: list[Scores] = []
    validator = Validator(config, work, frames, "mean_iou", told.append)
    with validator:
        for step in (3, 5):
            newest.append(Committed(saved(config, tmp_path / f"at-{step}", step)))
            deadline = time.monotonic() + 60
            while (not told or told[-1]["step"] < step) and time.monotonic() < deadline:
                time.sleep(0.02)
    assert [scores["step"] for scores in told] == [3.0, 5.0]
    assert all(0 <= scores["mean_iou"] <= 1 for scores in told)

    store = Store(config.root)
    store.upload(saved(config, tmp_path / "end", 6), "rounds/1/net")
    store.write_json(promotion_file(1), {"checkpoint": "rounds/1/net"})
    last = validator.final()
    assert last["step"] == 6.0
    assert validator.curve == [(int(scores["step"]), scores["mean_iou"]) for scores in [*told, last]]


def test_steps_count_over_all_rounds(config: RunConfig, frames: list[StudyFrame], tmp_path: Path) -> None:
    store = Store(config.root)
    store.upload(saved(config, tmp_path / "end", config.train.num_steps), "rounds/2/net")
    store.write_json(promotion_file(2), {"checkpoint": "rounds/2/net"})
    validator = Validator(config, RoundWork(config=config, flow_identity=""), frames, "agreement", lambda scores: None)
    assert validator.final()["step"] == 2 * config.train.num_steps


def test_a_damaged_checkpoint_fails_the_trial(
    config: RunConfig, frames: list[StudyFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(config, tmp_path / "bad", 3)
    (folder / "model.safetensors").write_bytes(b"no weights")
    monkeypatch.setattr(validation, "last_checkpoint", lambda work: Committed(folder))
    monkeypatch.setattr(validation, "LOOK_EVERY_S", 0.01)
    validator = Validator(config, RoundWork(config=config, flow_identity=""), frames, "mean_iou", lambda scores: None)
    with pytest.raises(WeightsError), validator:
        time.sleep(1.0)


def test_a_checkpoint_that_goes_with_its_round_is_passed_over(
    config: RunConfig, frames: list[StudyFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = saved(config, tmp_path / "going", 3)
    (going / "model.safetensors").unlink()
    Store(config.root).write_json(promotion_file(1), {})
    Store(config.root).write_json(promotion_file(2), {})
    monkeypatch.setattr(validation, "last_checkpoint", lambda work: Committed(going))
    monkeypatch.setattr(validation, "LOOK_EVERY_S", 0.01)
    told: list[Scores] = []
    with Validator(config, RoundWork(config=config, flow_identity=""), frames, "mean_iou", told.append):
        time.sleep(0.5)
    assert told == []


def test_a_checkpoint_that_was_replaced_meanwhile_is_passed_over(
    config: RunConfig, frames: list[StudyFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = SimpleNamespace(path=str(tmp_path / "gone"), as_directory=Committed(tmp_path / "gone").as_directory)
    looks = itertools.chain([gone], itertools.repeat(None))
    monkeypatch.setattr(validation, "last_checkpoint", lambda work: next(looks))
    monkeypatch.setattr(validation, "LOOK_EVERY_S", 0.01)
    told: list[Scores] = []
    with Validator(config, RoundWork(config=config, flow_identity=""), frames, "mean_iou", told.append):
        time.sleep(0.2)
    assert told == []
