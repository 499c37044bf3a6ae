"""Frames of a clip: exact windows of it, their size, and whether the clip can be used at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from eisen_ray.data.clips import Clip, Plain
from eisen_ray.data.decode import decode_frames, scan_video
from eisen_ray.data.files import read_many
from eisen_ray.data.masks import check_masks
from eisen_ray.errors import DataError

PROBE_CHUNK = 16
"""Picture files fetched together while a clip is probed: bounds the memory of a probing task."""
DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L"})
"""Pillow's modes of more than 8 bits: converting them to RGB would clip their values without a word."""


@dataclass(frozen=True)
class Probe(Plain):
    """What a full decode of a usable clip found."""

    clip_id: str
    num_frames: int
    height: int
    width: int
    anchors: tuple[tuple[int, int], ...] = ()
    """Video: (frame number, timestamp) of key frames at which decoding can start."""

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "anchors": tuple((number, timestamp) for number, timestamp in values["anchors"])}


@dataclass(frozen=True)
class Quarantined(Plain):
    """A clip that cannot be used, and why."""

    clip_id: str
    uri: str
    reason: str


def probe_clip(clip: Clip) -> Probe:
    """Decode a whole clip once, and check its masks.

    Raises:
        DataError: the clip cannot be used; the message names the file and the reason.
    """
    if clip.meta.get("problem"):
        raise DataError(f"{clip.address}: {clip.meta['problem']}")
    if clip.kind == "video":
        scan = scan_video(clip.uris[0])
        probe = Probe(clip.clip_id, scan.num_frames, scan.height, scan.width, tuple(scan.anchors))
    else:
        height, width = _common_size(clip)
        probe = Probe(clip.clip_id, len(clip.uris), height, width)
    if probe.num_frames < 2:
        raise DataError(f"{clip.address}: 1 frame; expected at least 2, motion needs a pair. Remove it.")
    check_masks(clip, probe.num_frames, probe.height, probe.width)
    return probe


def try_probe(clip: Clip) -> Probe | Quarantined:
    """`probe_clip`, with an unusable clip as a value: the run goes on. Failures of the storage itself are raised."""
    try:
        return probe_clip(clip)
    except DataError as error:
        return Quarantined(clip.clip_id, clip.address, str(error).removeprefix(f"{clip.address}: "))


def count_frames(clip: Clip) -> int:
    """Frames of a clip that really decode.

    Raises:
        DataError: the clip cannot be used.
    """
    return probe_clip(clip).num_frames


def read_frames(clip: Clip, start: int, count: int, stride: int = 1) -> np.ndarray:
    """Frames `start`, `start + stride`, ... of a clip at their own size.

    Args:
        clip: the clip, whole or narrowed.
        start: number of the first frame in the whole clip.
        count: frames to read, at least 1.
        stride: step between them.

    Returns:
        uint8 [count, H, W, 3], RGB.

    Raises:
        DataError: the window is not in the clip, or a frame cannot be decoded.
    """
    if start < 0 or count < 1 or stride < 1:
        raise DataError(f"{clip.address}: start {start}, count {count}, stride {stride}; expected >= 0, >= 1, >= 1.")
    numbers = range(start, start + count * stride, stride)
    if clip.kind == "video":
        usable = [anchor for anchor in clip.meta.get("anchors", []) if anchor[0] <= start]
        return decode_frames(clip.uris[0], numbers, tuple(usable[-1]) if usable else None)
    positions = [number - clip.first_frame for number in numbers]
    if positions[0] < 0 or positions[-1] >= len(clip.uris):
        last = clip.first_frame + len(clip.uris) - 1
        raise DataError(
            f"{clip.address}: frames {numbers[0]}..{numbers[-1]} asked for, {clip.first_frame}..{last} are there."
        )
    frames = list(_pictures([clip.uris[position] for position in positions]))
    for position, frame in zip(positions, frames, strict=True):
        _require_size(clip.uris[position], frame, frames[0].shape)
    return np.stack(frames)


def resize(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize uint8 [n, H, W, 3] to [n, height, width, 3]: area average when shrinking, else linear."""
    if frames.shape[1:3] == (height, width):
        return frames
    shrinks = height * width < frames.shape[1] * frames.shape[2]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (width, height), interpolation=method) for frame in frames])


def _common_size(clip: Clip) -> tuple[int, int]:
    first: tuple[int, ...] = ()
    for begin in range(0, len(clip.uris), PROBE_CHUNK):
        uris = clip.uris[begin : begin + PROBE_CHUNK]
        for uri, frame in zip(uris, _pictures(uris), strict=True):
            first = first or frame.shape
            _require_size(uri, frame, first)
    if not first:
        raise DataError(f"{clip.address}: no frames; expected at least 2. Remove the folder or fill it.")
    return first[0], first[1]


def _require_size(uri: str, frame: np.ndarray, expected: tuple[int, ...]) -> None:
    if frame.shape != expected:
        raise DataError(
            f"{uri}: frame of {frame.shape[1]}x{frame.shape[0]}, the first is {expected[1]}x{expected[0]}; "
            "expected one size in a clip. Split the folder by size."
        )


def _pictures(uris: tuple[str, ...] | list[str]) -> Iterator[np.ndarray]:
    for uri, content in zip(uris, read_many(uris), strict=True):
        if not content:
            raise DataError(f"{uri}: zero-length file. Copy it again or remove it.")
        try:
            with Image.open(io.BytesIO(content)) as picture:
                mode, frame = picture.mode, np.asarray(picture.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{uri}: cannot be decoded ({error}); expected a complete picture. Copy it again or remove it."
            ) from error
        if mode in DEEP_MODES:
            raise DataError(f"{uri}: more than 8 bits per channel (mode {mode}); expected 8. Convert the frames.")
        yield frame
