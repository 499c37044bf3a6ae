"""What `jobs/evaluate.py` can be told. Imports no torch and no Ray: `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eisen_ray.config import GroupingConfig
from eisen_ray.ranges import require


@dataclass(frozen=True, kw_only=True)
class ScoredDataConfig:
    """Which pictures are scored, and what their masks mean."""

    layout: Literal["sample", "videos", "frames", "davis", "bridge", "playroom"] = "sample"
    """How files lie under `source`; `sample` is the set of clips inside the package."""
    source: str = ""
    """Folder or URL (s3://, file://, memory://) of video with masks; empty for `sample`."""
    split: Literal["auto", "val", "test", "train", "all"] = "auto"
    """Which part of it: `auto` is the layout's held-out part, or everything where it has none; `test`: Bridge only."""
    arm_id: int = 0
    """Mask value of the robot's arm; 0: what the layout says (`sample`, `bridge`: 1, others: no arm); -1: no arm."""
    ignore_id: int = 0
    """Mask value of pixels that do not count, such as 255 for void; 0: all count."""

    def __post_init__(self) -> None:
        require(self.arm_id >= -1, "data.arm_id", self.arm_id, "a mask value, 0 or -1")
        require(self.ignore_id >= 0, "data.ignore_id", self.ignore_id, "at least 0")
        require(self.source or self.layout == "sample", "data.source", "", f"a folder or URL for {self.layout!r}")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """One evaluation of one checkpoint."""

    output: str = ""
    """Folder or s3:// URL for the results; empty: `evaluations/` beside the checkpoint, under a name of its own."""
    max_images: int = 0
    """Score at most so many images, spread evenly over all that have masks; 0 = all."""
    passes: int = 2
    """Passes with different random draws: the first is scored, the others say how sure its segments are."""
    seed: int = 0
    """Seed of the passes' draws and of the confidence intervals."""
    actors: int = 1
    """Processes that hold the network."""
    gpus_per_actor: float = 1.0
    """GPU share of each, where the cluster has GPUs."""
    data: ScoredDataConfig = field(default_factory=ScoredDataConfig)
    grouping: GroupingConfig = field(default_factory=GroupingConfig)
    """From affinities to segments; by default as in the checkpoint."""

    def __post_init__(self) -> None:
        for name, low in {"max_images": 0, "passes": 1, "actors": 1}.items():
            require(getattr(self, name) >= low, name, getattr(self, name), f"at least {low}")
        require(self.gpus_per_actor > 0, "gpus_per_actor", self.gpus_per_actor, "above 0")
