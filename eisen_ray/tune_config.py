"""What `jobs/tune.py` can be told. Imports no torch and no Ray: `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eisen_ray.evaluate_config import ScoredDataConfig
from eisen_ray.ranges import require


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """What every study can be told."""

    root: str = ""
    """Folder or s3:// URL of the study; the same root and settings continue it. Empty: `runs/studies/<a name>`."""
    vary: tuple[str, ...] = ()
    """Change the space: `name=value,value`, `name=low..high`, `name=low..high:log`; `name=` takes it out."""
    trials: int = -1
    """Settings to try by Optuna's TPE; 0: every combination; -1: as the space says."""
    seeds: int = 1
    """Repeat every setting with so many seeds."""
    seed: int = 0
    """The first seed."""
    concurrent: int = 0
    """Trials at one time; 0: as many as the cluster holds."""

    def __post_init__(self) -> None:
        for name, low in {"trials": -1, "seeds": 1, "concurrent": 0}.items():
            require(getattr(self, name) >= low, name, getattr(self, name), f"at least {low}")


@dataclass(frozen=True, kw_only=True)
class GroupingStudyConfig(StudyConfig):
    """A study of grouping: the weights stay, features are worked out once."""

    objective: Literal["mean_iou", "best_iou", "recall_50", "agreement", "motion_iou"] = "mean_iou"
    """What is best: a score against masks; or, without any, how alike two passes are (`agreement`), or how well
    segments fit what moves (`motion_iou`)."""
    max_images: int = 32
    """Images to score, spread evenly over all; 0 = all."""
    hosts: int = 0
    """Processes that keep the features and work; 0: one a GPU, or one a CPU."""
    cache_mib: int = 512
    """Plateau maps that each of them keeps, MiB."""
    data: ScoredDataConfig = field(default_factory=ScoredDataConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low in {"max_images": 0, "hosts": 0, "cache_mib": 1}.items():
            require(getattr(self, name) >= low, name, getattr(self, name), f"at least {low}")


@dataclass(frozen=True, kw_only=True)
class TrainingStudyConfig(StudyConfig):
    """A study of training: every trial is a run of the main job, with flow and other targets shared."""

    objective: Literal["mean_iou", "agreement", "motion_iou"] = "mean_iou"
    """What is best, on held-out images: `mean_iou` needs masks, the others do not."""
    preset: str = "quickstart"
    """The run that the trials vary: a preset of `jobs/bootstrap.py`, or a file of settings (`best.json`)."""
    num_rounds: int = 1
    """Rounds of bootstrapping in a trial."""
    max_images: int = 32
    """Held-out images to score at every checkpoint."""
    validate_every_steps: int = 250
    """Checkpoint, score and report so often: a trial that falls behind is stopped there."""
    asha: bool = True
    """Stop trials that fall behind (asynchronous successive halving)."""
    grace_steps: int = 500
    """Stop none before so many steps, over all rounds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_rounds", "max_images", "validate_every_steps", "grace_steps"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
