"""Positions of a round's reading as a source of Ray Data, so that looking up, decoding and reading are one task."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import ray.data
from ray.data import Dataset, Datasource
from ray.data.block import Block, BlockMetadata
from ray.data.context import DataContext
from ray.data.datasource import ReadTask

_SCHEMA = pa.schema([("position", pa.int64())])


class PositionSource(Datasource):
    """Rows with `position`, in the order given; each task carries its own part of them.

    Args:
        positions: int64 [n].
    """

    def __init__(self, positions: np.ndarray) -> None:
        super().__init__()
        self._positions = positions

    def get_name(self) -> str:
        """Shown by Ray beside the tasks."""
        return "Positions"

    def estimate_inmemory_data_size(self) -> int | None:
        """Bytes."""
        return int(self._positions.nbytes)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        """At most `parallelism` tasks of nearly equal size."""
        parts = np.array_split(self._positions, max(1, min(parallelism, len(self._positions))))
        return [_task(part, per_task_row_limit) for part in parts if len(part)]


def position_rows(positions: np.ndarray, num_blocks: int, num_cpus: float) -> Dataset:
    """A dataset with one row per position.

    Args:
        positions: int64 [n].
        num_blocks: tasks to read them in.
        num_cpus: of each. Ray's own default is a whole CPU: beside a worker and actors on two CPUs it never starts,
            without an error. With the share of the stage that follows, Ray makes both one task.
    """
    source = PositionSource(positions)
    return ray.data.read_datasource(source, override_num_blocks=num_blocks, num_cpus=num_cpus)


def _task(part: np.ndarray, row_limit: int | None) -> ReadTask:
    def read() -> Iterable[Block]:
        return [pa.table({"position": part}, schema=_SCHEMA)]

    metadata = BlockMetadata(num_rows=len(part), size_bytes=int(part.nbytes), input_files=None, exec_stats=None)
    return ReadTask(read, metadata, schema=_SCHEMA, per_task_row_limit=row_limit)
