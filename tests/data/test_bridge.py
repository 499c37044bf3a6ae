from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data import bridge
from eisen_ray.data.frames import probe_clip, read_frames
from eisen_ray.data.masks import read_masks
from eisen_ray.errors import DataError
from tests.shared import SHARED, needs_shared
from tests.video_files import frame_files, moving_frames, write

FRAMES = moving_frames(12, 24, 32)
TASK = "bridge_data_v1/berkeley/toykitchen1/put_banana/00/raw"


def test_all_cameras_of_all_trajectories_and_no_depth(tmp_path) -> None:
    files: dict[str, bytes] = {}
    for place in (
        "traj_group0/traj0/images0",
        "traj_group0/traj0/images1",
        "traj_group0/traj10/images0",
        "traj_group1/traj2/images2",
    ):
        files |= frame_files(f"{TASK}/{place}", FRAMES, "im_{}.jpg")
    files |= frame_files(f"{TASK}/traj_group0/traj0/depth_images0", FRAMES, "im_{}.png")
    files |= {f"{TASK}/traj_group0/traj0/policy_out.pkl": b"x", f"{TASK}/traj_group0/traj0/images0/preview.gif": b"x"}
    source = write(tmp_path, files)
    clips = bridge.list_clips(source)
    assert [clip.clip_id.removeprefix(TASK) for clip in clips] == [
        "/traj_group0/traj0/images0", "/traj_group0/traj0/images1", "/traj_group0/traj10/images0",
        "/traj_group1/traj2/images2",
    ]  # fmt: skip
    assert [uri.rsplit("/", 1)[1] for uri in clips[0].uris] == [f"im_{number}.jpg" for number in range(12)]
    assert clips[0].masks == ()
    assert bridge.held_out(source) == []
    below = bridge.list_clips(f"{source}/{TASK}")
    assert below[0].clip_id == "traj_group0/traj0/images0"


def test_the_authors_groups_are_held_out_when_all_397_are_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bridge, "NUM_GROUPS", 30)
    files: dict[str, bytes] = {}
    for number in range(30):
        files |= {f"task_{number:02d}/raw/traj_group0/traj0/images0/im_{frame}.jpg": b"x" for frame in range(2)}
    source = write(tmp_path, files)

    def numbers(clips):
        return [int(clip.clip_id[5:7]) for clip in clips]

    assert numbers(bridge.held_out(source)) == [19]
    assert numbers(bridge.held_out(source, "test")) == [5, 7]
    assert numbers(bridge.list_clips(source)) == [number for number in range(30) if number not in (5, 7, 19)]


def test_the_authors_numbers() -> None:
    assert (len(bridge.VAL_GROUPS), len(bridge.TEST_GROUPS), bridge.VAL_GROUPS & bridge.TEST_GROUPS) == (25, 25, set())
    assert max(bridge.VAL_GROUPS | bridge.TEST_GROUPS) < bridge.NUM_GROUPS
    assert bridge.NUM_GROUPS - len(bridge.VAL_GROUPS | bridge.TEST_GROUPS) == 347


def test_another_folder_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match=r"no raw/traj_group.*not TFDS"):
        bridge.list_clips(write(tmp_path, {"images0/im_0.jpg": b""}))


@needs_shared("data/robot/bridgedata_raw")
def test_real_trajectories() -> None:
    clips = bridge.list_clips(str(SHARED / "data/robot/bridgedata_raw"))
    assert len(clips) == 11
    clip = next(clip for clip in clips if "put_banana_on_plate" in clip.clip_id)
    probe = probe_clip(clip)
    assert (probe.num_frames, probe.height, probe.width) == (30, 240, 320)
    assert clip.uris[2].endswith("/im_2.jpg")
    assert read_frames(clip, 28, 2).shape == (2, 240, 320, 3)


def test_simulated_trajectories_bring_masks(tmp_path) -> None:
    place = f"{TASK}/traj_group0/traj0"
    ids = np.arange(12 * 24 * 32, dtype=np.uint8).reshape(12, 24, 32) % 3
    source = write(
        tmp_path,
        frame_files(f"{place}/images0", FRAMES, "im_{}.png")
        | frame_files(f"{place}/images0_masks", ids, "im_{}.png")
        | frame_files(f"{TASK}/traj_group0/traj1/images0", FRAMES, "im_{}.png"),
    )
    clip, without = bridge.list_clips(source)
    assert clip.meta["arm_id"] == bridge.ARM_ID == 1
    np.testing.assert_array_equal(read_masks(clip, range(12)), ids)
    assert without.masks == ()
    assert "arm_id" not in without.meta
