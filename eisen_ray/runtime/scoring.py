"""Stages of an evaluation: frames with masks, segments, scores. Plain callables; the network runs in an actor.

A row is some frames of one clip:

    clip       str                    the clip as JSON
    frames     str                    the frames' numbers, JSON; after decoding, of those that can be scored
    failures   str                    frames that cannot, JSON
    images     uint8 [n, H, W, 3]     at the network's training size
    truth      n packed label maps    masks, each at its own size, see `data.packed`
    sizes      str                    their sizes, JSON
    labels     n packed label maps    segments of the first pass, on the network's grid
    surety     str                    confidence of each segment, JSON
    scores     str                    the images' scores, JSON
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from eisen_ray.build import build_eisen
from eisen_ray.config import GroupingConfig
from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import resize
from eisen_ray.data.packed import pack_labels, unpack_labels
from eisen_ray.data.scored_frames import MaskedClip, read_scored
from eisen_ray.errors import WeightsError
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.learning.checkpoint import load_checkpoint
from eisen_ray.measures.agreement import segment_stability
from eisen_ray.measures.image_scores import score_image
from eisen_ray.model.eisen import Eisen
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.decoding import Row
from eisen_ray.runtime.evaluation import spread
from eisen_ray.runtime.layout import stable_seed
from eisen_ray.runtime.stages import limit_threads
from eisen_ray.runtime.student import best_device

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


class SegmentScored:
    """1:1, in an actor. `images` become `labels` and `surety`.

    Every image is segmented alone and with draws of its own, so that its segments do not depend on what else is
    scored. [Decision 89]

    Raises:
        WeightsError: the checkpoint is damaged, or not the one that was found.
    """

    def __init__(self, checkpoint: StoredCheckpoint, config: EvaluateConfig, num_threads: int = 0) -> None:
        limit_threads(num_threads)
        self.config = config
        self.device = best_device()
        self.network = load_network(checkpoint, config.grouping).to(self.device)

    def __call__(self, row: Row) -> Row:
        """Segment the frames of a clip."""
        images, clip = row.pop("images"), Clip.from_json(row["clip"])
        labels: list[bytes] = []
        surety = []
        for image, frame in zip(images, json.loads(row["frames"]), strict=True):
            runs = self._segment(np.array(image), stable_seed("evaluate", self.config.seed, clip.clip_id, frame))
            surety.append(segment_stability(runs[0], runs[1:]))
            labels += pack_labels(runs[:1])
        return {**row, "labels": labels, "surety": json.dumps(surety)}

    def _segment(self, image: np.ndarray, seed: int) -> np.ndarray:
        generator = torch.Generator(self.device)
        generator.manual_seed(seed)
        batch = torch.from_numpy(image)[None].permute(0, 3, 1, 2).to(self.device)
        return self.network.segment_runs(batch, generator, self.config.passes)[:, 0].cpu().numpy()


class ScoreMaps:
    """1:1, in a task. `labels` against `truth` become `scores`; `labels` stay for the pictures."""

    def __init__(self, config: EvaluateConfig, grid: tuple[int, int]) -> None:
        self.config = config
        self.grid = grid

    def __call__(self, row: Row) -> Row:
        """Score the frames of a clip."""
        clip, data = Clip.from_json(row["clip"]), self.config.data
        scores = []
        columns = (json.loads(row["frames"]), row["labels"], row["truth"], *map(json.loads, (row["sizes"], row["surety"])))
        for frame, labels, packed, size, surety in zip(*columns, strict=True):
            truth = unpack_labels(packed, (size[0], size[1]))
            ignore = truth == data.ignore_id if data.ignore_id else None
            # The area of a segment is its confidence where there is no second pass to agree with.
            sure = {int(segment): value for segment, value in surety.items()} if self.config.passes > 1 else None
            found = score_image(
                unpack_labels(labels, self.grid),
                truth,
                clip_id=clip.clip_id,
                frame=frame,
                arm_id=data.arm_id or clip.meta.get("arm_id"),
                ignore=ignore,
                confidences=sure,
            )
            scores.append(found.to_dict())
        kept = {name: row[name] for name in ("clip", "frames", "failures", "labels")}
        return {**kept, "scores": json.dumps(scores)}


def load_network(checkpoint: StoredCheckpoint, grouping: GroupingConfig) -> Eisen:
    """The network of a checkpoint with another grouping, on the CPU, in evaluation mode.

    Raises:
        WeightsError: damaged, of another network, or not the weights that the manifest named.
    """
    model = build_eisen(checkpoint.config.model, grouping)
    with tempfile.TemporaryDirectory() as folder:
        found = load_checkpoint(checkpoint.store.download(checkpoint.path, Path(folder)), model).weights_sha256
    if found != checkpoint.sha256:
        place = checkpoint.store.uri(checkpoint.path)
        raise WeightsError(f"{place} changed while it was read: {found[:12]}, before {checkpoint.sha256[:12]}. Try again.")
    return model.eval()
