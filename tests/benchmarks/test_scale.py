"""The benchmark's own arithmetic; its clusters are too heavy for a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale import SECONDS, steady


def write(folder: Path, spans: list[list[tuple[float, float]]]) -> None:
    for number, actor in enumerate(spans):
        (folder / f"teacher-{number}").write_text("".join(f"{begin} {end}\n" for begin, end in actor))
    (folder / "flow-9").write_text("0 1000\n")


@pytest.mark.parametrize(("pause", "expected"), [(0.0, 1.0), (4.0, 0.5)])
def test_busy_share_is_of_the_slowest_stage_without_filling_and_emptying(
    tmp_path: Path, pause: float, expected: float
) -> None:
    length = SECONDS["teacher"]
    every = length + pause
    # The second actor starts late: that is filling, and does not count.
    write(tmp_path, [[(late + k * every, late + k * every + length) for k in range(20)] for late in (0.0, every)])
    found = steady(tmp_path, actors=2)
    assert found["busy"] == pytest.approx(expected, abs=0.04)
    assert found["rate"] == pytest.approx(expected, abs=0.1)
