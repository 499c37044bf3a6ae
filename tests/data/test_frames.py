"""Sizes, windows and probes of clips; the layouts' own tests read whole folders and films."""

from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data.clips import Clip, problem_clip
from eisen_ray.data.frames import Probe, Quarantined, count_frames, probe_clip, read_frames, resize, try_probe
from eisen_ray.errors import DataError
from tests.video_files import frame_files, moving_frames, picture_bytes, write

FRAMES = moving_frames(7, 24, 32)


@pytest.fixture
def clip(tmp_path) -> Clip:
    source = write(tmp_path, frame_files("a", FRAMES))
    return Clip("a", "frames", tuple(f"{source}/a/{number:05d}.png" for number in range(7)))


@pytest.mark.parametrize(("start", "count", "stride"), [(0, 1, 1), (0, 7, 1), (2, 3, 2), (6, 1, 9), (0, 3, 3)])
def test_windows_hold_the_frames_asked_for(clip, start, count, stride) -> None:
    frames = read_frames(clip, start, count, stride)
    assert frames.dtype == np.uint8
    assert np.array_equal(frames, FRAMES[start : start + count * stride : stride][:count])


@pytest.mark.parametrize(
    ("start", "count", "stride"), [(6, 2, 1), (0, 4, 3), (7, 1, 1), (-1, 1, 1), (0, 0, 1), (0, 1, 0)]
)
def test_windows_outside_the_clip_are_errors(clip, start, count, stride) -> None:
    with pytest.raises(DataError, match=r"00000\.png: .*(are there|expected)"):
        read_frames(clip, start, count, stride)


def test_a_frame_of_another_size_is_an_error_in_a_window_too(tmp_path, clip) -> None:
    (tmp_path / "a/00004.png").write_bytes(picture_bytes(FRAMES[4][:12]))
    assert read_frames(clip, 0, 4).shape == (4, 24, 32, 3)
    with pytest.raises(DataError, match=r"00004\.png: frame of 32x12, the first is 32x24"):
        read_frames(clip, 3, 2)


def test_grey_and_transparent_pictures_become_colours(tmp_path) -> None:
    grey = np.arange(24 * 32, dtype=np.uint8).reshape(24, 32)
    clear = np.dstack([FRAMES[0], np.full((24, 32), 9, np.uint8)])
    source = write(tmp_path, {"0.png": picture_bytes(grey), "1.png": picture_bytes(clear)})
    frames = read_frames(Clip("a", "frames", (f"{source}/0.png", f"{source}/1.png")), 0, 2)
    assert np.array_equal(frames[0], np.repeat(grey[..., None], 3, axis=2))
    assert np.array_equal(frames[1], FRAMES[0])


def test_a_probe_counts_and_measures(clip) -> None:
    assert probe_clip(clip) == try_probe(clip) == Probe("a", 7, 24, 32)
    assert count_frames(clip) == 7


def test_probes_look_at_every_frame(tmp_path) -> None:
    many = moving_frames(20, 8, 8)
    files = frame_files("a", many) | {"a/00018.png": b"no picture"}
    source = write(tmp_path, files)
    clip = Clip("a", "frames", tuple(f"{source}/a/{number:05d}.png" for number in range(20)))
    with pytest.raises(DataError, match=r"00018\.png: cannot be decoded"):
        probe_clip(clip)


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (problem_clip("a", "video", "no video in this folder"), "no video in this folder"),
        (Clip("a", "frames", ()), "no frames; expected at least 2. Remove the folder or fill it."),
    ],
)
def test_clips_without_frames_are_quarantined_with_their_reason(clip, reason) -> None:
    assert try_probe(clip) == Quarantined("a", "a", reason)
    with pytest.raises(DataError, match="^a: "):
        count_frames(clip)


def test_only_errors_of_the_data_are_caught(clip, monkeypatch) -> None:
    def fail(clip: Clip) -> Probe:
        raise ConnectionResetError("storage is away")

    monkeypatch.setattr("eisen_ray.data.frames.probe_clip", fail)
    with pytest.raises(ConnectionResetError):
        try_probe(clip)


def test_shrinking_is_the_mean_of_each_area() -> None:
    frames = moving_frames(3, 24, 32)
    small = resize(frames, 6, 8)
    assert (small.shape, small.dtype) == ((3, 6, 8, 3), np.uint8)
    means = frames.reshape(3, 6, 4, 8, 4, 3).mean(axis=(2, 4))
    assert np.abs(small - means).max() <= 0.5 + 1e-6


def test_growing_is_linear() -> None:
    ramp = np.repeat(np.arange(0, 240, 40, dtype=np.uint8)[None, None, :, None], 3, axis=3).repeat(4, axis=1)
    large = resize(ramp, 8, 12)[0, :, :, 0]
    assert (np.diff(large[0].astype(int)) >= 0).all()
    assert large[0, 1:-1].tolist() == [10, 30, 50, 70, 90, 110, 130, 150, 170, 190]
    assert (large == large[0]).all()


def test_sides_are_height_then_width_and_channels_keep_their_place() -> None:
    frames = np.zeros((2, 10, 20, 3), np.uint8)
    frames[:, :5, :, 0], frames[:, :, 10:, 2] = 200, 100
    small = resize(frames, 4, 6)
    assert small.shape == (2, 4, 6, 3)
    assert small[0, 0, 0].tolist() == [200, 0, 0]
    assert small[0, -1, -1].tolist() == [0, 0, 100]
    assert resize(frames, 10, 20) is frames
