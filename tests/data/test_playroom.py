from __future__ import annotations

import json

import numpy as np
import pytest

from eisen_ray.data import playroom
from eisen_ray.data.frames import Probe, probe_clip, read_frames, try_probe
from eisen_ray.data.masks import colour_ids, decode_mask, read_masks, segment_ids
from eisen_ray.errors import DataError
from tests.golden_cases import load
from tests.video_files import moving_frames, picture_bytes, write

ZONE, BALL, BOX = (90, 90, 90), (3, 0, 250), (255, 1, 64)
RELEASE = ("segments", ("frame0", "frame1"))
ORIGINAL = ("objects", ("00005", "00006"))


def segments() -> np.ndarray:
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[16:], picture[2:8, 2:8], picture[10:14, 20:30] = ZONE, BALL, BOX
    return picture


def trial(name: str, tree: str = "segments", names: tuple[str, ...] = ("frame0", "frame1")) -> dict[str, bytes]:
    frames = moving_frames(2, 24, 32)
    files = {f"images/{name}/{stem}.png": picture_bytes(frame) for stem, frame in zip(names, frames, strict=True)}
    return files | {f"{tree}/{name}/{stem}.png": picture_bytes(segments()) for stem in names}


def meta(*names: str, zone: object = 90 * 65536 + 90 * 256 + 90) -> dict[str, bytes]:
    entry = {"probe": 1, "target": 2, "distractor": 3, "occluder": 4, "zone": zone, "background": 0, "moving": 1}
    return {"meta.json": json.dumps({f"playroom_large_v3_images/{name}.hdf5": entry for name in names}).encode()}


def test_segment_ids_are_the_authors() -> None:
    case = load("11")
    ids = colour_ids(case["color_chw"].transpose(1, 2, 0))
    assert np.array_equal(ids, case["hash_ids"])
    assert np.array_equal(segment_ids(ids, int(case["zone_id"])), case["segment_ids"])
    picture = picture_bytes(np.ascontiguousarray(case["color_chw"].transpose(1, 2, 0)))
    decoded = decode_mask(picture, "x", "playroom", int(case["zone_id"]))
    assert decoded.dtype == np.uint16
    assert np.array_equal(decoded, case["segment_ids"])


def test_a_picture_without_black_keeps_its_smallest_object() -> None:
    assert segment_ids(np.array([[7, 9], [9, 5]]), zone_id=5).tolist() == [[1, 2], [2, 0]]
    assert segment_ids(np.array([[7, 9], [9, 9]]), zone_id=5).tolist() == [[1, 2], [2, 2]]


@pytest.mark.parametrize(("tree", "names"), [RELEASE, ORIGINAL], ids=["release", "original"])
@pytest.mark.parametrize("zone", [90 * 65536 + 90 * 256 + 90, [90, 90, 90]], ids=["number", "colour"])
def test_a_trial_of_either_layout(tmp_path, tree, names, zone) -> None:
    name = "model_split_2/0017"
    extra = {f"flows/{name}/{names[1]}.npy": b"x", f"images/{name}/00004.png": b"x"}
    (clip,) = playroom.list_clips(write(tmp_path, trial(name, tree, names) | meta(name, zone=zone) | extra))
    assert (clip.clip_id, clip.kind, clip.split) == (name, "playroom", "train")
    assert probe_clip(clip).num_frames == 2
    assert np.array_equal(read_frames(clip, 0, 2), moving_frames(2, 24, 32))
    masks = read_masks(clip, [0, 1])
    expected = np.zeros((24, 32), int)
    expected[2:8, 2:8], expected[10:14, 20:30] = 1, 2
    assert np.array_equal(masks, np.stack([expected, expected]))


def test_train_and_validation_trials(tmp_path) -> None:
    names = [
        "model_split_0/0000",
        "model_split_0/0009",
        "model_split_3/0019",
        "model_split_4/0029",
        "model_split_31/0108",
    ]
    files: dict[str, bytes] = {}
    for name in [*names, "model_split_val/0001"]:
        files |= trial(name)
    source = write(tmp_path, files | meta(*names))
    assert [clip.clip_id for clip in playroom.list_clips(source)] == ["model_split_0/0000", "model_split_31/0108"]
    held_out = playroom.held_out(source)
    assert [(clip.clip_id, clip.split) for clip in held_out] == [
        ("model_split_0/0009", "val"), ("model_split_3/0019", "val"),
    ]  # fmt: skip


def test_a_trial_without_its_second_frame_does_not_move(tmp_path) -> None:
    name = "model_split_0/0009"
    files = {path: content for path, content in trial(name).items() if "frame1" not in path}
    (clip,) = playroom.held_out(write(tmp_path, files | meta(name)))
    first, second = read_frames(clip, 0, 2)
    assert np.array_equal(first, second)
    assert isinstance(try_probe(clip), Probe)


def test_masks_are_optional_and_need_their_zone(tmp_path) -> None:
    name = "model_split_0/0001"
    images = {path: content for path, content in trial(name).items() if path.startswith("images")}
    (clip,) = playroom.list_clips(write(tmp_path / "bare", images))
    assert isinstance(try_probe(clip), Probe)
    assert read_masks(clip, [0]) is None
    (clip,) = playroom.list_clips(write(tmp_path / "zoneless", trial(name) | meta("model_split_0/0002")))
    assert "names no zone id" in try_probe(clip).reason
    grey = {f"segments/{name}/frame0.png": picture_bytes(np.zeros((24, 32), np.uint8))}
    (clip,) = playroom.list_clips(write(tmp_path / "grey", trial(name) | grey | meta(name)))
    assert "not an RGB picture" in try_probe(clip).reason


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"playroom_large_v3_images/a.hdf5": {"zone": "grey"}}', b"\xff"])
def test_a_damaged_meta_file_is_an_error(tmp_path, content) -> None:
    source = write(tmp_path, trial("model_split_0/0001") | {"meta.json": content})
    with pytest.raises(DataError, match=r"meta\.json: cannot be read"):
        playroom.list_clips(source)


def test_another_folder_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match="no images/model_split"):
        playroom.list_clips(write(tmp_path, {"images/model_split_val/0001/frame0.png": b""}))
