"""The stage that gives each scored frame a neighbour, for peers that see motion. Runs in tasks; no torch."""

from __future__ import annotations

import json

import numpy as np

from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import read_frames, resize
from eisen_ray.errors import DataError
from eisen_ray.runtime.decoding import Row


class DecodeNeighbours:
    """1:1, in a task. Adds `pairs`, uint8 [n, 2, h, w, 3]: each frame and the next one, of a last frame the one before.

    Args:
        height, width: of the flow, px.
    """

    def __init__(self, height: int, width: int) -> None:
        self.size = (height, width)

    def __call__(self, row: Row) -> Row:
        """Decode the neighbours of the frames that can be scored."""
        clip, frames = Clip.from_json(row["clip"]), json.loads(row["frames"])
        pairs = [resize(_with_neighbour(clip, frame), *self.size) for frame in frames]
        return {**row, "pairs": np.stack(pairs) if pairs else np.zeros((0, 2, *self.size, 3), np.uint8)}


def _with_neighbour(clip: Clip, frame: int) -> np.ndarray:
    try:
        return read_frames(clip, frame, 2)
    except DataError:
        # The last frame of its clip; of a clip with a single frame nothing moves.
        return read_frames(clip, frame - 1, 2)[::-1] if frame > 0 else read_frames(clip, frame, 1).repeat(2, axis=0)
