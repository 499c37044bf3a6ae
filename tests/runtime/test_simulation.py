from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from eisen_ray.data.frames import probe_clip
from eisen_ray.data.index import build_index, select_clips
from eisen_ray.data.layouts import list_clips, list_held_out
from eisen_ray.data.masks import read_masks
from eisen_ray.errors import ConfigError, DataError
from eisen_ray.runtime import simulation
from eisen_ray.runtime.decoding import DecodeFragment
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.simulation import Plan, generate, make_and_store, recorded_renderer
from eisen_ray.runtime.storage import Store
from eisen_ray.worlds.clip_settings import ClipSettings

SETTINGS = ClipSettings(size=48, frames=4)

needs_mujoco = pytest.mark.skipif(find_spec("mujoco") is None, reason="the extra `sim` (MuJoCo) is not installed")


def plan(root: Path, world: str = "bridge", **clips: int) -> Plan:
    return Plan(world, str(root), clips, 0, SETTINGS)


def contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def make(plan: Plan) -> int:
    return generate(plan, 2, Reporter(Store(plan.root)))


@needs_mujoco
@pytest.mark.parametrize("world", ["bridge", "playroom"])
def test_a_data_set_is_made_in_parallel_and_read_as_real_data(ray_cluster, tmp_path, monkeypatch, world: str) -> None:
    # Two clips a process: processes end and begin during the run.
    monkeypatch.setattr(simulation, "CLIPS_PER_PROCESS", 2)
    assert make(plan(tmp_path / "a", world, train=3, val=1, test=0)) == 4
    made = contents(tmp_path / "a")
    assert make(plan(tmp_path / "a", world, train=3, val=1, test=0)) == 0, "all is there"
    # The same clips by another way, in this process: equal files.
    for split, count in (("train", 3), ("val", 1)):
        for index in range(count):
            make_and_store(plan(tmp_path / "b", world), split, index)
    again = contents(tmp_path / "b")
    assert again == {name: made[name] for name in again}
    assert {Path(name).name for name in made.keys() - again.keys()} <= {"simulation.json", "meta.json"}
    check_reading(tmp_path / "a", world)


def check_reading(root: Path, world: str) -> None:
    train, val = str(root / "train"), str(root / "val")
    clips, held_out = list_clips(world, train), list_held_out(world, train, val)
    assert {clip.split for clip in clips} == {"train"}
    assert {clip.split for clip in held_out} == {"val"}
    assert len(clips) == (3 if world == "bridge" else 6)
    selected = select_clips(held_out, 0)
    index = build_index(selected, {clip.clip_id: probe_clip(clip) for clip in selected}, fragment_frames=2)
    assert not index.quarantine
    fragment = index.fragments[0]
    row = DecodeFragment(flow_size=(64, 64), image_size=(32, 32))({"fragment": fragment.to_json(), "error": ""})
    assert row["error"] == ""
    assert row["frames"].shape == (2, 64, 64, 3)
    assert row["images"].shape == (1, 32, 32, 3)
    assert np.unique(read_masks(fragment.clip, fragment.frames)).size > 2


@needs_mujoco
def test_a_killed_run_goes_on_and_half_a_clip_never_counts(tmp_path: Path, ray_cluster, monkeypatch) -> None:
    whole = plan(tmp_path, train=2)
    assert make(whole) == 2
    before = contents(tmp_path)
    clip = tmp_path / "train/raw/traj_group0/traj1"
    # What a kill in the middle of writing leaves: a hidden folder with some of the files, no clip.
    clip.rename(clip.parent / ".traj1.0badcafe")
    (clip.parent / ".traj1.0badcafe/clip.json").unlink()
    assert [each.clip_id for each in list_clips("bridge", str(tmp_path / "train"))] == ["raw/traj_group0/traj0/images0"]
    assert make(whole) == 1
    after = {name: digest for name, digest in contents(tmp_path).items() if "/." not in name}
    assert after == before


@needs_mujoco
def test_playroom_counts_a_clip_when_its_images_are_there(tmp_path: Path, monkeypatch) -> None:
    written: list[str] = []
    original = Store.write_folder

    def die_before_images(store: Store, path: str, files: dict) -> None:
        if "/images/" in path and not written:
            written.append(path)
            raise KeyboardInterrupt
        original(store, path, files)

    monkeypatch.setattr(Store, "write_folder", die_before_images)
    with pytest.raises(KeyboardInterrupt):
        make_and_store(plan(tmp_path, "playroom"), "train", 0)
    with pytest.raises(DataError):
        list_clips("playroom", str(tmp_path / "train"))
    make_and_store(plan(tmp_path, "playroom"), "train", 0)
    assert len(list_clips("playroom", str(tmp_path / "train"))) == 2


@needs_mujoco
def test_another_data_set_at_the_root_is_refused(tmp_path: Path, ray_cluster) -> None:
    first = plan(tmp_path, train=1)
    make(first)
    assert recorded_renderer(first.root) == "classic"
    for other, message in (
        (replace(first, seed=1), "seed: 0 -> 1"),
        (replace(first, world="playroom"), "world: 'bridge' -> 'playroom'"),
        (replace(first, settings=replace(SETTINGS, size=64)), "settings.size: 48 -> 64"),
    ):
        with pytest.raises(ConfigError, match=message):
            make(other)


@needs_mujoco
def test_a_smaller_number_later_keeps_the_zones_of_all_trials(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for count in (3, 1):
        simulation._missing(store, plan(tmp_path, "playroom"), "val", count)
    assert len(json.loads((tmp_path / "val/meta.json").read_text())) == 6


@needs_mujoco
def test_clips_go_to_any_storage(tmp_path: Path) -> None:
    root = f"memory://simulated-{os.getpid()}"
    make_and_store(Plan("bridge", root, {}, 0, SETTINGS), "train", 0)
    make_and_store(plan(tmp_path), "train", 0)
    remote, local = Store(root), Store(str(tmp_path))
    names = local.files("train")
    assert remote.files("train") == names
    assert all(remote.read(f"train/{name}") == local.read(f"train/{name}") for name in names)
    assert len(list_clips("bridge", f"{root}/train")) == 1


@pytest.mark.parametrize(
    ("world", "clips", "settings", "message"),
    [
        ("bridge", {"train": 0, "val": 0}, SETTINGS, "expected at least one"),
        ("bridge", {"train": 5, "val": -1}, SETTINGS, "none below 0"),
        ("playroom", {"train": 1}, replace(SETTINGS, frames=5), "frames is 5"),
        ("playroom", {"train": 1}, replace(SETTINGS, arm_meshes="x"), "for the world 'bridge' only"),
        ("bridge", {"train": 1}, replace(SETTINGS, arm_meshes="x"), "does not exist"),
    ],
)
def test_a_plan_is_checked_before_any_work(world: str, clips: dict, settings: ClipSettings, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        Plan(world, "anywhere", clips, 0, settings).check()
