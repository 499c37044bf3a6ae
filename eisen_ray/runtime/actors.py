"""The stages as Ray carries them about: light to import; torch comes with the actor that works.

Every process that plans a dataset or splits it among workers unpickles the class of every stage. Were these the stages
themselves, each such process would import torch and torchvision, one after the other, before the first frame is read.
"""

from __future__ import annotations

from eisen_ray.runtime.decoding import Row
from eisen_ray.runtime.layout import RoundWork


class FlowActor:
    """A `FlowStage` in an actor."""

    def __init__(self, work: RoundWork, num_threads: int = 0) -> None:
        from eisen_ray.runtime.stages import FlowStage

        self._stage = FlowStage(work, num_threads)

    def __call__(self, row: Row) -> Row:
        """See `FlowStage`."""
        return self._stage(row)


class TeacherActor:
    """A `TeacherStage` in an actor."""

    def __init__(self, work: RoundWork, num_threads: int = 0) -> None:
        from eisen_ray.runtime.stages import TeacherStage

        self._stage = TeacherStage(work, num_threads)

    def __call__(self, row: Row) -> Row:
        """See `TeacherStage`."""
        return self._stage(row)
