"""Video files through PyAV: what really decodes, and exact windows of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from eisen_ray.data.files import open_file
from eisen_ray.errors import DataError

ANCHOR_GAP = 16
"""Frames between two seek points at least: a seek costs about as much as decoding a few frames."""
DURATION_SLACK_FRAMES = 2.5
DURATION_SLACK_SHARE = 0.05
"""By so many mean frame periods, or this share, the last frame may end before the declared end: muxers round,
B-frames shift, and Matroska does not say how long the last frame lasts."""


@dataclass
class VideoScan:
    """What a full decode of a video found."""

    num_frames: int = 0
    height: int = 0
    width: int = 0
    anchors: list[tuple[int, int]] = field(default_factory=list)
    """(frame number, timestamp) of key frames at which decoding can start."""
    num_packets: int = 0
    end: int = 0
    timestamps_rise: bool = True
    last_timestamp: int | None = None


@contextmanager
def _opened(uri: str) -> Iterator[tuple[Any, Any]]:
    with open_file(uri) as file:
        if file.seek(0, 2) == 0:
            raise DataError(f"{uri}: zero-length file. Copy it again or remove it.")
        file.seek(0)
        try:
            with av.open(file, mode="r", metadata_errors="ignore") as container:
                if not container.streams.video:
                    raise DataError(f"{uri}: holds no video stream; expected one. Remove it.")
                stream = container.streams.video[0]
                # A decoding task owns a fraction of a CPU; speed comes from many tasks, not from threads in one.
                stream.codec_context.thread_count = 1
                yield container, stream
        except av.FFmpegError as error:
            raise DataError(
                f"{uri}: cannot be decoded ({error.strerror}); expected a complete video file. "
                "It is damaged, truncated, or no video: copy it again or remove it."
            ) from error


def scan_video(uri: str) -> VideoScan:
    """Decode a whole video, one frame in memory at a time, and report what is in it.

    Raises:
        DataError: the file is empty, no video, damaged, truncated, or changes its frame size.
    """
    scan = VideoScan()
    with _opened(uri) as (container, stream):
        for packet in container.demux(stream):
            if packet.size:
                scan.num_packets += 1
                scan.end = max(scan.end, (packet.pts or 0) + (packet.duration or 0))
            for frame in packet.decode():
                _count_frame(uri, scan, frame)
        _check_complete(uri, scan, container, stream)
    _check_gif_end(uri)
    if scan.num_frames == 0:
        raise DataError(f"{uri}: no frame decodes; expected at least 2. Copy it again or remove it.")
    if not scan.timestamps_rise:
        scan.anchors = []
    return scan


def _count_frame(uri: str, scan: VideoScan, frame: av.VideoFrame) -> None:
    number = scan.num_frames
    if frame.is_corrupt:
        raise DataError(f"{uri}: frame {number} is damaged; expected whole frames. Copy it again or remove it.")
    height, width = (frame.width, frame.height) if _quarter_turns(frame) % 2 else (frame.height, frame.width)
    if number == 0:
        scan.height, scan.width = height, width
    elif (height, width) != (scan.height, scan.width):
        raise DataError(
            f"{uri}: frame {number} is {width}x{height}, the first {scan.width}x{scan.height}; "
            "expected one size in a clip. Split it where the size changes."
        )
    _note_anchor(scan, frame, number)
    scan.num_frames += 1


def _quarter_turns(frame: av.VideoFrame) -> int:
    # Telephones store upright pictures lying down, with a note; players and mask editors follow the note.
    return round(frame.rotation / 90)


def _note_anchor(scan: VideoScan, frame: av.VideoFrame, number: int) -> None:
    if frame.pts is None or (scan.last_timestamp is not None and frame.pts <= scan.last_timestamp):
        scan.timestamps_rise = False
        return
    scan.last_timestamp = frame.pts
    # Only an intra frame is a place to start: a gradual refresh also flags key frames, but after others.
    starts = frame.key_frame and frame.pict_type == av.video.frame.PictureType.I
    if starts and number - (scan.anchors[-1][0] if scan.anchors else 0) >= ANCHOR_GAP:
        scan.anchors.append((number, frame.pts))


def _check_complete(uri: str, scan: VideoScan, container: Any, stream: Any) -> None:
    advice = "The file is truncated: copy it again or remove it."
    if stream.frames and scan.num_packets < stream.frames:
        raise DataError(f"{uri}: declares {stream.frames} frames, {scan.num_packets} are there. {advice}")
    if stream.frames or not container.duration or len(container.streams) > 1 or not scan.num_packets:
        return
    # Matroska and webm declare no count, only a duration.
    declared = container.duration / av.time_base
    present = scan.end * float(stream.time_base)
    slack = max(DURATION_SLACK_FRAMES * present / scan.num_packets, DURATION_SLACK_SHARE * declared)
    if declared - present > slack:
        raise DataError(f"{uri}: declares {declared:.2f} s of video, {present:.2f} s are there. {advice}")


def _check_gif_end(uri: str) -> None:
    if not uri.lower().endswith(".gif"):
        return
    with open_file(uri) as file:
        file.seek(max(0, file.seek(0, 2) - 64))
        if not file.read().rstrip(b"\0").endswith(b";"):
            raise DataError(f"{uri}: does not end as a gif does. It is truncated: copy it again or remove it.")


def decode_frames(uri: str, numbers: Sequence[int], anchor: tuple[int, int] | None = None) -> np.ndarray:
    """Decode the frames with these numbers exactly; only they are kept.

    Args:
        uri: the video.
        numbers: frame numbers in rising order, counted from 0 in display order.
        anchor: (frame number, timestamp) of a key frame at or before the first of them, from `scan_video`.
            Decoding starts there; where the seek misses it, at the first frame.

    Returns:
        uint8 [n, H, W, 3], RGB.

    Raises:
        DataError: a frame cannot be decoded.
    """
    found = _collect(uri, numbers, anchor) if anchor is not None else None
    if found is None:
        found = _collect(uri, numbers, None)
    if found is None or len(found) < len(numbers):
        num_found = len(found or [])
        raise DataError(
            f"{uri}: frame {numbers[num_found]} is not there; {num_found} of {len(numbers)} wanted frames decode. "
            "Was the file replaced since it was listed? Start with an empty index."
        )
    return np.stack(found)


def _collect(uri: str, numbers: Sequence[int], anchor: tuple[int, int] | None) -> list[np.ndarray] | None:
    """The wanted frames; None when the anchor's key frame was not met."""
    wanted, frames, reformatter = set(numbers), [], VideoReformatter()
    with _opened(uri) as (container, stream):
        for number, frame in _numbered(container, stream, anchor):
            if number is None:
                return None
            if number in wanted:
                picture = reformatter.reformat(frame, format="rgb24").to_ndarray()
                frames.append(np.rot90(picture, _quarter_turns(frame)))
            if number >= numbers[-1]:
                break
    return frames


def _numbered(container: Any, stream: Any, anchor: tuple[int, int] | None) -> Iterator[tuple[int | None, Any]]:
    """Frames with their numbers; one (None, None) instead when the anchor cannot be found."""
    if anchor is None:
        yield from enumerate(container.decode(stream))
        return
    first, timestamp = anchor
    try:
        container.seek(timestamp, stream=stream)
    except av.FFmpegError:
        yield None, None  # this container cannot seek
        return
    number: int | None = None
    for frame in container.decode(stream):
        if number is None and frame.pts is not None and frame.pts < timestamp:
            continue
        if number is None and not (frame.pts == timestamp and frame.key_frame):
            break  # AVI with B-frames gives other timestamps after a seek
        number = first if number is None else number + 1
        yield number, frame
    if number is None:
        yield None, None
