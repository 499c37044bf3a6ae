"""What the trials of a study say: ranks, means over seeds, which parameters varied and on what kind of axis."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eisen_ray.report.study_trials import FINISHED, STOPPED, Parameter, Study, Trial
from eisen_ray.report.tables import MISSING

Scale = Literal["category", "linear", "log"]

LOG_SPAN = 10.0
"""An axis can be logarithmic from one decade on: over less, a linear one reads as well."""

_NOISE = 1e-12
"""Below, a score is what rounding has left of 0."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """All finished trials with equal parameters: they differ by seed, or repeat each other."""

    params: dict[str, Parameter]
    trials: tuple[Trial, ...]
    mean: float
    spread: float | None
    """Standard deviation over the trials (n - 1); None for a single one."""


def ranked(study: Study) -> list[Trial]:
    """Trials that have a score, best first: the finished ones, then the stopped ones [Decision 60]."""
    scored = [trial for trial in study.trials if trial.score is not None]
    return sorted(scored, key=lambda each: (each.state == STOPPED, study.better(_score(each)), each.number))


def unscored(study: Study) -> list[Trial]:
    """Failed trials and those whose objective is absent or not finite, by number."""
    return sorted((trial for trial in study.trials if trial.score is None), key=lambda each: each.number)


def settings(study: Study) -> list[Setting]:
    """Settings with at least one finished trial, best mean first."""
    groups: dict[tuple[tuple[str, str, Parameter], ...], list[Trial]] = {}
    for trial in ranked(study):
        if trial.state == FINISHED:
            groups.setdefault(_setting_key(trial), []).append(trial)
    found = []
    for trials in groups.values():
        scores = [_score(trial) for trial in trials]
        spread = statistics.stdev(scores) if len(scores) > 1 else None
        mean = statistics.fmean(scores)
        found.append(Setting(params=trials[0].settings, trials=tuple(trials), mean=mean, spread=spread))
    return sorted(found, key=lambda each: (study.better(each.mean), each.trials[0].number))


def parameters(study: Study) -> list[str]:
    """Names of all parameters, in the order in which trials first have them."""
    return list(dict.fromkeys(name for trial in study.trials for name in trial.settings))


def varied(study: Study) -> list[str]:
    """Parameters that differ between the trials that have a score, or that only some of these have."""
    scored = [trial.settings for trial in ranked(study)]
    found = []
    for name in parameters(study):
        values = {_typed(params[name]) for params in scored if name in params}
        missing = any(name not in params for params in scored)
        if len(values) > 1 or (values and missing):
            found.append(name)
    return found


def constants(study: Study) -> dict[str, Parameter]:
    """Parameters that have one and the same value in every trial."""
    found = {}
    for name in parameters(study):
        values = [trial.settings.get(name) for trial in study.trials]
        if None not in values and len({_typed(value) for value in values if value is not None}) == 1:
            found[name] = study.trials[0].settings[name]
    return found


def scale(values: Sequence[Parameter]) -> Scale:
    """How to draw a parameter: texts, truth values and mixtures as categories, numbers along an axis.

    The axis is logarithmic where the values span a decade and lie around their geometric rather than their
    arithmetic centre, as draws from a logarithmic range do, and powers of two.
    """
    if any(isinstance(value, str | bool) or math.isinf(value) for value in values):
        return "category"
    distinct = sorted({float(value) for value in values})
    if len(distinct) < 3:
        return "linear"
    low, high = distinct[0], distinct[-1]
    if low <= 0 or high < LOG_SPAN * low:
        return "linear"
    middle = statistics.median(distinct)
    place_linear = (middle - low) / (high - low)
    place_log = math.log(middle / low) / math.log(high / low)
    return "log" if abs(place_log - 0.5) < abs(place_linear - 0.5) else "linear"


def categories(values: Sequence[Parameter]) -> list[Parameter]:
    """Distinct values in order: numbers by size, then truth values, then texts by letter."""
    return sorted({_typed(value): value for value in values}.values(), key=_category_order)


def parameter_text(value: Parameter | None) -> str:
    """A value as a reader writes it: `0.00032`, `30`, `true`, `release`; "-" for None."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "infinite" if value > 0 else "-infinite"
    return str(value)


def score_text(score: float | None, spread: float | None = None) -> str:
    """A score as `0.412`, with its spread as `0.412 ± 0.010`; three decimals, or three digits if tiny or huge."""
    if score is None or not math.isfinite(score):
        return MISSING
    if abs(score) < _NOISE:
        score = 0.0
    spec = ".3f" if score == 0 or 0.01 <= abs(score) < 1000 else ".3g"
    return f"{score:{spec}}" if spread is None else f"{score:{spec}} ± {spread:{spec}}"


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted name, or as many parts as it needs to differ from the others."""
    short = {}
    for name in names:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            tail = ".".join(parts[-count:])
            if not any(other != name and f".{other}".endswith(f".{tail}") for other in names):
                break
        short[name] = tail
    return short


def total_cost_s(study: Study) -> float:
    """Wall-clock seconds of all trials together; trials that ran side by side count each."""
    return sum(trial.cost_s for trial in study.trials if math.isfinite(trial.cost_s))


def _score(trial: Trial) -> float:
    return math.nan if trial.score is None else trial.score


def _category_order(value: Parameter) -> tuple[int, float, str]:
    return (2, 0.0, value) if isinstance(value, str) else (int(isinstance(value, bool)), float(value), "")


def _typed(value: Parameter) -> tuple[str, Parameter]:
    """Keeps True apart from 1 and 1.0, which Python calls equal; 1 and 1.0 stay one value."""
    kind = "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    return kind, value


def _setting_key(trial: Trial) -> tuple[tuple[str, str, Parameter], ...]:
    return tuple((name, *_typed(value)) for name, value in sorted(trial.settings.items()))
