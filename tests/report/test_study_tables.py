from __future__ import annotations

import math

from eisen_ray.report.study_tables import (
    asked,
    best_parameters,
    console_table,
    cost_line,
    failure_table,
    found,
    reason,
    setting_table,
    stopped_table,
)
from eisen_ray.report.study_trials import FAILED, STOPPED
from tests.studies import grouping_study, study, training_study, trial


def test_what_was_asked() -> None:
    assert asked(grouping_study()) == (
        "Asked: which setting of `kprop.num_iterations`, `kprop.threshold` gives the highest `val/mean_iou`. "
        "18 trials of 6 settings: 18 finished."
    )
    assert asked(training_study()).endswith("30 trials of 30 settings: 27 finished, 2 stopped, 1 failed.")
    assert "lowest" in asked(study(trial(0, 1.0), maximize=False))
    assert asked(study()).endswith("0 trials of 0 settings: 0 finished.")


def test_what_came_out() -> None:
    assert found(grouping_study(), {"kprop.num_iterations": 0.9, "kprop.threshold": 0.1}) == (
        "Came out: **0.400 ± 0.020** (3 trials) with `kprop.num_iterations` 40, `kprop.threshold` 0.3. "
        "The median of 6 settings scores 0.150, the worst 0.000. "
        "Most important: `kprop.num_iterations` (90%), `kprop.threshold` (10%)."
    )


def test_nothing_came_out() -> None:
    assert "No trial has a score" in found(study(trial(0, None, FAILED)), {})
    assert found(study(trial(0, 0.5, STOPPED)), {}) == "Came out: **0.500**, and only of a stopped trial."
    assert found(study(trial(0, 0.5)), {}) == "Came out: **0.500**."


def test_the_best_setting_has_full_names() -> None:
    table = best_parameters(grouping_study())
    assert table is not None
    assert table.lines == [
        ["kprop.num_iterations", "40", ""],
        ["kprop.threshold", "0.3", ""],
        ["kprop.width", "16", "the same in all trials"],
    ]
    assert best_parameters(study(trial(0, math.nan))) is None


def test_settings_with_seeds() -> None:
    table = setting_table(grouping_study(), rows=2)
    assert table.titles == ["rank", "val/mean_iou", "trials", "worst", "best", "num_iterations", "threshold", "cost"]
    assert table.lines == [
        ["1", "0.400 ± 0.020", "3", "0.380", "0.420", "40", "0.3", "12s"],
        ["2", "0.300 ± 0.020", "3", "0.280", "0.320", "40", "0.1", "12s"],
    ]


def test_settings_without_seeds_name_their_trial_and_mark_the_stopped() -> None:
    table = setting_table(study(trial(3, 0.1), trial(5, 0.9, STOPPED, cost_s=0.25), trial(6, 0.2)), rows=9)
    assert table.lines == [
        ["1", "0.200", "6", "6", "0s"],
        ["2", "0.100", "3", "3", "0s"],
        ["stopped", "0.900", "5", "5", "0.2s"],
    ]
    assert len(setting_table(study(trial(0, 0.1), trial(1, 0.9, STOPPED)), rows=1).lines) == 1


def test_minimized_worst_is_highest() -> None:
    trials = (trial(0, 1.0, params={"x": 1}), trial(1, 3.0, params={"x": 1}))
    assert setting_table(study(*trials, maximize=False), 5).lines[0][3:5] == ["3.000", "1.000"]


def test_console() -> None:
    lines = console_table(grouping_study(), rows=4).splitlines()
    assert lines[0] == "grouping: 18 trials, 18 finished, 42s in all, median trial 2.0s, dearest 4.0s (trial 12)"
    assert lines[2].split()[:2] == ["rank", "val/mean_iou"]
    assert lines[4].split()[:4] == ["1", "0.400", "±", "0.020"]
    assert lines[-1] == "and 2 further settings"
    assert len({len(line) for line in lines[2:8]}) == 1


def test_console_says_why_trials_have_no_score() -> None:
    text = console_table(training_study())
    assert "2 trials without a score; trial 11: RuntimeError: a|b `c` second line" in text
    alone = console_table(study(trial(0, None, FAILED)))
    assert (
        alone.splitlines()[0] == "test: 1 trial, 0 finished, 1 failed, 0s in all, median trial 0s, dearest 0s (trial 0)"
    )
    assert alone.endswith("trial 0: no error was recorded")
    assert console_table(study()) == "test: 0 trials, 0 finished, no cost known"


def test_stopped_trials_say_where_they_ended() -> None:
    table = stopped_table(training_study())
    assert table is not None
    assert table.titles[:3] == ["trial", "last val/mean_iou", "last step"]
    assert sorted(line[0] for line in table.lines) == ["4", "9"]
    assert {line[2] for line in table.lines} == {"100"}
    assert stopped_table(grouping_study()) is None


def test_failures_have_their_error_and_setting() -> None:
    table = failure_table(training_study())
    assert table is not None
    assert [line[0] for line in table.lines] == ["11", "13"]
    assert table.lines[0][1] == "RuntimeError: a|b `c` second line"
    assert "kind released" in table.lines[0][2]
    assert table.lines[1][1] == "finished, but its score is nan"
    assert failure_table(grouping_study()) is None


def test_reasons() -> None:
    assert reason(trial(0, None)) == "finished, but its score is absent"
    long = reason(trial(0, None, FAILED, error="x" * 1000))
    assert (len(long), long[-1]) == (300, "…")


def test_a_cost_that_is_nan_is_no_dearest() -> None:
    line = cost_line(study(trial(0, 0.1, cost_s=math.nan), trial(1, 0.1, cost_s=5), trial(2, 0.1, cost_s=7)))
    assert line == "12s in all, median trial 6.0s, dearest 7.0s (trial 2)"
    assert setting_table(study(trial(0, 0.1, cost_s=math.nan)), 1).lines[0][-1] == "-"
    assert failure_table(study(trial(0, None, FAILED, cost_s=math.nan))).lines[0][-1] == "-"
