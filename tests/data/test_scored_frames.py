from __future__ import annotations

import json

import numpy as np
import pytest

from eisen_ray.data import bridge, davis, frame_folders, playroom, videos
from eisen_ray.data.frames import Quarantined
from eisen_ray.data.scored_frames import MaskedClip, check_scored, find_masked, read_scored, read_to_show
from eisen_ray.errors import DataError
from tests.video_files import archive_bytes, frame_files, full_decode, moving_frames, picture_bytes, video_bytes, write

FRAMES = moving_frames(4, 24, 32)
MASKS = np.stack([np.eye(24, 32, k=number, dtype=np.uint8) * (number + 1) for number in range(4)])


def mask_files(folder: str, numbers: list[int], name: str = "{:05d}.png") -> dict[str, bytes]:
    return {f"{folder}/{name.format(number)}": picture_bytes(MASKS[number]) for number in numbers}


def only(found: MaskedClip | Quarantined) -> MaskedClip:
    assert isinstance(found, MaskedClip), found
    return found


def test_frames_with_some_masks(tmp_path) -> None:
    files = frame_files("a", FRAMES) | mask_files("a_masks", [1, 3])
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    found = only(find_masked(clip))
    assert found.frames == [1, 3]
    scored, bad = read_scored(clip, found.frames)
    assert bad == []
    assert [one.frame for one in scored] == [1, 3]
    assert np.array_equal(scored[1].truth, MASKS[3])
    assert np.array_equal(scored[1].image, FRAMES[3])


def test_one_annotated_picture_is_enough(tmp_path) -> None:
    files = frame_files("a", FRAMES[:1]) | mask_files("a_masks", [0])
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    assert len(read_scored(clip, only(find_masked(clip)).frames)[0]) == 1


@pytest.mark.parametrize("kind", ["pictures", "archive"])
def test_video(tmp_path, kind) -> None:
    film = video_bytes("mp4", FRAMES)
    masks = mask_files("masks/deep/v", [0, 2]) if kind == "pictures" else {"deep/v_masks.npz": archive_bytes(m=MASKS)}
    (clip,) = videos.list_clips(write(tmp_path, {"deep/v.mp4": film} | masks))
    found = only(find_masked(clip))
    assert found.frames == ([0, 2] if kind == "pictures" else [0, 1, 2, 3])
    scored, _ = read_scored(found.clip, [2])
    assert np.array_equal(scored[0].image, full_decode(film)[2])
    assert np.array_equal(scored[0].truth, MASKS[2])


@pytest.mark.parametrize("masks", ["folder", "archive", "tree"])
def test_bridge_raw(tmp_path, masks) -> None:
    place = "task/raw/traj_group0/traj0/images0"
    files = (
        frame_files(place, FRAMES, "im_{}.jpg")
        | {
            "folder": mask_files(f"{place}_masks", [2], "im_{}.png"),
            "archive": {f"{place}_masks.npz": archive_bytes(masks=MASKS)},
            "tree": mask_files(f"masks/{place}", [2], "im_{}.png"),
        }[masks]
    )
    (clip,) = bridge.list_clips(write(tmp_path, files))
    assert (clip.clip_id, clip.meta["arm_id"]) == (place, 1)
    assert 2 in only(find_masked(clip)).frames
    assert np.array_equal(read_scored(clip, [2])[0][0].truth, MASKS[2])


def test_playroom_and_a_trial_without_its_second_frame(tmp_path) -> None:
    colours = np.zeros((24, 32, 3), np.uint8)
    colours[4:9, 4:9] = 7
    files: dict[str, bytes] = {"meta.json": json.dumps({
        f"playroom_large_v3_images/model_split_0/000{number}.hdf5": {"zone": 1} for number in range(2)
    }).encode()}  # fmt: skip
    for name in ("model_split_0/0000/frame0", "model_split_0/0001/frame0", "model_split_0/0001/frame1"):
        files |= {f"images/{name}.png": picture_bytes(FRAMES[0]), f"segments/{name}.png": picture_bytes(colours)}
    clips = playroom.every_clip(write(tmp_path, files))
    assert [only(find_masked(clip)).frames for clip in clips] == [[0], [0, 1]]
    assert np.unique(read_scored(clips[0], [0])[0][0].truth).tolist() == [0, 1]


def test_a_bad_mask_costs_one_frame_and_is_named(tmp_path) -> None:
    files = frame_files("a", FRAMES) | mask_files("a_masks", [0, 1, 2, 3])
    files["a_masks/00001.png"] = files["a_masks/00001.png"][:40]
    files["a_masks/00002.png"] = picture_bytes(MASKS[2][:, :20])
    files["a/00003.png"] = b""
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    scored, bad = read_scored(clip, only(find_masked(clip)).frames)
    assert [one.frame for one in scored] == [0]
    reasons = [item.reason for item in bad]
    assert "00001.png: cannot be decoded" in reasons[0]
    assert "mask of 20x24, frame of 32x24; expected the same shape" in reasons[1]
    assert "00003.png: zero-length file" in reasons[2]


def test_a_picture_for_a_sheet_keeps_its_shape_and_its_mask(tmp_path) -> None:
    files = frame_files("a", FRAMES) | mask_files("a_masks", [1, 3])
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    shown = read_to_show(clip, 3, 16)
    assert shown is not None
    assert shown.image.shape == (12, 16, 3)
    assert np.array_equal(shown.truth, MASKS[3])
    assert read_to_show(clip, 2, 16) is None, "it has no mask"


def test_a_mask_may_be_larger_than_its_frame(tmp_path) -> None:
    files = frame_files("a", FRAMES) | {
        "a_masks/00000.png": picture_bytes(np.kron(MASKS[0], np.ones((3, 3), np.uint8)))
    }
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    scored, bad = read_scored(clip, [0])
    assert (bad, scored[0].truth.shape, scored[0].image.shape) == ([], (72, 96), (24, 32, 3))


def test_a_frame_without_a_mask_cannot_be_scored(tmp_path) -> None:
    files = frame_files("a", FRAMES) | mask_files("a_masks", [0])
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    assert read_scored(clip, [2])[1][0].reason.endswith("frame 2 has no mask.")


def test_clips_that_cannot_be_scored(tmp_path) -> None:
    film = video_bytes("mp4", FRAMES)
    source = write(
        tmp_path,
        {
            "none.mp4": film,
            "cut.mp4": film[:200],
            "cut_masks.npz": archive_bytes(masks=MASKS),
            "short.mp4": film,
            "short_masks.npz": archive_bytes(masks=MASKS[:3]),
            "torn.mp4": film,
            "torn_masks.npz": archive_bytes(masks=MASKS)[:99],
        },
    )
    found = {clip.clip_id: find_masked(clip) for clip in videos.list_clips(source)}
    reasons = {name: looked.reason for name, looked in found.items()}
    assert reasons["none"] == "no frame has a mask"
    assert "cannot be" in reasons["cut"]
    assert "3 masks for 4 frames" in reasons["short"]
    assert "torn_masks.npz: cannot be read" in reasons["torn"]


def test_a_listed_sequence_that_is_not_there(tmp_path) -> None:
    files = frame_files("JPEGImages/480p/bear", FRAMES) | mask_files("Annotations/480p/bear", [0])
    files["ImageSets/480p/val.txt"] = b"bear\nlion\n"
    bear, lion = (find_masked(clip) for clip in davis.held_out(write(tmp_path, files)))
    assert only(bear).frames == [0]
    assert "does not have it" in lion.reason


def test_nothing_at_all_is_an_error_that_names_the_first_reasons() -> None:
    check_scored(1, [], "x")
    bad = [Quarantined(f"c{number}", f"c{number}.mp4", "torn") for number in range(7)]
    with pytest.raises(DataError, match=r"(?s)No frame with a usable mask at there.*c0.mp4: torn.*and 2 more"):
        check_scored(0, bad, "there")
