"""Plots of a whole study: parallel coordinates, importance of the parameters, and score against each parameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eisen_ray.report.plots import hex_colour, new_figure, png, series_colour
from eisen_ray.report.sheet import INK, PAPER, QUIET
from eisen_ray.report.study_axis import Axis, parameter_axis, score_range, shortened
from eisen_ray.report.study_scores import Setting, ranked, score_text, settings, short_names, varied
from eisen_ray.report.study_trials import STOPPED, Study, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE_CHARACTERS = 18
_COLUMNS = 3
_PANEL_CHARACTERS = 36
"""Digits that fit side by side under a panel."""
_BINS = 10
"""The best settings of so many parts of an axis are joined, where it has more distinct values."""


def parallel_plot(study: Study) -> bytes | None:
    """Every scored trial as a line through its parameters to its score, as PNG; the darker, the better.

    The axis of the score is the colour bar. Stopped trials are dashed, the best one is thick.

    Returns:
        None where fewer than two trials have a score or no parameter varies.
    """
    from matplotlib import colormaps

    trials, names = ranked(study), varied(study)
    if len(trials) < 2 or not names:
        return None
    axes = [parameter_axis(study, name) for name in names]
    low, high = score_range(study, [trial.score for trial in trials if trial.score is not None])
    colours = colormaps["viridis_r" if study.maximize else "viridis"]
    with new_figure(max(6.5, 2.2 + 1.35 * len(axes)), 4.4) as figure:
        plot = figure.add_subplot()
        plot.set_axis_off()
        for rank, trial in reversed(list(enumerate(trials))):
            height = _share(trial.score or 0.0, low, high)
            line = [_share(axis.place(trial.settings.get(axis.name)), axis.low, axis.high) for axis in axes]
            plot.plot(
                range(len(axes) + 1),
                [*line, height],
                color=colours(height),
                linewidth=2.6 if rank == 0 else 1.0,
                alpha=1.0 if rank == 0 else 0.65,
                linestyle="--" if trial.state == STOPPED else "-",
            )
        for place, axis in enumerate(axes):
            _draw_upright(plot, place, axis, short_names(names)[axis.name])
        _draw_colour_bar(plot, len(axes), study, (low, high))
        plot.set_xlim(-0.45, len(axes) + 0.75)
        plot.set_ylim(-0.04, 1.16)
        return png(figure)


def importance_plot(shares: Mapping[str, float]) -> bytes | None:
    """Bars, the most important parameter on top, as PNG; None without shares."""
    if not shares:
        return None
    names = short_names(list(shares))
    with new_figure(6.5, 0.8 + 0.34 * len(shares)) as figure:
        plot = figure.add_subplot()
        places = range(len(shares))
        plot.barh(places, list(shares.values()), color=series_colour(1), height=0.62)
        plot.set_yticks(places, [shortened(names[name], 32) for name in shares])
        plot.invert_yaxis()
        plot.tick_params(left=False)
        plot.set_xlim(0, 1.12 * max(shares.values()))
        plot.set_xticks([])
        plot.spines[["bottom"]].set_visible(False)
        for place, share in enumerate(shares.values()):
            plot.text(share, place, f" {share:.0%}", va="center")
        return png(figure)


def parameter_plot(study: Study, order: Sequence[str] = ()) -> bytes | None:
    """Score against the value of each varied parameter, as PNG; the best settings are joined [Decision 62].

    Args:
        study: what to draw.
        order: parameters that come first, such as the important ones.

    Returns:
        None where fewer than two trials have a score or no parameter varies.
    """
    trials, found = ranked(study), varied(study)
    if len(trials) < 2 or not found:
        return None
    names = [name for name in order if name in found] + [name for name in found if name not in order]
    titles = short_names(names)
    limits = score_range(study, [trial.score for trial in trials if trial.score is not None])
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    with new_figure(max(4.5, 3.1 * columns), 2.7 * rows + 0.35) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for place, plot in enumerate(grid.flat):
            if place >= len(names):
                plot.set_axis_off()
                continue
            _draw_parameter(plot, study, parameter_axis(study, names[place]), limits)
            plot.set_xlabel(shortened(titles[names[place]], 34))
            if place % columns == 0:
                plot.set_ylabel(study.objective)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(handles), handletextpad=0.4)
        return png(figure)


def best_by_value(found: Sequence[Setting], axis: Axis) -> list[Setting]:
    """The best setting of each value of a parameter, or of each part of its axis, in the order of the axis.

    Args:
        found: settings, best first.
        axis: that of the parameter; settings without it are left out.
    """
    having = [each for each in found if axis.name in each.params]
    places = {axis.place(each.params[axis.name]) for each in having}
    best: dict[float, Setting] = {}
    for each in having:
        place = axis.place(each.params[axis.name])
        if len(places) > _BINS:
            place = min(_BINS - 1, math.floor(_BINS * _share(place, axis.low, axis.high)))
        best.setdefault(place, each)
    return sorted(best.values(), key=lambda each: axis.place(each.params[axis.name]))


def _draw_parameter(plot: Axes, study: Study, axis: Axis, limits: tuple[float, float]) -> None:
    groups: tuple[tuple[str, str, str, list[Trial]], ...] = (
        ("trial", "#a9acb0", "#a9acb0", [trial for trial in ranked(study) if trial.state != STOPPED]),
        ("stopped trial", "none", "#a9acb0", [trial for trial in ranked(study) if trial.state == STOPPED]),
    )
    for label, face, edge, trials in groups:
        if trials:
            places = [axis.place(trial.settings.get(axis.name)) for trial in trials]
            scores = [trial.score or 0.0 for trial in trials]
            plot.scatter(places, scores, s=16, facecolors=face, edgecolors=edge, linewidths=0.9, label=label)
    best = best_by_value(settings(study), axis)
    if best:
        plot.errorbar(
            [axis.place(each.params[axis.name]) for each in best],
            [each.mean for each in best],
            yerr=[each.spread or 0.0 for each in best],
            color=series_colour(1),
            marker="o",
            markersize=4.5,
            capsize=2.5,
            linewidth=1.4,
            linestyle="none" if axis.kind == "category" else "-",
            label="best setting, ± spread over its trials",
        )
    places = [place for place, _ in axis.ticks]
    labels = [shortened(label, 10) for _, label in axis.ticks]
    span, height = axis.high - axis.low, limits[1] - limits[0]
    margin = 0.5 if axis.kind == "category" else 0.08 * span
    plot.set_xlim(axis.low - margin, axis.high + margin)
    turned = _crowded(places, labels, span + 2 * margin)
    plot.set_xticks(places, labels, rotation=35 if turned else 0, ha="right" if turned else "center")
    plot.set_ylim(limits[0] - 0.08 * height, limits[1] + 0.08 * height)
    plot.grid(axis="y")
    plot.set_axisbelow(True)


def _crowded(places: Sequence[float], labels: Sequence[str], span: float) -> bool:
    """Whether two level labels would come close to each other."""
    characters = [span / _PANEL_CHARACTERS * (len(label) + 1.5) for label in labels]
    pairs = zip(itertools.pairwise(places), itertools.pairwise(characters), strict=True)
    return any(second - first < (left + right) / 2 for (first, second), (left, right) in pairs)


def _draw_upright(plot: Axes, place: int, axis: Axis, title: str) -> None:
    plot.plot([place, place], [0, 1], color=hex_colour(QUIET), linewidth=1.0)
    plot.text(place, 1.06, shortened(title, _TITLE_CHARACTERS), ha="center", va="bottom", fontsize=9)
    for tick, label in axis.ticks:
        height = _share(tick, axis.low, axis.high)
        plot.plot([place - 0.03, place], [height, height], color=hex_colour(QUIET), linewidth=1.0)
        plot.text(
            place - 0.06,
            height,
            label,
            ha="right",
            va="center",
            fontsize=8,
            # Lines pass behind the labels.
            bbox={"facecolor": hex_colour(PAPER), "alpha": 0.85, "edgecolor": "none", "pad": 0.8},
            zorder=5,
        )


def _draw_colour_bar(plot: Axes, place: int, study: Study, limits: tuple[float, float]) -> None:
    colours = "viridis_r" if study.maximize else "viridis"
    column = [[row / 255] for row in range(256)]
    plot.imshow(column, extent=(place, place + 0.12, 0, 1), origin="lower", aspect="auto", cmap=colours, zorder=4)
    plot.text(
        place + 0.06, 1.06, shortened(study.objective, _TITLE_CHARACTERS), ha="center", va="bottom", weight="bold"
    )
    labels = bar_labels(study, limits)
    for step, label in enumerate(labels):
        height = step / (len(labels) - 1)
        plot.text(place + 0.16, height, label, ha="left", va="center", fontsize=8.5, color=hex_colour(INK))


def bar_labels(study: Study, limits: tuple[float, float]) -> list[str]:
    """Six scores from the lower to the upper limit; the worse end says if there are scores beyond it [Decision 63]."""
    low, high = limits
    labels = [score_text(low + (high - low) * step / 5) for step in range(6)]
    scores = [trial.score for trial in ranked(study) if trial.score is not None]
    if min(scores) < low:
        labels[0] = f"≤ {labels[0]}"
    if max(scores) > high:
        labels[-1] = f"≥ {labels[-1]}"
    return labels


def _share(place: float, low: float, high: float) -> float:
    """Place on an axis as 0 to 1; what lies beyond it stands at its end."""
    return min(1.0, max(0.0, (place - low) / (high - low)))
