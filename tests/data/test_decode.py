"""The two doors of decode.py; files of every kind, damaged ones among them, are in test_videos.py."""

from __future__ import annotations

import av
import numpy as np
import pytest

from eisen_ray.data.decode import ANCHOR_GAP, decode_frames, scan_video
from eisen_ray.errors import DataError
from tests.video_files import full_decode, moving_frames, video_bytes, write

LENGTH = 50


@pytest.fixture(scope="module")
def content() -> bytes:
    return video_bytes("mp4", moving_frames(LENGTH))


@pytest.fixture(scope="module")
def whole(content) -> np.ndarray:
    return full_decode(content)


@pytest.fixture
def film(tmp_path, content) -> str:
    return write(tmp_path, {"film.mp4": content}) + "/film.mp4"


def test_a_scan_finds_what_is_there(film) -> None:
    scan = scan_video(film)
    assert (scan.num_frames, scan.height, scan.width) == (LENGTH, 48, 64)
    assert scan.timestamps_rise
    with av.open(film) as container:
        timestamps = [frame.pts for frame in container.decode(video=0) if frame.key_frame]
    assert [timestamp for _, timestamp in scan.anchors] == timestamps[1:], "the first frame needs no seek"
    numbers = [0, *(number for number, _ in scan.anchors)]
    assert (np.diff(numbers) >= ANCHOR_GAP).all()


def test_seek_points_keep_their_distance(tmp_path) -> None:
    path = tmp_path / "keys.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "1"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in moving_frames(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    assert [number for number, _ in scan_video(str(path)).anchors] == [16, 32]


@pytest.mark.parametrize("numbers", [[0], [49], [0, 1, 2], [7, 19, 20, 21, 40], list(range(LENGTH))])
@pytest.mark.parametrize("is_anchored", [False, True])
def test_frames_come_by_number_with_and_without_a_seek(film, whole, numbers, is_anchored) -> None:
    usable = [anchor for anchor in scan_video(film).anchors if anchor[0] <= numbers[0]]
    anchor = usable[-1] if usable and is_anchored else None
    frames = decode_frames(film, numbers, anchor)
    assert frames.dtype == np.uint8
    assert np.array_equal(frames, whole[numbers])


def test_a_wrong_anchor_costs_time_but_no_frame(film, whole) -> None:
    assert np.array_equal(decode_frames(film, [30, 31], (20, 77_777)), whole[[30, 31]])


def test_frames_that_are_not_there_are_named(film) -> None:
    with pytest.raises(DataError, match=r"film\.mp4: frame 50 is not there; 2 of 3 wanted frames decode"):
        decode_frames(film, [48, 49, 50])
    with pytest.raises(DataError, match=r"frame 60 is not there; 0 of 1"):
        decode_frames(film, [60], scan_video(film).anchors[-1])


@pytest.mark.parametrize(("content", "reason"), [(b"", "zero-length file"), (b"text\n" * 99, "cannot be decoded")])
def test_no_video_is_an_error_of_both_doors(tmp_path, content, reason) -> None:
    path = write(tmp_path, {"film.mp4": content}) + "/film.mp4"
    for read in (scan_video, lambda uri: decode_frames(uri, [0])):
        with pytest.raises(DataError, match=rf"film\.mp4: {reason}"):
            read(path)
