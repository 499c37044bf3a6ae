from __future__ import annotations

import math

import pytest

from eisen_ray.report.study_curves import chosen_curves, curve_cells, curve_plot, setting_curve
from eisen_ray.report.study_scores import settings
from eisen_ray.report.study_trials import FAILED, STOPPED
from tests.studies import grouping_study, opened, study, training_study, trial


def test_mean_and_spread_at_every_step() -> None:
    best = setting_curve(settings(grouping_study())[0], "best")
    assert best.steps == (10, 20, 40)
    assert best.means == pytest.approx([0.1, 0.2, 0.4])
    assert best.spreads == pytest.approx([0.02, 0.02, 0.02])


def test_uneven_curves_and_nan() -> None:
    trials = [
        trial(0, 1.0, params={"x": 1}, curve=((1, 0.5), (2, 1.0), (3, math.nan))),
        trial(1, 1.0, params={"x": 1}, curve=((1, 0.7),)),
    ]
    found = setting_curve(settings(study(*trials))[0], "")
    assert (found.steps, found.means[1]) == ((1, 2), 1.0)
    assert found.spreads[1] is None
    assert found.means[0] == pytest.approx(0.6)


def test_best_and_median_are_chosen_by_their_final_score() -> None:
    best, median = chosen_curves(grouping_study())
    assert (best.title, median.title) == ("best setting", "median setting")
    assert best.setting.mean == pytest.approx(0.4)
    assert median.setting.mean == pytest.approx(0.1), "0.4, 0.3, 0.2, 0.1, 0.1, 0"


def test_the_table_has_the_shape_of_the_plot() -> None:
    titles, lines = curve_cells(grouping_study())
    assert titles == ["KProp iterations", "best setting", "median setting"]
    assert [line[:2] for line in lines] == [
        ["10", "0.100 ± 0.020"],
        ["20", "0.200 ± 0.020"],
        ["40", "0.400 ± 0.020"],
    ]
    assert lines[2][2] in ("-", "0.100 ± 0.020")


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    curve = tuple((step, step / 100) for step in range(1, 101))
    _, lines = curve_cells(study(trial(0, 1.0, curve=curve)))
    assert len(lines) == 13
    assert (lines[0], lines[-1]) == (["1", "0.010"], ["100", "1.000"])


def test_no_curves() -> None:
    for nothing in (study(), study(trial(0, 1.0)), study(trial(0, None, FAILED, curve=((1, 0.5),)))):
        assert curve_cells(nothing) == ([], [])
        assert curve_plot(nothing) is None
    assert curve_plot(study(trial(0, 0.5, STOPPED, curve=((1, 0.5),)))) is None


def test_the_plot(recwarn: pytest.WarningsRecorder) -> None:
    for each in (grouping_study(), training_study(), study(trial(0, 0.5, curve=((1, 0.5),)))):
        assert opened(curve_plot(each)).shape[1] == 770
    assert not recwarn.list


def test_the_band_is_drawn() -> None:
    """Without spread the same lines have less colour around them."""
    flat = study(
        *(trial(n, 0.4, params={"x": n // 3}, curve=((1, 0.1 + n / 50), (2, 0.4 + n / 50))) for n in range(0, 9, 3))
    )
    wide = study(*(trial(n, 0.4, params={"x": n // 3}, curve=((1, 0.1 + n / 50), (2, 0.4 + n / 50))) for n in range(9)))

    def tinted(made: object) -> int:
        picture = opened(curve_plot(made)).astype(int)
        return int((picture[..., 2] - picture[..., 0] > 25).sum())

    assert tinted(wide) > 2 * tinted(flat)
