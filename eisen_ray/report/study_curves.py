"""Scores while trials ran: the curves of the best and the median setting, as numbers and as a plot."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eisen_ray.report.plots import hex_colour, new_figure, png, series_colour
from eisen_ray.report.sheet import QUIET
from eisen_ray.report.study_axis import score_range
from eisen_ray.report.study_scores import Setting, score_text, settings
from eisen_ray.report.study_trials import FAILED, STOPPED, Study
from eisen_ray.report.tables import MISSING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_STEPS = 13
"""Lines of the table, as many as a page bears."""


@dataclass(frozen=True, kw_only=True)
class SettingCurve:
    """The curves of a setting's trials, averaged."""

    title: str
    setting: Setting
    steps: tuple[float, ...]
    means: tuple[float, ...]
    spreads: tuple[float | None, ...]
    """Standard deviation over the trials that have this step (n - 1); None for a single one."""


def setting_curve(setting: Setting, title: str) -> SettingCurve:
    """Mean and spread at every step that a trial of the setting has; values that are not finite are left out."""
    values: dict[float, list[float]] = {}
    for trial in setting.trials:
        for step, value in trial.curve:
            if math.isfinite(step) and math.isfinite(value):
                values.setdefault(step, []).append(value)
    steps = tuple(sorted(values))
    return SettingCurve(
        title=title,
        setting=setting,
        steps=steps,
        means=tuple(statistics.fmean(values[step]) for step in steps),
        spreads=tuple(statistics.stdev(values[step]) if len(values[step]) > 1 else None for step in steps),
    )


def chosen_curves(study: Study) -> list[SettingCurve]:
    """The best and the median of the settings whose trials have curves; one or none where there are no more."""
    having = [each for each in settings(study) if setting_curve(each, "").steps]
    if not having:
        return []
    found = [setting_curve(having[0], "best setting")]
    if len(having) > 2:
        found.append(setting_curve(having[len(having) // 2], "median setting"))
    return found


def curve_cells(study: Study) -> tuple[list[str], list[list[str]]]:
    """Titles and lines of the table of `chosen_curves`, at most 13 steps: the first, the last and evenly between.

    Returns:
        ([], []) without curves.
    """
    curves = chosen_curves(study)
    if not curves:
        return [], []
    steps = sorted({step for curve in curves for step in curve.steps})
    if len(steps) > _MOST_STEPS:
        last = len(steps) - 1
        steps = [steps[round(place * last / (_MOST_STEPS - 1))] for place in range(_MOST_STEPS)]
    lines = []
    for step in steps:
        cells = []
        for curve in curves:
            place = curve.steps.index(step) if step in curve.steps else None
            cells.append(MISSING if place is None else score_text(curve.means[place], curve.spreads[place]))
        lines.append([f"{step:g}", *cells])
    return [study.curve_axis, *(curve.title for curve in curves)], lines


def curve_plot(study: Study) -> bytes | None:
    """Curves of the best and the median setting with a band of their spread, all trials thin behind them, as PNG.

    Returns:
        None without curves of finished trials.
    """
    curves = chosen_curves(study)
    if not curves:
        return None
    with new_figure(7.0, 3.9) as figure:
        plot = figure.add_subplot()
        shown = _draw_trials(study, plot)
        for place, curve in reversed(list(enumerate(curves))):
            colour = series_colour((1, 0)[place])
            band = [(mean, spread or 0.0) for mean, spread in zip(curve.means, curve.spreads, strict=True)]
            plot.fill_between(
                curve.steps,
                [mean - spread for mean, spread in band],
                [mean + spread for mean, spread in band],
                color=colour,
                alpha=0.22,
                linewidth=0,
            )
            count = len(curve.setting.trials)
            marker = "o" if len(curve.steps) <= _MOST_STEPS else None
            label = curve.title + (f", mean ± spread of {count} trials" if count > 1 else "")
            plot.plot(curve.steps, curve.means, color=colour, marker=marker, markersize=3.5, linewidth=2, label=label)
        low, high = score_range(study, shown)
        plot.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
        plot.set_xlabel(study.curve_axis)
        plot.set_ylabel(study.objective)
        plot.grid(axis="y")
        handles, labels = plot.get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside upper left", ncols=len(handles))
        return png(figure)


def _draw_trials(study: Study, plot: Axes) -> list[float]:
    """Draw every trial's curve thinly, a cross where it was stopped; returns all scores drawn."""
    shown: list[float] = []
    crosses: list[tuple[float, float]] = []
    for trial in study.trials:
        points = sorted((x, y) for x, y in trial.curve if math.isfinite(x) and math.isfinite(y))
        if trial.state == FAILED or not points:
            continue
        shown += [y for _, y in points]
        plot.plot(*zip(*points, strict=True), color="#c9cbcc", linewidth=0.8, zorder=1)
        if trial.state == STOPPED:
            crosses.append(points[-1])
    if crosses:
        steps, values = zip(*crosses, strict=True)
        plot.scatter(steps, values, marker="x", s=22, color=hex_colour(QUIET), linewidths=1, label="stopped")
    return shown
