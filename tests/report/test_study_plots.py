from __future__ import annotations

import pytest

from eisen_ray.report.plots import DOTS_PER_INCH
from eisen_ray.report.study_axis import parameter_axis
from eisen_ray.report.study_plots import bar_labels, best_by_value, importance_plot, parallel_plot, parameter_plot
from eisen_ray.report.study_scores import settings
from eisen_ray.report.study_trials import FAILED, FINISHED, STOPPED, Study
from tests.studies import grouping_study, opened, study, training_study, trial


def test_parallel_coordinates_grow_with_the_parameters() -> None:
    few, many = opened(parallel_plot(grouping_study())), opened(parallel_plot(training_study()))
    assert few.shape[1] == round(6.5 * DOTS_PER_INCH)
    assert many.shape[1] == pytest.approx((2.2 + 5 * 1.35) * DOTS_PER_INCH, abs=1)


def test_the_best_trial_is_drawn_thick_and_dark() -> None:
    """Viridis ends in (68, 1, 84): the line of the best trial and the end of the colour bar."""
    picture = opened(parallel_plot(grouping_study())).astype(int)
    middle = picture[:, : picture.shape[1] // 2]
    dark = (abs(middle - [68, 1, 84]).max(-1) < 12).sum()
    assert dark > 300


@pytest.mark.parametrize("plot", [parallel_plot, parameter_plot])
@pytest.mark.parametrize(
    "nothing",
    [
        study(),
        study(trial(0, 0.5)),
        study(trial(0, None, FAILED), trial(1, None, FAILED)),
        study(trial(0, 0.5, params={"x": 1}), trial(1, 0.6, params={"x": 1})),
    ],
)
def test_nothing_to_draw(plot: object, nothing: Study) -> None:
    assert plot(nothing) is None


@pytest.mark.parametrize(
    "odd",
    [
        study(trial(0, 0.5), trial(1, 0.5)),
        study(trial(0, 0.5, STOPPED), trial(1, 0.4, STOPPED)),
        study(trial(0, 0.5, params={"a_$": 1}), trial(1, 0.4, params={})),
        study(*(trial(n, n / 30, params={"name": f"checkpoint-{n}/of/a/run"}) for n in range(30)), maximize=False),
    ],
)
def test_odd_studies_are_drawn(odd: Study, recwarn: pytest.WarningsRecorder) -> None:
    opened(parallel_plot(odd))
    opened(parameter_plot(odd))
    assert not recwarn.list


def ink(content: bytes | None, colour: tuple[int, int, int], below: int = 0) -> int:
    """Pixels of a colour, give or take, below a line."""
    return int((abs(opened(content)[below:].astype(int) - colour).max(-1) < 12).sum())


def pair(state: str, maximize: bool = True) -> Study:
    return study(trial(0, 0.5, params={"x": 1}), trial(1, 0.1, state, params={"x": 3}), maximize=maximize)


def test_stopped_trials_are_dashed_and_hollow() -> None:
    dashed, whole = (opened(parallel_plot(pair(state))) for state in (STOPPED, FINISHED))
    drawn = [int((each != each[0, 0]).any(-1).sum()) for each in (dashed, whole)]
    assert drawn[0] < drawn[1] - 200
    # Below the legend, a point that no best setting covers.
    others = [trial(0, 0.5, params={"x": 1}), trial(1, 0.3, params={"x": 3})]
    hollow, full = (study(*others, trial(2, 0.1, state, params={"x": 1})) for state in (STOPPED, FINISHED))
    grey = (169, 172, 176)
    assert ink(parameter_plot(hollow), grey, below=45) < ink(parameter_plot(full), grey, below=45) - 10


def test_bars_are_as_long_as_the_spread() -> None:
    def seeds(spread: float) -> Study:
        values = [(x, x / 10 + sign * spread) for x in (1, 3) for sign in (-1, 1)] + [(2, 0.0), (2, 0.6)]
        return study(*(trial(number, value, params={"x": x}) for number, (x, value) in enumerate(values)))

    blue = (66, 146, 220)
    assert ink(parameter_plot(seeds(0.05)), blue) > ink(parameter_plot(seeds(0.0)), blue) + 50


def test_the_colour_bar_says_where_scores_lie_beyond() -> None:
    """decision 63"""
    assert bar_labels(pair(FINISHED), (0.1, 0.5)) == ["0.100", "0.180", "0.260", "0.340", "0.420", "0.500"]
    assert bar_labels(pair(FINISHED), (0.2, 0.5))[0] == "≤ 0.200"
    assert bar_labels(pair(FINISHED, maximize=False), (0.1, 0.4))[-1] == "≥ 0.400"


def test_panels_stand_in_rows_of_three() -> None:
    two, five = opened(parameter_plot(grouping_study())), opened(parameter_plot(training_study()))
    assert (five.shape[1], five.shape[0]) == (round(9.3 * DOTS_PER_INCH), round(5.75 * DOTS_PER_INCH))
    assert two.shape[0] < five.shape[0]


def test_important_parameters_come_first() -> None:
    given = opened(parameter_plot(grouping_study(), ["kprop.threshold", "kprop.num_iterations"]))
    assert (given == opened(parameter_plot(grouping_study()))).all() == False  # noqa: E712
    assert (given == opened(parameter_plot(grouping_study(), ["kprop.threshold"]))).all()


def test_a_bar_for_each_share() -> None:
    assert importance_plot({}) is None
    two, three = opened(importance_plot({"a": 0.7, "b": 0.3})), opened(importance_plot({"a": 0.6, "b": 0.3, "c": 0.1}))
    assert three.shape[0] - two.shape[0] == pytest.approx(0.34 * DOTS_PER_INCH, abs=1)
    # Bars are as long as their shares: blue pixels of the two bars.
    blue = (abs(two.astype(int) - [66, 146, 220]).max(-1) < 10).sum(1)
    assert blue[: len(blue) // 2].max() / blue[len(blue) // 2 :].max() == pytest.approx(0.7 / 0.3, rel=0.03)


def test_the_best_setting_of_each_value() -> None:
    """decision 62"""
    grouping = grouping_study()
    best = best_by_value(settings(grouping), parameter_axis(grouping, "kprop.num_iterations"))
    assert [each.params["kprop.num_iterations"] for each in best] == [10, 20, 40]
    assert [each.mean for each in best] == pytest.approx([0.1, 0.2, 0.4])


def test_many_values_are_taken_together() -> None:
    many = study(*(trial(number, number % 10, params={"x": number}) for number in range(100)))
    best = best_by_value(settings(many), parameter_axis(many, "x"))
    assert [each.params["x"] for each in best] == [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]


def test_settings_without_the_parameter_have_no_part_in_its_curve() -> None:
    training = training_study()
    best = best_by_value(settings(training), parameter_axis(training, "confidence.runs"))
    assert sorted({each.params["confidence.runs"] for each in best}) == [2, 3, 4, 5, 6]
