"""Stages that run in tasks: from fragments and clips to frames. Plain callables, testable without Ray; no torch.

A row is one fragment, a run of frames of one clip:

    fragment   str                    the fragment as JSON
    error      str                    why it cannot be used; "" while all is well
    frames     uint8 [n, H, W, 3]     at flow size
    images     uint8 [m, H, W, 3]     at the student's size: the frames that are first in a pair
    motion     m packed label maps    motion segments on the student's grid, see `data.packed`
    segments   m packed label maps    confident segments of the teacher

A fragment that fails keeps its reason in `error` and passes through all later stages untouched.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import read_frames, resize
from eisen_ray.data.index import Fragment
from eisen_ray.data.masks import read_masks
from eisen_ray.errors import DataError
from eisen_ray.runtime.layout import RoundWork, digest_of
from eisen_ray.runtime.metrics import StageMeter
from eisen_ray.runtime.reading import pair_starts

Row = dict[str, Any]


class DecodeFragment:
    """1:1. Adds `frames` and `images` at the sizes asked for; a size of None leaves that column empty.

    Args:
        flow_size, image_size: (height, width), px.
        pair_stride: every how many frames of a fragment start a pair.
        meter: counts what is decoded; None: nothing is counted.
    """

    def __init__(
        self,
        *,
        flow_size: tuple[int, int] | None,
        image_size: tuple[int, int] | None,
        pair_stride: int = 1,
        meter: StageMeter | None = None,
    ) -> None:
        self.flow_size = flow_size
        self.image_size = image_size
        self.pair_stride = pair_stride
        self.meter = meter or StageMeter("", 0)

    def __call__(self, row: Row) -> Row:
        """Decode a fragment."""
        fragment = Fragment.from_json(row["fragment"])
        with self.meter.busy("decode") as done:
            try:
                raw = read_frames(fragment.clip, fragment.start, fragment.num_frames, fragment.stride)
            except (DataError, OSError) as error:
                none = np.zeros((0, 1, 1, 3), np.uint8)
                return {**row, "frames": none, "images": none, "error": str(error)}
            first = raw[: -1 : self.pair_stride]
            done["pairs"] = len(first)
            return {**row, "frames": _resized(raw, self.flow_size), "images": _resized(first, self.image_size)}


class DecodeFrames:
    """1:1, in a task. From `clip` and `frames` (JSON) to `images` and, where there are masks, `truth`."""

    def __init__(self, work: RoundWork) -> None:
        self.size = (work.config.data.image_height, work.config.data.image_width)

    def __call__(self, row: Row) -> Row:
        """Decode the frames of a clip."""
        clip, frames = Clip.from_json(row["clip"]), json.loads(row["frames"])
        images = np.concatenate([resize(read_frames(clip, frame, 1), *self.size) for frame in frames])
        truth = read_masks(clip, frames) if row["scored"] else None
        return {**row, "images": images, "truth": np.zeros((0, 1, 1), np.uint16) if truth is None else truth}


def stored_names(fragment: Fragment, folder: str) -> dict[str, Any]:
    """What a stored file says of itself, checked when it is read."""
    return {"fragment_id": fragment.fragment_id, "digest": digest_of(folder)}


def first_frames(fragment: Fragment, work: RoundWork) -> list[int]:
    """Numbers, in the clip, of the frames that are first in a pair."""
    return [fragment.frames[start] for start in pair_starts(fragment.num_frames, work.config.data.pair_stride)]


def _resized(frames: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    return np.zeros((0, 1, 1, 3), np.uint8) if size is None else resize(frames, *size)
