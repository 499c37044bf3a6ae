from __future__ import annotations

import importlib.util

import optuna
import pytest

from eisen_ray.errors import EisenError
from eisen_ray.report.study_optuna import importances, optuna_study, require_plots
from tests.studies import grouping_study, study, training_study, trial


def test_the_guard_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    require_plots()
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "optuna" else real(name))
    with pytest.raises(EisenError, match=r"needs optuna, not installed here; .*eisen-ray\[tune\]"):
        require_plots()


def test_scored_trials_are_copied() -> None:
    copy = optuna_study(training_study())
    assert (len(copy.trials), copy.direction.name) == (28, "MAXIMIZE")
    assert copy.best_value == max(each.score for each in training_study().trials if each.score is not None)
    distributions = {name: each for trial in copy.trials for name, each in trial.distributions.items()}
    assert distributions["optim.learning_rate"].log
    assert distributions["train.steps"] == optuna.distributions.IntDistribution(64, 512), "less than a decade"
    assert distributions["model.small"].choices == ("false", "true")
    assert {"confidence.runs" in trial.params for trial in copy.trials} == {True, False}


def test_minimized() -> None:
    copy = optuna_study(study(trial(0, 0.5), trial(1, 0.25), maximize=False))
    assert (copy.best_value, copy.best_params) == (0.25, {"x": 1})


def test_the_parameter_that_decides_is_most_important() -> None:
    shares = importances(training_study())
    assert next(iter(shares)) == "optim.learning_rate"
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == {
        "optim.learning_rate", "train.steps", "confidence.kind", "model.small", "confidence.runs",
    }  # fmt: skip
    assert "kprop.width" not in importances(grouping_study()), "it has one value"


def test_none_without_enough_to_go_by() -> None:
    assert importances(study(*(trial(number, number) for number in range(9)))) == {}
    assert importances(study(*(trial(number, 0.5) for number in range(20)))) == {}
    assert importances(study(*(trial(number, number, params={"x": 1}) for number in range(20)))) == {}


def test_optuna_is_quiet_and_keeps_its_verbosity(caplog: pytest.LogCaptureFixture) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.enable_propagation()
    try:
        importances(grouping_study())
    finally:
        optuna.logging.disable_propagation()
    assert not caplog.records
    assert optuna.logging.get_verbosity() == before
