from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.report.tables import format_duration, format_number, progress_line, round_table

ROWS = [
    {"round": 1, "steps": 600, "all": 0.41234, "arm": 0.7, "objects": np.float32(0.3), "segments/image": 6.25},
    {"round": 2, "steps": 12000, "all": 0.5, "arm": float("nan"), "objects": None, "coverage": 0.987, "agreement": 1},
]


def test_text_table_is_aligned() -> None:
    lines = round_table(ROWS).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == [
        "round", "steps", "all", "arm", "objects", "recall@0.5", "segments/image", "coverage", "agreement",
    ]  # fmt: skip
    assert lines[2].split() == ["1", "600", "0.412", "0.700", "0.300", "-", "6.2", "-", "-"]
    assert lines[3].split() == ["2", "12000", "0.500", "-", "-", "-", "-", "0.99", "1.00"]


def test_markdown_table() -> None:
    lines = round_table(ROWS, "markdown").splitlines()
    assert len({len(line) for line in lines}) == 1
    assert all(line.startswith("| ") and line.endswith(" |") and line.count("|") == 10 for line in lines)
    assert set(lines[1]) <= set("|-: ")


def test_no_rounds_gives_the_header() -> None:
    assert len(round_table([]).splitlines()) == 2


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [(None, ".3f", "-"), (float("inf"), ".3f", "-"), (True, "d", "-"), ("kept", "d", "kept"), (3.0, "d", "3")],
)
def test_format_number(value: object, spec: str, text: str) -> None:
    assert format_number(value, spec) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (59.6, "1m00s"), (125, "2m05s"), (11220, "3h07m"), (187200, "2d04h")]
)
def test_format_duration(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_progress_line() -> None:
    line = progress_line("round 1 student", 120, 600, 80.0, loss=0.41234)
    assert line == "round 1 student  120/600  loss 0.4123  1m20s, 5m20s left"
    assert progress_line("flow", 0, 10, 3.0) == "flow   0/10  3s"
    assert progress_line("flow", 10, 10, 3.0) == "flow  10/10  3s"
