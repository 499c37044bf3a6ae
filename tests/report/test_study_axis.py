from __future__ import annotations

import itertools
from typing import Any

import pytest

from eisen_ray.report.study_axis import ABSENT, Axis, parameter_axis, score_range, shortened
from tests.studies import study, training_study, trial


def axis(*values: Any) -> Axis:
    trials = [trial(number, 0.1, params={} if each is None else {"x": each}) for number, each in enumerate(values)]
    return parameter_axis(study(*trials), "x")


def labels(found: Axis) -> list[str]:
    return [label for _, label in found.ticks]


def test_few_numbers_are_the_ticks() -> None:
    assert labels(axis(10, 40, 20)) == ["10", "20", "40"]


def test_numbers_too_close_are_not() -> None:
    assert labels(axis(10, 10.1, 20)) == ["10", "12", "14", "16", "18", "20"]


def test_a_logarithmic_axis_has_round_numbers() -> None:
    found = parameter_axis(training_study(), "optim.learning_rate")
    assert found.kind == "log"
    assert found.place(1e-3) == pytest.approx(-3)
    assert {"0.0001", "0.001"} <= set(labels(found))
    assert labels(axis(*(2**power for power in range(-3, 18)))) == ["1", "10", "100", "1000", "10000", "100000"]
    assert labels(axis(*(2 ** (power / 4) for power in range(17)))) == ["1", "3", "10"]


def test_ticks_lie_on_the_axis() -> None:
    for name in ("optim.learning_rate", "train.steps", "confidence.kind", "model.small", "confidence.runs"):
        found = parameter_axis(training_study(), name)
        places = [place for place, _ in found.ticks]
        assert found.low - 1e-6 <= min(places) <= max(places) <= found.high + 1e-6
        assert all(second > first for first, second in itertools.pairwise(places))


def test_absent_values_stand_apart() -> None:
    found = axis(1, 2, None)
    assert labels(found) == [ABSENT, "1", "2"]
    assert found.place(None) == found.low < found.place(1)


def test_categories_stand_in_order() -> None:
    found = axis("b", 3, True, "a")
    assert labels(found) == ["3", "true", "a", "b"]
    assert found.place("a") == 2


def test_many_long_categories_are_thinned_and_shortened() -> None:
    found = axis(*(f"a-rather-long-name-{number:02d}" for number in range(40)))
    assert len(found.ticks) == 14
    assert labels(found)[1] == "a-rath…name-03"


def test_one_value_has_an_axis() -> None:
    found = axis(5, None)
    assert found.low < found.place(5) < found.high


def test_shortened_keeps_both_ends() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcdef", 5) == "ab…ef"


def test_the_worse_side_is_fenced() -> None:
    scores = [0.1, 0.2, 0.3, 0.4, -50.0]
    assert score_range(study(), scores) == (0.1, 0.4)
    assert score_range(study(maximize=False), scores) == (-50.0, 0.4)
    assert score_range(study(maximize=False), [0.1, 0.2, 0.3, 0.4, 1e9]) == (0.1, 0.4)


def test_equal_scores_have_a_range() -> None:
    assert score_range(study(), [0.0]) == (-0.05, 0.05)
    low, high = score_range(study(), [2.0, 2.0])
    assert low < 2.0 < high
