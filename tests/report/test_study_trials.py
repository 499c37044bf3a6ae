from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from eisen_ray.errors import DataError
from eisen_ray.report.study_trials import FAILED, parse_study, study_csv, study_json
from tests.studies import grouping_study, study, training_study, trial


def test_json_keeps_everything() -> None:
    grouping = grouping_study()
    assert parse_study(study_json(grouping)) == grouping
    again = parse_study(study_json(training_study()))
    assert study_json(again) == study_json(training_study())
    assert math.isnan(again.trials[13].value)


def test_json_is_strict() -> None:
    text = study_json(study(trial(0, math.inf, metrics={"loss": -math.inf}, params={"float": math.nan})))
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    found = parse_study(text).trials[0]
    assert (found.value, found.metrics["loss"], found.score) == (math.inf, -math.inf, None)
    assert found.settings == {}


def test_kinds_of_parameters_survive() -> None:
    params = {"a": True, "b": 1, "c": 1.0, "float": "nan", "d": "1", "e": 10**20}
    found = parse_study(study_json(study(trial(0, 1.0, params=params)))).trials[0].params
    assert [(type(value), value) for value in found.values()] == [(type(value), value) for value in params.values()]


def test_numbers_of_numpy_become_plain() -> None:
    made = trial(
        0, np.float32(0.5), params={"x": np.int64(3), "y": np.bool_(True)}, curve=[[np.int64(1), np.float32(2)]]
    )
    assert made == trial(0, 0.5, params={"x": 3, "y": True}, curve=((1.0, 2.0),))
    assert type(made.params["x"]) is int
    assert type(made.params["y"]) is bool


def test_an_error_is_one_line() -> None:
    assert trial(0, None, FAILED, error="a\n  b ").error == "a b"


def test_failed_trials_have_no_score() -> None:
    assert trial(0, 0.7, FAILED).score is None
    assert trial(0, None).score is None
    assert trial(0, 0.7).score == 0.7


def test_bad_trials_are_refused() -> None:
    with pytest.raises(DataError, match=r"Trial 3 has the state 'done'; expected one of finished, stopped, failed"):
        trial(3, 1.0, "done")
    with pytest.raises(DataError, match=r"Trial 3 has x = None \(NoneType\)"):
        trial(3, 1.0, params={"x": None})
    with pytest.raises(DataError, match="several trials with number 2"):
        study(trial(2, 1.0), trial(2, 2.0))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not the JSON of a study"),
        ("[]", "not a study of format 1"),
        ('{"format": 2}', "not a study of format 1"),
        ('{"format": 1}', "'trials'"),
        ('{"format": 1, "trials": [{"no": 1}]}', "no"),
        ('{"format": 1, "trials": 3}', "iterable"),
    ],
)
def test_other_text_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=f"here.json.*{complaint}"):
        parse_study(text, "here.json")


def test_csv_has_a_line_for_each_trial() -> None:
    lines = list(csv.DictReader(io.StringIO(study_csv(training_study()))))
    assert [line["number"] for line in lines] == [str(number) for number in range(30)]
    assert (lines[11]["state"], lines[11]["val/mean_iou"]) == ("failed", "")
    assert lines[11]["error"] == "RuntimeError: a|b `c` second line"
    assert lines[1]["confidence.runs"] == "", "absent there"
    assert float(lines[0]["optim.learning_rate"]) == training_study().trials[0].params["optim.learning_rate"]


def test_the_objective_is_one_column() -> None:
    text = study_csv(study(trial(0, 0.5, metrics={"val/mean_iou": 0.5, "val/recall": 0.25})))
    assert text == "number,state,val/mean_iou,seed,cost_s,x,val/recall,error\n0,finished,0.5,0,0.0,0,0.25,\n"
