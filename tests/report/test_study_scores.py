from __future__ import annotations

import math
from typing import Any

import pytest

from eisen_ray.report.study_scores import (
    categories,
    constants,
    parameter_text,
    parameters,
    ranked,
    scale,
    score_text,
    settings,
    short_names,
    total_cost_s,
    unscored,
    varied,
)
from eisen_ray.report.study_trials import FAILED, STOPPED
from tests.studies import grouping_study, study, training_study, trial


@pytest.mark.parametrize(("maximize", "order"), [(True, [2, 0, 3, 1]), (False, [0, 2, 1, 3])])
def test_finished_trials_rank_before_stopped_ones(maximize: bool, order: list[int]) -> None:
    trials = [trial(0, 0.1), trial(1, 0.8, STOPPED), trial(2, 0.2), trial(3, 0.9, STOPPED), trial(4, 9.0, FAILED)]
    found = study(*trials, trial(5, math.nan), maximize=maximize)
    assert [each.number for each in ranked(found)] == order
    assert [each.number for each in unscored(found)] == [4, 5]


def test_seeds_make_one_setting() -> None:
    best, *others = settings(grouping_study())
    assert best.params == {"kprop.num_iterations": 40, "kprop.threshold": 0.3, "kprop.width": 16}
    assert (len(best.trials), len(others)) == (3, 5)
    assert best.mean == pytest.approx(0.4)
    assert best.spread == pytest.approx(0.02)
    assert [each.mean for each in others] == sorted((each.mean for each in others), reverse=True)


def test_stopped_trials_belong_to_no_setting() -> None:
    (found,) = settings(study(trial(0, 0.5, params={"x": 1}), trial(1, 0.9, STOPPED, params={"x": 1})))
    assert (found.mean, found.spread) == (0.5, None)


def test_true_is_not_one() -> None:
    trials = [trial(0, 0.1, params={"x": True}), trial(1, 0.2, params={"x": 1}), trial(2, 0.3, params={"x": 1.0})]
    assert [len(each.trials) for each in settings(study(*trials))] == [2, 1]
    assert categories([True, 1, 1.0, "b", False, "a", 0.5]) == [0.5, 1, False, True, "a", "b"]


def test_varied_and_constant_parameters() -> None:
    assert varied(grouping_study()) == ["kprop.num_iterations", "kprop.threshold"]
    assert constants(grouping_study()) == {"kprop.width": 16}
    assert "confidence.runs" in varied(training_study())
    conditional = study(trial(0, 0.1, params={"a": 1, "b": 5}), trial(1, 0.2, params={"a": 1}))
    assert (parameters(conditional), varied(conditional), constants(conditional)) == (["a", "b"], ["b"], {"a": 1})


def test_what_only_failed_trials_have_does_not_vary() -> None:
    assert varied(study(trial(0, 0.1, params={"a": 1}), trial(1, None, FAILED, params={"a": 2}))) == []


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 4, 8, 16], "log"),
        ([1e-5, 3e-4, 1e-2], "log"),
        ([10, 20, 30, 40], "linear"),
        ([1, 50, 100], "linear"),
        ([0, 1, 100], "linear"),
        ([1, 1000], "linear"),
        (["a", "b"], "category"),
        ([True, False], "category"),
        ([1, "auto"], "category"),
        ([1.0, math.inf], "category"),
    ],
)
def test_scale(values: list[Any], kind: str) -> None:
    assert scale(values) == kind


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "true"), (0.00032, "0.00032"), (30, "30"), (math.inf, "infinite"), ("a", "a")],
)
def test_parameter_text(value: Any, text: str) -> None:
    assert parameter_text(value) == text


def test_score_text() -> None:
    assert score_text(0.41234) == "0.412"
    assert score_text(0.41234, 0.0101) == "0.412 ± 0.010"
    assert score_text(0.000123456) == "0.000123"
    assert score_text(-1234567.0) == "-1.23e+06"
    assert score_text(-1e-17) == "0.000"
    assert score_text(None) == score_text(math.nan) == "-"


def test_short_names_stay_apart() -> None:
    names = ["kprop.threshold", "motion.threshold", "kprop.width", "threshold"]
    assert list(short_names(names).values()) == ["kprop.threshold", "motion.threshold", "width", "threshold"]


def test_cost() -> None:
    assert (
        total_cost_s(study(trial(0, 1.0, cost_s=2), trial(1, None, FAILED, cost_s=3), trial(2, 1.0, cost_s=math.nan)))
        == 5
    )
