from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data import davis
from eisen_ray.data.frames import Probe, probe_clip, read_frames, try_probe
from eisen_ray.data.masks import read_masks
from eisen_ray.errors import DataError
from tests.shared import SHARED, needs_shared
from tests.video_files import frame_files, moving_frames, picture_bytes, write

FRAMES = moving_frames(3, 24, 32)
BINARY = ((np.arange(24 * 32).reshape(24, 32) % 5 == 0) * 255).astype(np.uint8)
INSTANCES = (np.arange(24 * 32).reshape(24, 32) % 3).astype(np.uint8)


def layout(annotation: bytes, names: tuple[str, ...] = ("bear", "cows", "dog")) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name in names:
        files |= frame_files(f"JPEGImages/480p/{name}", FRAMES, "{:05d}.jpg")
        files |= {f"Annotations/480p/{name}/{number:05d}.png": annotation for number in range(3)}
    return files


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (picture_bytes(BINARY), BINARY > 0),
        (picture_bytes(BINARY, mode="P"), BINARY > 0),
        (picture_bytes(np.repeat(BINARY[..., None], 3, 2)), BINARY > 0),
        (picture_bytes(BINARY // 2), BINARY > 0),
        (picture_bytes(INSTANCES, mode="P"), INSTANCES),
    ],
    ids=["grey", "palette 0/255", "colour", "grey below 255", "palette instances"],
)
def test_annotations_in_every_mode(tmp_path, annotation, expected) -> None:
    clips = davis.list_clips(write(tmp_path, layout(annotation)))
    assert [clip.clip_id for clip in clips] == ["bear", "cows", "dog"]
    assert isinstance(try_probe(clips[0]), Probe)
    masks = read_masks(clips[0], [1])
    assert masks.dtype == np.uint16
    assert np.array_equal(masks[0], expected)


@pytest.mark.parametrize(
    ("folder", "line"), [("480p", "/JPEGImages/480p/{0}/00000.jpg /Annotations/480p/{0}/00000.png"), ("2017", "{0}")]
)
def test_split_lists_of_both_years(tmp_path, folder, line) -> None:
    lists = {"train": ["bear", "cows"], "val": ["dog"]}
    texts = {
        f"ImageSets/{folder}/{split}.txt": "\r\n".join(line.format(name) for name in [*names, *names]).encode() + b"\n"
        for split, names in lists.items()
    }
    source = write(tmp_path, layout(picture_bytes(BINARY)) | texts)
    assert [clip.clip_id for clip in davis.list_clips(source)] == ["bear", "cows"]
    assert [(clip.clip_id, clip.split) for clip in davis.held_out(source)] == [("dog", "val")]


def test_listed_sequences_that_are_missing_are_named(tmp_path) -> None:
    texts = {"ImageSets/480p/val.txt": b"dog\nsoapbox\n"}
    clips = davis.held_out(write(tmp_path, layout(picture_bytes(BINARY)) | texts))
    assert [clip.clip_id for clip in clips] == ["dog", "soapbox"]
    assert "listed in ImageSets for val" in try_probe(clips[1]).reason


def test_without_lists_all_sequences_serve_and_the_annotated_ones_are_scored(tmp_path) -> None:
    files = layout(picture_bytes(BINARY), ("bear",)) | frame_files("JPEGImages/480p/zebra", FRAMES, "{:05d}.jpg")
    source = write(tmp_path, files | {"JPEGImages/1080p/bear/00000.jpg": b""})
    assert [clip.clip_id for clip in davis.list_clips(source)] == ["bear", "zebra"]
    assert [clip.clip_id for clip in davis.held_out(source)] == ["bear"]
    assert read_masks(davis.list_clips(source)[1], [0]) is None


def test_another_folder_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match="no JPEGImages"):
        davis.list_clips(write(tmp_path, {"a.txt": b""}))


@needs_shared("data/davis/DAVIS2016")
def test_real_sequences() -> None:
    clips = {clip.clip_id: clip for clip in davis.list_clips(str(SHARED / "data/davis/DAVIS2016"))}
    assert {name: len(clip.uris) for name, clip in clips.items()} == {
        "blackswan": 50, "bmx-trees": 80, "breakdance": 84, "car-shadow": 40, "dog": 60, "scooter-black": 43,
        "tennis": 70,
    }  # fmt: skip
    assert read_frames(clips["tennis"], 0, 2).shape == (2, 480, 854, 3)
    masks = read_masks(clips["tennis"], [0, 35])
    assert masks.shape == (2, 480, 854)
    assert np.unique(masks).tolist() == [0, 1]
    assert probe_clip(clips["car-shadow"]).num_frames == 40


@needs_shared("data/davis/DAVIS2017-instances")
def test_real_instances(tmp_path) -> None:
    (tmp_path / "JPEGImages").symlink_to(SHARED / "data/davis/DAVIS2016/JPEGImages")
    (tmp_path / "Annotations").symlink_to(SHARED / "data/davis/DAVIS2017-instances/Annotations")
    clips = {clip.clip_id: clip for clip in davis.held_out(str(tmp_path))}
    assert sorted(clips) == ["blackswan", "bmx-trees"]
    assert np.unique(read_masks(clips["bmx-trees"], [0])).tolist() == [0, 1, 2]
    assert np.unique(read_masks(clips["blackswan"], [0])).tolist() == [0, 1]
