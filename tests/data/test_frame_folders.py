from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data import frame_folders
from eisen_ray.data.frames import Probe, Quarantined, probe_clip, read_frames, resize, try_probe
from eisen_ray.data.masks import masked_frames, read_masks, resize_masks
from eisen_ray.errors import DataError
from tests.video_files import archive_bytes, frame_files, moving_frames, picture_bytes, write

FRAMES = moving_frames(12, 24, 32)
MASK = (np.arange(24 * 32).reshape(24, 32) % 9).astype(np.uint8)


def test_every_folder_with_pictures_is_a_clip_in_natural_order(tmp_path) -> None:
    files = frame_files("b/cam1", FRAMES, "im_{}.png") | frame_files("a", FRAMES[:3], "im_{}.jpg")
    clips = frame_folders.list_clips(write(tmp_path, files))
    assert [clip.clip_id for clip in clips] == ["a", "b/cam1"]
    assert [uri.rsplit("/", 1)[1] for uri in clips[1].uris] == [f"im_{number}.png" for number in range(12)]
    probe = probe_clip(clips[1])
    assert (probe.num_frames, probe.height, probe.width) == (12, 24, 32)
    assert np.array_equal(read_frames(clips[1], 3, 4, 2), FRAMES[3:10:2])
    assert np.array_equal(read_frames(clips[1].narrowed(3, 10), 3, 4, 2), FRAMES[3:10:2])
    assert len(clips[1].narrowed(3, 10).uris) == 7
    with pytest.raises(DataError, match=r"frames 2..5 asked for, 3..9 are there"):
        read_frames(clips[1].narrowed(3, 10), 2, 4)


def test_one_folder_of_frames_is_a_source(tmp_path) -> None:
    source = write(tmp_path / "my clip", frame_files(".", FRAMES[:3]))
    (clip,) = frame_folders.list_clips(source)
    assert (clip.clip_id, len(clip.uris)) == ("my clip", 3)


@pytest.mark.parametrize("place", ["a_masks", "masks/a"])
def test_masks_bear_the_names_of_frames_and_may_be_sparse(tmp_path, place) -> None:
    files = frame_files("a", FRAMES, "im_{}.jpg") | {f"{place}/im_10.png": picture_bytes(MASK, mode="P")}
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    assert isinstance(try_probe(clip), Probe)
    assert masked_frames(clip, range(12)) == [10]
    for subject in (clip, clip.narrowed(8, 12)):
        assert np.array_equal(read_masks(subject, [9, 10]), np.stack([0 * MASK, MASK]))
        assert read_masks(subject, [8, 9]) is None


def test_an_archive_holds_all_masks(tmp_path) -> None:
    masks = np.stack([MASK + number for number in range(12)])
    files = frame_files("a", FRAMES) | {"a_masks.npz": archive_bytes(anything=masks)}
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    assert isinstance(try_probe(clip), Probe)
    assert np.array_equal(read_masks(clip.narrowed(8, 12), [9, 10]), masks[9:11])


def test_colour_masks_are_numbered(tmp_path) -> None:
    colours = np.array([[[0, 0, 0], [9, 0, 0]], [[0, 9, 0], [9, 0, 0]]], np.uint8)
    frames = FRAMES[:2, :2, :2]
    files = frame_files("a", frames) | {"masks/a/00000.png": picture_bytes(colours)}
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    assert read_masks(clip, [0])[0].tolist() == [[0, 2], [1, 2]]


def test_sixteen_bit_masks_keep_their_ids(tmp_path) -> None:
    mask = MASK.astype(np.uint16) * 1000
    files = frame_files("a", FRAMES[:2]) | {"masks/a/00001.png": picture_bytes(mask)}
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    assert np.array_equal(read_masks(clip, [1])[0], mask)


def test_unusable_folders_are_named(tmp_path) -> None:
    whole = picture_bytes(FRAMES[0], "JPEG")
    small = picture_bytes(FRAMES[0, :12, :16])
    mixed = frame_files("mixed", FRAMES[:3]) | {"mixed/00003.png": small}
    files = (
        frame_files("good", FRAMES[:3])
        | mixed
        | frame_files("one", FRAMES[:1])
        | frame_files("cut", FRAMES[:3], "{}.jpg")
        | {"cut/1.jpg": whole[: len(whole) // 2]}
        | frame_files("zero", FRAMES[:3])
        | {"zero/00001.png": b""}
        | frame_files("text", FRAMES[:3])
        | {"text/00001.png": b"no picture"}
        | frame_files("small_mask", FRAMES[:3])
        | {"masks/small_mask/00000.png": small}
        | frame_files("strange_mask", FRAMES[:3])
        | {"masks/strange_mask/00007.png": picture_bytes(MASK)}
        | {
            "deep/00000.png": picture_bytes(MASK.astype(np.uint16)),
            "deep/00001.png": picture_bytes(MASK.astype(np.uint16)),
        }
        | {"notes/readme.txt": b"x"}
    )
    clips = frame_folders.list_clips(write(tmp_path, files))
    reasons = {clip.clip_id: getattr(try_probe(clip), "reason", None) for clip in clips}
    expected = {
        "good": None,
        "mixed": "00003.png: frame of 16x12, the first is 32x24",
        "one": "1 frame",
        "cut": "1.jpg: cannot be decoded",
        "zero": "00001.png: zero-length file",
        "text": "00001.png: cannot be decoded",
        "small_mask": "mask of 16x12, frames of 32x24",
        "strange_mask": "1 of 1 masks fit none of 3 frames (the first: 00007)",
        "deep": "more than 8 bits",
        "notes": "no picture in this folder",
    }
    assert reasons.keys() == expected.keys()
    for name, part in expected.items():
        assert (reasons[name] is None) if part is None else (part in reasons[name]), name


def test_a_file_that_vanished_is_named(tmp_path) -> None:
    (clip,) = frame_folders.list_clips(write(tmp_path, frame_files("a", FRAMES[:3])))
    (tmp_path / "a/00001.png").unlink()
    probe = try_probe(clip)
    assert isinstance(probe, Quarantined)
    assert "00001.png: cannot be read (FileNotFoundError)" in probe.reason
    with pytest.raises(DataError, match="00001"):
        read_frames(clip, 0, 2)


def test_a_source_without_frames_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match=r"no frame among 1 files.*data\.layout"):
        frame_folders.list_clips(write(tmp_path, {"a.mp4": b""}))
    assert frame_folders.held_out(str(tmp_path)) == []


def test_shrinking_averages_and_masks_keep_their_ids() -> None:
    checks = np.indices((8, 8)).sum(0) % 2 * 255
    frames = np.repeat(checks[None, :, :, None], 3, axis=3).astype(np.uint8)
    assert np.isin(resize(frames, 4, 4), (127, 128)).all()
    assert resize(frames, 8, 8) is frames
    assert resize(frames, 16, 12).shape == (1, 16, 12, 3)
    masks = np.array([[[1, 2], [3, 40000]]], np.uint16)
    assert resize_masks(masks, 4, 4)[0].tolist() == [[1, 1, 2, 2]] * 2 + [[3, 3, 40000, 40000]] * 2
    assert resize_masks(np.arange(36, dtype=np.uint16).reshape(1, 6, 6), 2, 2)[0].tolist() == [[7, 10], [25, 28]]
