"""Who runs where: pools, workers and their shares of a machine. Part of the config; no setting here shapes results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eisen_ray.ranges import above_zero, at_least, require


@dataclass(frozen=True, kw_only=True)
class ResourcesConfig:
    """Who runs where. GPU shares apply where the cluster has GPUs; otherwise the same actors use CPUs."""

    feed: Literal["auto", "stream", "phases"] = "auto"
    """`phases`: flow, teacher, training in turn (one GPU, a laptop). `stream`: all at once. `auto`: by what fits."""
    decode_cpus: float = 0.5
    """CPUs of a decoding task: it waits for storage about half of its time."""
    flow_actors: int = 0
    """Flow actors at least; 0: as many as the cluster has room for, on processors one a machine."""
    max_flow_actors: int = 0
    """Flow actors at most, the pool grows while work waits; 0: no more than `flow_actors`."""
    flow_gpus: float = 1.0
    """GPU share of a flow actor, where there are GPUs."""
    flow_batch: int = 16
    """Frame pairs in one forward pass of the flow network."""
    teacher_actors: int = 0
    """Teacher actors at least; 0: as many as the cluster has room for, on processors one a machine."""
    max_teacher_actors: int = 0
    """Teacher actors at most; 0: no more than `teacher_actors`."""
    teacher_gpus: float = 1.0
    """GPU share of a teacher actor, where there are GPUs."""
    teacher_batch: int = 8
    """Frames in one forward pass of the teacher."""
    actor_cpus: float = 0.25
    """Logical CPUs of a flow or teacher actor: small, so that pools never starve decoding."""
    actor_threads: int = 0
    """Torch threads of a CPU actor; 0 = the machine's cores divided by the largest size of its pool."""
    train_workers: int = 0
    """DDP workers of the student; 0: as many as the GPUs have room for and the batch divides among, else one."""
    train_gpus: float = 1.0
    """GPUs of a training worker, where there are GPUs."""
    train_cpus: float = 1.0
    """Logical CPUs of a training worker."""
    train_threads: int = 0
    """Torch threads of a CPU training worker; 0 = the machine's cores divided by the workers on it."""
    max_failures: int = 3
    """How often a dead training worker is replaced before the run stops."""

    def __post_init__(self) -> None:
        at_least(self, flow_actors=0, max_flow_actors=0, teacher_actors=0, max_teacher_actors=0, train_workers=0)
        for pool in ("flow", "teacher"):
            if getattr(self, f"max_{pool}_actors"):
                least = max(1, getattr(self, f"{pool}_actors"))
                at_least(self, **{f"max_{pool}_actors": least})
        for share in ("flow_gpus", "teacher_gpus", "train_gpus"):
            value = getattr(self, share)
            require(value <= 1 or value == int(value), f"resources.{share}", value, "at most 1, or a whole number")
        above_zero(self, "decode_cpus", "flow_gpus", "teacher_gpus", "actor_cpus", "train_gpus", "train_cpus")
        at_least(self, flow_batch=1, teacher_batch=1, max_failures=0, actor_threads=0, train_threads=0)
