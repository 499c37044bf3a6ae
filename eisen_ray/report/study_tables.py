"""A study in words and tables: what was asked and found, the best settings, the cost, what was stopped or failed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from eisen_ray.report.page import Table, code
from eisen_ray.report.study_scores import (
    Setting,
    constants,
    parameter_text,
    ranked,
    score_text,
    settings,
    short_names,
    total_cost_s,
    unscored,
    varied,
)
from eisen_ray.report.study_trials import FAILED, FINISHED, STOPPED, Parameter, Study, Trial
from eisen_ray.report.tables import MISSING, format_duration, format_table

ROWS_SHOWN = 15
"""Settings on the page; trials.csv has all trials."""
FAILURES_SHOWN = 50
_ERROR_CHARACTERS = 300


def asked(study: Study) -> str:
    """One sentence: what was searched for, with how many trials of which settings."""
    names = varied(study) or sorted({name for trial in study.trials for name in trial.settings})
    tried = len({str(sorted(trial.settings.items())) for trial in study.trials})
    over = ", ".join(code(name) for name in names) if names else "no parameter"
    direction = "highest" if study.maximize else "lowest"
    return (
        f"Asked: which setting of {over} gives the {direction} {code(study.objective)}. "
        f"{counted(len(study.trials), 'trial')} of {counted(tried, 'setting')}: {_states(study)}."
    )


def found(study: Study, shares: Mapping[str, float]) -> str:
    """One or two sentences: the best setting and its score, beside the median, and which parameters matter.

    Args:
        study: what was searched.
        shares: importances, largest first; may be empty.
    """
    order, names = settings(study), varied(study)
    if not order:
        stopped = ranked(study)
        if not stopped:
            return "Came out: nothing. No trial has a score; the errors are below."
        best, params = f"**{score_text(stopped[0].score)}**, and only of a stopped trial", stopped[0].settings
    else:
        count = len(order[0].trials)
        best = f"**{score_text(order[0].mean, order[0].spread)}**" + (f" ({count} trials)" if count > 1 else "")
        params = order[0].params
    having = [f"{code(name)} {parameter_text(params[name])}" for name in names if name in params]
    text = f"Came out: {best}" + (f" with {', '.join(having)}" if having else "") + "."
    if len(order) > 2:
        middle = statistics.median(each.mean for each in order)
        text += (
            f" The median of {len(order)} settings scores {score_text(middle)}, the worst {score_text(order[-1].mean)}."
        )
    if shares:
        text += " Most important: " + ", ".join(f"{code(n)} ({s:.0%})" for n, s in list(shares.items())[:3]) + "."
    return text


def best_parameters(study: Study) -> Table | None:
    """Every parameter of the best setting by its full name; None without a score."""
    params = next((each.params for each in settings(study)), next((t.settings for t in ranked(study)), None))
    if params is None:
        return None
    fixed = constants(study)
    lines = [
        [
            name,
            parameter_text(value),
            "the same in all trials" if name in fixed and len(study.trials) > 1 else "",
        ]
        for name, value in params.items()
    ]
    return Table(["parameter", "best value", ""], lines, frozenset({0, 2}))


def setting_table(study: Study, rows: int) -> Table:
    """The best settings with mean and spread over their trials, then stopped trials while rows are left."""
    order, names = settings(study), varied(study)
    several = any(len(each.trials) > 1 for each in order)
    stopped = [trial for trial in ranked(study) if trial.state == STOPPED]
    titles = ["rank", study.objective, *(["trials", "worst", "best"] if several else ["trial"])]
    lines = []
    for rank, each in enumerate(order[:rows], start=1):
        lines.append([str(rank), score_text(each.mean, each.spread), *_repeats(study, each, several)])
        lines[-1] += _cells(each.params, names, sum(trial.cost_s for trial in each.trials))
    for trial in stopped[: rows - len(lines)]:
        lines.append([STOPPED, score_text(trial.score), *(["1", "", ""] if several else [str(trial.number)])])
        lines[-1] += _cells(trial.settings, names, trial.cost_s)
    short = short_names(names)
    return Table([*titles, *(short[name] for name in names), "cost"], lines)


def console_table(study: Study, rows: int = 10) -> str:
    """What the terminal shows: counts, the best settings, and how many trials failed with the first error.

    Args:
        study: finished or not.
        rows: settings shown.
    """
    lines = [f"{study.name}: {counted(len(study.trials), 'trial')}, {_states(study)}, {cost_line(study)}"]
    table = setting_table(study, rows)
    if table.lines:
        lines += ["", format_table(table.titles, table.lines, "text")]
    left = len(settings(study)) - rows
    if left > 0:
        lines.append(f"and {counted(left, 'further setting')}")
    without = unscored(study)
    if without:
        lines += [
            "",
            f"{counted(len(without), 'trial')} without a score; trial {without[0].number}: {reason(without[0])}",
        ]
    return "\n".join(lines)


def stopped_table(study: Study) -> Table | None:
    """Stopped trials, the best first, with the step at which they ended; None without any."""
    trials = [trial for trial in study.trials if trial.state == STOPPED]
    if not trials:
        return None
    order = {trial.number: rank for rank, trial in enumerate(ranked(study))}
    trials.sort(key=lambda each: order.get(each.number, len(order)))
    names = varied(study)
    lines = []
    for trial in trials[:ROWS_SHOWN]:
        ended = f"{max(step for step, _ in trial.curve):g}" if trial.curve else ""
        lines.append([str(trial.number), score_text(trial.score), ended, *_cells(trial.settings, names, trial.cost_s)])
    short = short_names(names)
    titles = ["trial", f"last {study.objective}", f"last {study.curve_axis}", *(short[name] for name in names), "cost"]
    return Table(titles, lines)


def failure_table(study: Study) -> Table | None:
    """Trials without a score, by number, with their error; None without any."""
    trials = unscored(study)
    if not trials:
        return None
    names = list(dict.fromkeys(name for trial in trials for name in trial.settings))
    short = short_names(names)
    lines = []
    for trial in trials[:FAILURES_SHOWN]:
        setting = ", ".join(f"{short[name]} {parameter_text(value)}" for name, value in trial.settings.items())
        lines.append([str(trial.number), reason(trial), setting, _duration(trial.cost_s)])
    return Table(["trial", "error", "setting", "cost"], lines, frozenset({1, 2}))


def reason(trial: Trial) -> str:
    """Why a trial has no score, in one line."""
    if trial.state == FAILED:
        text = trial.error or "no error was recorded"
        return text if len(text) <= _ERROR_CHARACTERS else text[: _ERROR_CHARACTERS - 1] + "…"
    return f"{trial.state}, but its score is " + ("absent" if trial.value is None else str(trial.value))


def cost_line(study: Study) -> str:
    """Seconds of all trials together, of the median one and of the dearest."""
    known = [trial for trial in study.trials if math.isfinite(trial.cost_s)]
    if not known:
        return "no cost known"
    costs = [trial.cost_s for trial in known]
    dearest = max(known, key=lambda each: each.cost_s)
    return (
        f"{_duration(total_cost_s(study))} in all, median trial {_duration(statistics.median(costs))}, "
        f"dearest {_duration(dearest.cost_s)} (trial {dearest.number})"
    )


def counted(count: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _states(study: Study) -> str:
    counts = {state: sum(trial.state == state for trial in study.trials) for state in (FINISHED, STOPPED, FAILED)}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count or state == FINISHED)


def _duration(seconds: float) -> str:
    """As `format_duration`, but with parts of seconds below ten: trials of a grouping study take less than one."""
    if not math.isfinite(seconds):
        return MISSING
    return f"{seconds:.1f}s" if 0 < seconds < 9.5 else format_duration(seconds)


def _repeats(study: Study, each: Setting, several: bool) -> list[str]:
    if not several:
        return [str(each.trials[0].number)]
    scores = sorted((trial.score or 0.0 for trial in each.trials), key=study.better)
    return [str(len(each.trials)), score_text(scores[-1]), score_text(scores[0])]


def _cells(params: Mapping[str, Parameter], names: Sequence[str], cost_s: float) -> list[str]:
    return [*(parameter_text(params.get(name)) for name in names), _duration(cost_s)]
