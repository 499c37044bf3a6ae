from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data import sample
from eisen_ray.data.frames import Quarantined, probe_clip, read_frames, try_probe
from eisen_ray.data.layouts import list_clips, list_held_out, list_scored
from eisen_ray.data.masks import read_masks
from eisen_ray.errors import DataError
from tests.video_files import frame_files, moving_frames, picture_bytes, video_bytes, write


def test_the_sample_is_in_the_package() -> None:
    train, val = list_clips("sample", ""), list_held_out("sample", "")
    assert (len(train), len(val)) == (160, 32)
    assert train[0].clip_id == "train/clip_000"
    assert train[0].uris == ("sample://train/clip_000.mp4",)
    assert all(clip.masks == () and clip.split == "train" for clip in train)
    assert all(len(clip.masks) == 1 and clip.split == "val" for clip in val)
    probe = probe_clip(val[3])
    assert (probe.num_frames, probe.height, probe.width) == (8, 256, 256)
    assert read_frames(val[3], 2, 3).shape == (3, 256, 256, 3)
    masks = read_masks(val[3], [0, 7])
    assert masks.shape == (2, 256, 256)
    assert sample.ARM_ID == val[3].meta["arm_id"] == 1
    assert 1 in masks


@pytest.mark.slow
def test_every_sample_clip_is_usable() -> None:
    probes = [try_probe(clip) for clip in [*sample.list_clips(), *sample.held_out()]]
    assert [probe for probe in probes if isinstance(probe, Quarantined)] == []


def test_a_sample_elsewhere(tmp_path) -> None:
    film = video_bytes("mp4", moving_frames(3))
    source = write(tmp_path, {"train/a.mp4": film, "val/b.mp4": film})
    assert [clip.clip_id for clip in list_clips("sample", source)] == ["train/a"]
    assert [clip.clip_id for clip in list_held_out("sample", source)] == ["val/b"]


def test_evaluation_is_the_own_split_or_the_given_source(tmp_path) -> None:
    film = video_bytes("mp4", moving_frames(3))
    train, held_out = write(tmp_path / "train", {"a.mp4": film}), write(tmp_path / "held_out", {"b.mp4": film})
    assert list_held_out("videos", train) == []
    assert [(clip.clip_id, clip.split) for clip in list_held_out("videos", train, held_out)] == [("b", "val")]
    frames = write(tmp_path / "frames", frame_files("c", np.zeros((2, 8, 8, 3), np.uint8)))
    assert [clip.clip_id for clip in list_clips("frames", frames)] == ["c"]


def test_what_is_scored(tmp_path) -> None:
    assert [clip.split for clip in list_scored("sample", "")] == ["val"] * 32
    assert len(list_scored("sample", "", "train")) == 160
    film = video_bytes("mp4", moving_frames(3))
    films = write(tmp_path / "films", {"a.mp4": film, "b.mp4": film})
    assert len(list_scored("videos", films)) == 2
    assert list_scored("videos", films, "val") == []
    still = picture_bytes(moving_frames(1)[0])
    trials = [f"model_split_{split}/000{digit}" for split, digit in ((0, 1), (0, 9), (7, 9))]
    trials = write(tmp_path / "trials", {f"images/{trial}/frame0.png": still for trial in trials})
    ids = {split: [clip.clip_id[-6:] for clip in list_scored("playroom", trials, split)] for split in ("auto", "all")}
    assert ids == {"auto": ["0/0009"], "all": ["0/0001", "0/0009", "7/0009"]}
    late = write(tmp_path / "late", {"images/model_split_7/0009/frame0.png": still})
    assert [clip.clip_id for clip in list_scored("playroom", late)] == ["model_split_7/0009"]
    bridge = write(tmp_path / "bridge", {f"t/raw/traj_group0/traj{j}/images0/im_0.jpg": still for j in range(3)})
    assert len(list_scored("bridge", bridge)) == len(list_scored("bridge", bridge, "all")) == 3
    assert list_scored("bridge", bridge, "test") == []
    with pytest.raises(DataError, match="'videos' has no test split"):
        list_scored("videos", films, "test")


def test_unknown_layouts_are_errors() -> None:
    with pytest.raises(DataError, match=r"Layout 'tfds' is not known; expected one of sample, videos"):
        list_clips("tfds", "x")
