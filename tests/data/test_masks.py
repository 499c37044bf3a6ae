"""Ids from mask pictures and archives, one rule at a time; the layouts' tests read them beside their frames."""

from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data.clips import Clip
from eisen_ray.data.masks import (
    check_masks,
    colour_ids,
    decode_mask,
    masked_frames,
    read_archive,
    read_masks,
    resize_masks,
    segment_ids,
)
from eisen_ray.errors import DataError
from tests.video_files import archive_bytes, picture_bytes, write

IDS = np.array([[0, 1, 2], [255, 4, 0]], np.uint8)
COLOURS = np.array([[[0, 0, 0], [0, 0, 9], [1, 0, 0]], [[0, 0, 9], [0, 7, 0], [0, 0, 0]]], np.uint8)


def test_colour_ids_put_red_first() -> None:
    assert colour_ids(np.array([[1, 2, 3], [255, 255, 255]], np.uint8)).tolist() == [66051, 2**24 - 1]


def test_segment_ids_count_from_one_in_order_of_colour() -> None:
    ids = segment_ids(np.array([[0, 900, 5], [900, 70000, 42]]), zone_id=42)
    assert (ids.tolist(), ids.dtype) == ([[0, 2, 1], [2, 3, 0]], np.uint16)
    assert segment_ids(np.zeros((2, 2), int), 0).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("content", "mask_format", "expected"),
    [
        (picture_bytes(IDS), "ids", IDS),
        (picture_bytes(IDS, mode="P"), "ids", IDS),
        (picture_bytes(IDS.astype(np.uint16) * 200), "ids", IDS.astype(int) * 200),
        (picture_bytes(IDS > 0), "ids", IDS > 0),
        (picture_bytes(COLOURS), "ids", [[0, 1, 3], [1, 2, 0]]),
        (picture_bytes(IDS), "davis", IDS > 0),
        (picture_bytes(IDS, mode="P"), "davis", IDS),
        (picture_bytes((IDS > 0) * np.uint8(255), mode="P"), "davis", IDS > 0),
        (picture_bytes(COLOURS), "davis", [[0, 1, 1], [1, 1, 0]]),
        (picture_bytes(COLOURS), "playroom", [[0, 1, 2], [1, 0, 0]]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pictures_are_read_by_their_format(content, mask_format, expected) -> None:
    zone_id = 7 * 256 if mask_format == "playroom" else None
    mask = decode_mask(content, "x.png", mask_format, zone_id)
    assert mask.dtype == np.uint16
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize(
    ("content", "mask_format", "zone_id", "reason"),
    [
        (b"", "ids", None, "cannot be decoded"),
        (picture_bytes(IDS)[:50], "ids", None, "cannot be decoded"),
        (picture_bytes(COLOURS), "playroom", None, "names no zone id"),
        (picture_bytes(IDS), "playroom", 3, "not an RGB picture"),
    ],
)
def test_unreadable_pictures_are_named(content, mask_format, zone_id, reason) -> None:
    with pytest.raises(DataError, match=rf"^x\.png: .*{reason}"):
        decode_mask(content, "x.png", mask_format, zone_id)


def test_an_archive_is_its_array_masks_or_its_only_one(tmp_path) -> None:
    masks = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
    files = {"named.npz": archive_bytes(masks=masks, other=masks[0]), "only.npz": archive_bytes(anything=masks > 5)}
    source = write(tmp_path, files)
    named, only = read_archive(f"{source}/named.npz"), read_archive(f"{source}/only.npz")
    assert named.dtype == only.dtype == np.uint16
    assert np.array_equal(named, masks)
    assert np.array_equal(only, masks > 5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive_bytes(a=np.zeros((1, 2, 2), int), b=np.zeros((1, 2, 2), int)), r"holds the arrays \['a', 'b'\]"),
        (archive_bytes(masks=np.zeros((2, 2), int)), r"shape \(2, 2\)"),
        (archive_bytes(masks=np.zeros((1, 2, 2))), "float64; expected whole numbers"),
        (archive_bytes(masks=np.full((1, 2, 2), 65536)), "expected 0..65535"),
        (b"PK", "cannot be read"),
    ],
)
def test_wrong_archives_are_named(tmp_path, content, reason) -> None:
    with pytest.raises(DataError, match=rf"m\.npz: .*{reason}"):
        read_archive(write(tmp_path, {"m.npz": content}) + "/m.npz")


def sparse(tmp_path, files: dict[str, bytes], count: int = 4) -> Clip:
    """A clip of `count` frames whose masks are the files `<frame>.png` given."""
    source = write(tmp_path, files)
    masks = tuple(f"{source}/{frame}.png" if f"{frame}.png" in files else "" for frame in range(count))
    return Clip("a", "frames", tuple(f"{frame}.png" for frame in range(count)), masks)


def test_frames_without_a_mask_are_empty_and_none_at_all_is_none(tmp_path) -> None:
    clip = sparse(tmp_path, {"1.png": picture_bytes(IDS), "2.png": picture_bytes(IDS + 1)})
    assert masked_frames(clip, [0, 1, 2, 3, 9]) == [1, 2]
    assert np.array_equal(read_masks(clip, [2, 0, 1]), np.stack([IDS + 1, 0 * IDS, IDS]))
    assert read_masks(clip, [0, 3]) is None
    assert read_masks(Clip("a", "video", ("a.mp4",)), [0]) is None


def test_masks_of_different_sizes_do_not_fit_together(tmp_path) -> None:
    clip = sparse(tmp_path, {"1.png": picture_bytes(IDS), "2.png": picture_bytes(IDS[:1])})
    with pytest.raises(DataError, match=r"sizes \[\(1, 3\), \(2, 3\)\]"):
        read_masks(clip, [1, 2])


def test_masks_are_checked_against_the_frames(tmp_path) -> None:
    clip = sparse(tmp_path, {"1.png": picture_bytes(IDS)})
    check_masks(clip, 4, 2, 3)
    with pytest.raises(DataError, match="mask of 3x2, frames of 6x4"):
        check_masks(clip, 4, 4, 6)
    with pytest.raises(DataError, match="mask 3 of a clip of 3 frames"):
        check_masks(clip, 3, 2, 3)


def test_an_archive_must_fit_frame_by_frame(tmp_path) -> None:
    source = write(tmp_path, {"m.npz": archive_bytes(masks=np.stack([IDS] * 4))})
    clip = Clip("a", "video", ("a.mp4",), (f"{source}/m.npz",))
    check_masks(clip, 4, 2, 3)
    assert masked_frames(clip, [0, 3]) == [0, 3]
    for shape in ((5, 2, 3), (4, 3, 2)):
        with pytest.raises(DataError, match=r"masks of shape \(4, 2, 3\)"):
            check_masks(clip, *shape)
    with pytest.raises(DataError, match="4 masks; expected at least 6"):
        read_masks(clip, [0, 5])


@pytest.mark.parametrize(("height", "width"), [(2, 3), (4, 6), (1, 1), (3, 2), (20, 30)])
def test_resizing_takes_the_pixel_under_each_centre(height, width) -> None:
    masks = np.arange(6, dtype=np.uint16).reshape(1, 2, 3) * 10000
    resized = resize_masks(masks, height, width)
    assert (resized.shape, resized.dtype) == ((1, height, width), np.uint16)
    for y in range(height):
        for x in range(width):
            assert resized[0, y, x] == masks[0, int((y + 0.5) * 2 / height), int((x + 0.5) * 3 / width)]
