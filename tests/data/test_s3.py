"""The readers on s3:// against a local stand-in of the storage, on the loopback interface."""

from __future__ import annotations

import fsspec
import numpy as np
import pytest

from eisen_ray.data import frame_folders, videos
from eisen_ray.data.frames import Quarantined, probe_clip, read_frames, try_probe
from eisen_ray.data.masks import read_masks
from eisen_ray.errors import DataError
from tests.video_files import archive_bytes, frame_files, full_decode, moving_frames, video_bytes

FILM = moving_frames(30)


def test_videos_frames_and_masks_on_s3(bucket) -> None:
    film = video_bytes("mp4", FILM)
    masks = np.arange(30, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 64), np.uint8)
    files = {
        "videos/deep/film.mp4": film,
        "videos/deep/film_masks.npz": archive_bytes(masks=masks),
        "videos/cut.mp4": film[:999],
    }
    files |= frame_files("frames/a", FILM[:3])
    fsspec.filesystem("s3").pipe({f"{bucket}/{name}": content for name, content in files.items()})
    cut, whole = videos.list_clips(f"{bucket}/videos")
    assert (whole.clip_id, whole.uris) == ("deep/film", (f"{bucket}/videos/deep/film.mp4",))
    assert probe_clip(whole).num_frames == 30
    assert np.array_equal(read_frames(whole, 21, 4), full_decode(film)[21:25])
    assert np.array_equal(read_masks(whole, [3, 29]), masks[[3, 29]])
    assert isinstance(try_probe(cut), Quarantined)
    (frames,) = frame_folders.list_clips(f"{bucket}/frames/")
    assert np.array_equal(read_frames(frames, 1, 2), FILM[1:3])
    with pytest.raises(DataError, match="no such folder"):
        videos.list_clips(f"{bucket}/nothing")
