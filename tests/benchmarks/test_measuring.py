"""What benchmarks report: medians of both sides measured in turn, their ratio, and whether the floor is met."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import measuring
from benchmarks.measuring import Comparison, alternate, of_times, peak_bytes, report


def test_sides_take_turns_and_the_first_turn_does_not_count() -> None:
    calls = []
    times = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3)
    assert calls == ["a", "b"] * 4
    assert [len(times[name]) for name in "ab"] == [3, 3]


def test_a_long_first_turn_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LONG_S", 0.0)
    calls = []
    times = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3)
    assert calls == ["a", "b"] * 3
    assert [len(times[name]) for name in "ab"] == [3, 3]


def test_the_ratio_is_how_many_times_less_ours_takes() -> None:
    found = of_times("x", [2.0, 1.0, 100.0], [8.0, 9.0, 7.0], floor=4)
    assert (found.ours, found.other, found.ratio) == (2.0, 8.0, 4.0)
    assert found.verdict == "met (>= 4)"
    assert of_times("x", [2.0], [7.9], floor=4).verdict == "MISSED (>= 4)"
    assert of_times("x", [2.0], [7.9]).verdict == "-"


def fill(size: int, prepare_only: bool = False) -> None:
    if not prepare_only:
        np.ones(size, np.uint8).sum()


def test_peak_memory_is_that_of_the_work_alone() -> None:
    assert 60 * 2**20 < peak_bytes(fill, 64 * 2**20) < 80 * 2**20


def test_results_name_machine_versions_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    report(
        "some", {"nodes": 7}, [Comparison("work", 0.001, 0.004, 2.0), Comparison("memory", 2**20, 2**22, 9.0, "bytes")]
    )
    told = capsys.readouterr().out
    assert "4.00" in told
    assert "met (>= 2)" in told
    assert "MISSED (>= 9)" in told
    written = json.loads((tmp_path / "some.json").read_text())
    assert written["settings"] == {"nodes": 7}
    assert {"processor", "cores", "threads", "gpu", "python", "torch"} == set(written["machine"])
    assert [each["ratio"] for each in written["comparisons"]] == [4.0, 4.0]
