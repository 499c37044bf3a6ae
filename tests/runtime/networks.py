"""A tiny network with random weights in storage, for tests that segment with it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch

from eisen_ray.build import build_eisen
from eisen_ray.config import DataConfig, GroupingConfig, ModelConfig, RunConfig
from eisen_ray.data.layouts import list_held_out
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import to_dict

TINY_RUN = RunConfig(
    data=DataConfig(image_height=32, image_width=48),
    model=ModelConfig(backbone="small", scope="full"),
    grouping=GroupingConfig(num_iterations=3, num_slots=6, plateau_width=8, min_region_nodes=2, threshold=0.5),
)

EVALUATION = EvaluateConfig(grouping=TINY_RUN.grouping)
GRID = (8, 12)
"""Its grid of nodes."""


def sample_row(frames: list[int]) -> dict[str, str]:
    """A row of an evaluation: some frames of a bundled clip with masks."""
    return {"clip": list_held_out("sample", "")[0].to_json(), "frames": json.dumps(frames)}


def store_network(root: str, path: str = "net", seed: int = 0) -> str:
    """Write a checkpoint below a root, local or not; the hash of its weights."""
    torch.manual_seed(seed)
    model = build_eisen(TINY_RUN.model, TINY_RUN.grouping)
    with torch.no_grad():
        # As drawn, all affinities are nearly equal: the whole picture would be one segment.
        for weights in model.head.parameters():
            weights.mul_(8)
    with tempfile.TemporaryDirectory() as folder:
        sha256 = save_checkpoint(Path(folder), model, {"config": to_dict(TINY_RUN)})
        Store(root).upload(Path(folder), path)
    return sha256
