"""The bundled clips: what a first run without any download rests on."""

from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data import sample
from eisen_ray.data.files import open_file
from eisen_ray.data.frames import probe_clip, read_frames
from eisen_ray.data.masks import read_masks
from eisen_ray.errors import DataError
from tests.video_files import archive_bytes, moving_frames, video_bytes, write

FRAMES_PER_CLIP = 8
SIDE = 256


def test_counts_splits_masks_and_arm() -> None:
    train, val = sample.list_clips(), sample.held_out()
    assert [clip.clip_id for clip in train] == [f"train/clip_{number:03d}" for number in range(160)]
    assert [clip.clip_id for clip in val] == [f"val/clip_{number:03d}" for number in range(32)]
    for clip in [*train, *val]:
        assert clip.kind == "video"
        assert clip.meta["arm_id"] == sample.ARM_ID == 1
        assert clip.meta["bytes"] > 0
        assert "problem" not in clip.meta
    assert {clip.split for clip in train} == {"train"}
    assert {clip.split for clip in val} == {"val"}
    assert all(clip.masks == () for clip in train)
    assert all(clip.has_mask_archive for clip in val)


def test_addresses_do_not_depend_on_where_the_package_lies() -> None:
    clips = [*sample.list_clips(), *sample.held_out()]
    assert all(uri.startswith("sample://") for clip in clips for uri in (*clip.uris, *clip.masks))


def test_the_package_stays_small() -> None:
    total = 0
    for clip in [*sample.list_clips(), *sample.held_out()]:
        total += clip.meta["bytes"]
        for uri in clip.masks:
            with open_file(uri) as file:
                total += file.seek(0, 2)
    assert total < 20 * 1024**2, "more would weigh on every install"


@pytest.mark.parametrize("number", [0, 17, 31])
def test_held_out_clips_decode_with_masks_of_the_same_size(number: int) -> None:
    clip = sample.held_out()[number]
    probe = probe_clip(clip)  # checks the masks against the frames
    assert (probe.num_frames, probe.height, probe.width) == (FRAMES_PER_CLIP, SIDE, SIDE)
    masks = read_masks(clip, range(FRAMES_PER_CLIP))
    assert masks.shape == (FRAMES_PER_CLIP, SIDE, SIDE)
    assert (masks == 0).any()


def test_every_held_out_scene_shows_objects_and_most_show_the_arm() -> None:
    arms = 0
    for clip in sample.held_out():
        ids = np.unique(read_masks(clip, [0]))
        assert ids[0] == 0
        assert (ids > sample.ARM_ID).any(), clip.clip_id
        arms += sample.ARM_ID in ids
    assert arms > 16


@pytest.mark.parametrize("number", [0, 80, 159])
def test_training_clips_decode_and_something_moves(number: int) -> None:
    frames = read_frames(sample.list_clips()[number], 0, FRAMES_PER_CLIP)
    assert frames.shape == (FRAMES_PER_CLIP, SIDE, SIDE, 3)
    change = np.abs(np.diff(frames.astype(int), axis=0)).max(axis=(0, 3)) > 30
    assert 0.001 < change.mean() < 0.5, "the camera stands still, the arm does not"


def test_a_source_of_its_own_takes_the_place_of_the_bundled_clips(tmp_path) -> None:
    film = video_bytes("mp4", moving_frames(3))
    masks = archive_bytes(masks=np.ones((3, 48, 64), np.uint8))
    source = write(tmp_path, {"train/a.mp4": film, "val/b.mp4": film, "val/b_masks.npz": masks, "other/c.mp4": film})
    (train,), (val,) = sample.list_clips(source), sample.held_out(source)
    assert (train.clip_id, train.split, train.masks) == ("train/a", "train", ())
    assert (val.clip_id, val.split, val.meta["arm_id"]) == ("val/b", "val", 1)
    assert np.array_equal(read_masks(val, [2]), np.ones((1, 48, 64)))


def test_a_source_without_video_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match="no video"):
        sample.list_clips(write(tmp_path, {"train/readme.txt": b"x"}))
