"""Stages of an evaluation that run in tasks: frames with masks, and scores. No torch: tasks start quickly.

A row is some frames of one clip:

    clip       str                    the clip as JSON
    frames     str                    the frames' numbers, JSON; after decoding, of those that can be scored
    failures   str                    frames that cannot, JSON
    images     uint8 [n, H, W, 3]     at the network's training size
    truth      n packed label maps    masks, each at its own size, see `data.packed`
    sizes      str                    their sizes, JSON
    labels     n packed label maps    segments of the first pass, on the network's grid (`segmenting`)
    surety     str                    confidence of each segment, JSON (`segmenting`)
    scores     str                    the images' scores, JSON
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import Quarantined, resize
from eisen_ray.data.packed import pack_labels, unpack_labels
from eisen_ray.data.scored_frames import MaskedClip, find_masked, read_scored
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.measures.image_scores import score_image
from eisen_ray.runtime.decoding import Row
from eisen_ray.runtime.reading import spread

FRAMES_PER_ROW = 8
"""Frames of a clip that are decoded and segmented together: enough to hide Ray's own milliseconds."""


def scored_rows(clips: Sequence[MaskedClip], max_images: int) -> list[Row]:
    """Rows of at most `max_images` frames (0 = all), spread evenly over all clips."""
    every = [(place, frame) for place, found in enumerate(clips) for frame in found.frames]
    wanted: dict[int, list[int]] = {}
    for position in spread(len(every), max_images or len(every)):
        place, frame = every[position]
        wanted.setdefault(place, []).append(frame)
    return [
        {"clip": clips[place].clip.to_json(), "frames": json.dumps(frames[begin : begin + FRAMES_PER_ROW])}
        for place, frames in wanted.items()
        for begin in range(0, len(frames), FRAMES_PER_ROW)
    ]


def find_all_masked(clips: Sequence[Clip]) -> list[MaskedClip | Quarantined]:
    """`find_masked` for a few clips: the work of one task."""
    return [find_masked(clip) for clip in clips]


class DecodeScored:
    """1:1, in a task. Adds `images`, `truth`, `sizes` and `failures`."""

    def __init__(self, height: int, width: int) -> None:
        self.size = (height, width)

    def __call__(self, row: Row) -> Row:
        """Decode frames and masks."""
        found, bad = read_scored(Clip.from_json(row["clip"]), json.loads(row["frames"]))
        images = [resize(one.image[None], *self.size) for one in found]
        return {
            **row,
            "frames": json.dumps([one.frame for one in found]),
            "failures": json.dumps([item.to_dict() for item in bad]),
            "images": np.concatenate(images) if images else np.zeros((0, *self.size, 3), np.uint8),
            "truth": [pack_labels(one.truth[None])[0] for one in found],
            "sizes": json.dumps([one.truth.shape for one in found]),
        }


class ScoreMaps:
    """1:1, in a task. `labels` against `truth` become `scores`; `labels` stay for the pictures."""

    def __init__(self, config: EvaluateConfig, grid: tuple[int, int]) -> None:
        self.config = config
        self.grid = grid

    def __call__(self, row: Row) -> Row:
        """Score the frames of a clip."""
        clip, data = Clip.from_json(row["clip"]), self.config.data
        arm_id = None if data.arm_id < 0 else data.arm_id or clip.meta.get("arm_id")
        scores = []
        columns = (
            json.loads(row["frames"]),
            row["labels"],
            row["truth"],
            *map(json.loads, (row["sizes"], row["surety"])),
        )
        for frame, labels, packed, size, surety in zip(*columns, strict=True):
            truth = unpack_labels(packed, (size[0], size[1]))
            ignore = truth == data.ignore_id if data.ignore_id else None
            found = score_image(
                unpack_labels(labels, self.grid),
                truth,
                clip_id=clip.clip_id,
                frame=frame,
                arm_id=arm_id,
                ignore=ignore,
                confidences={int(segment): value for segment, value in surety.items()},
            )
            scores.append(found.to_dict())
        kept = {name: row[name] for name in ("clip", "frames", "failures", "labels")}
        return {**kept, "scores": json.dumps(scores)}
