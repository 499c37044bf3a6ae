"""Positions as a source of Ray Data: each once, in order, in the number of tasks asked for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from eisen_ray.runtime.positions import PositionSource, position_rows

POSITIONS = np.array([9, 4, 7, 1, 0])


@pytest.mark.parametrize(("parallelism", "expected"), [(1, [5]), (2, [3, 2]), (99, [1, 1, 1, 1, 1])])
def test_tasks_hold_all_positions_in_order(parallelism: int, expected: list[int]) -> None:
    tasks = PositionSource(POSITIONS).get_read_tasks(parallelism)
    blocks = [list(task()) for task in tasks]
    tables = [pa.table(block) for part in blocks for block in part]
    assert [table.num_rows for table in tables] == expected == [task.metadata.num_rows for task in tasks]
    assert [value for table in tables for value in table["position"].to_pylist()] == POSITIONS.tolist()


def test_nothing_to_read_is_no_task() -> None:
    assert PositionSource(POSITIONS[:0]).get_read_tasks(3) == []


@pytest.mark.usefixtures("ray_cluster")
def test_rows_come_through_ray() -> None:
    rows = position_rows(POSITIONS, 2, 0.5).take_all()
    assert sorted(row["position"] for row in rows) == sorted(POSITIONS.tolist())
