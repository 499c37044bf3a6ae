"""The stage of an evaluation that runs in actors: the network of a checkpoint and how sure it is of its segments."""

from __future__ import annotations

import json

import numpy as np
import torch

from eisen_ray.build import build_eisen
from eisen_ray.config import GroupingConfig
from eisen_ray.data.clips import Clip
from eisen_ray.data.packed import pack_labels
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.model.eisen import Eisen
from eisen_ray.model.surety import segment_confidences
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.decoding import Row
from eisen_ray.runtime.layout import Teacher, stable_seed
from eisen_ray.runtime.stages import limit_threads
from eisen_ray.runtime.student import best_device, load_promoted


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
            outlined = self.network.outlined(runs[0], image)
            surety.append(segment_confidences(runs, outlined, image))
            labels += pack_labels(outlined[None])
        return {**row, "labels": labels, "surety": json.dumps(surety)}

    def _segment(self, image: np.ndarray, seed: int) -> np.ndarray:
        generator = torch.Generator(self.device)
        generator.manual_seed(seed)
        batch = torch.from_numpy(image)[None].permute(0, 3, 1, 2).to(self.device)
        return self.network.segment_runs(batch, generator, self.config.passes)[:, 0].cpu().numpy()


def load_network(checkpoint: StoredCheckpoint, grouping: GroupingConfig) -> Eisen:
    """The network of a checkpoint with another grouping, on the CPU, in evaluation mode.

    Raises:
        WeightsError: damaged, of another network, or not the weights that the manifest named.
    """
    model = build_eisen(checkpoint.config.model, grouping)
    load_promoted(checkpoint.store, Teacher(path=checkpoint.path, sha256=checkpoint.sha256), model)
    return model.eval()
