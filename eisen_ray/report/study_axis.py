"""Where a parameter's values stand on an axis, shared by all plots: linear, logarithmic or categories, with ticks."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from eisen_ray.report.study_scores import Scale, categories, parameter_text, ranked, scale
from eisen_ray.report.study_trials import Parameter, Study

ABSENT = "not set"
_MOST_VALUES = 7
"""Up to so many numbers are ticks themselves, if they do not stand too close."""
_TICK_GAP = 0.1
"""Least distance between two ticks as share of the axis."""
_MOST_CATEGORIES = 14
_LABEL_CHARACTERS = 14
_FENCE = 3.0
"""Scores worse than the worse quartile by so many quartile distances are off the axis (Tukey's far outliers)."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A linear axis from `low` to `high` in places; `place` says where a value stands."""

    name: str
    kind: Scale
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """(place, label)."""
    names: tuple[str, ...] = ()
    """Texts of the categories, in order."""
    absent: float | None = None
    """Place of trials without this parameter; None where all have it."""

    def place(self, value: Parameter | None) -> float:
        """Place of a value that the axis was made from; None stands for an absent one."""
        if value is None:
            return math.nan if self.absent is None else self.absent
        if self.kind == "category":
            return float(self.names.index(parameter_text(value)))
        return math.log10(float(value)) if self.kind == "log" else float(value)


def parameter_axis(study: Study, name: str) -> Axis:
    """The axis for the values that the scored trials have."""
    params = [trial.settings for trial in ranked(study)]
    values = [each[name] for each in params if name in each]
    kind = scale(values)
    names = tuple(dict.fromkeys(parameter_text(value) for value in categories(values)))
    if kind == "category":
        low, high, ticks = 0.0, float(len(names) - 1), _category_ticks(names)
    else:
        numbers = sorted({float(value) for value in values})
        places = [math.log10(number) if kind == "log" else number for number in numbers]
        low, high = places[0], places[-1]
        ticks = _number_ticks(numbers, places, kind)
    if low == high:
        low, high = low - 0.5, high + 0.5
    if all(name in each for each in params):
        return Axis(name=name, kind=kind, low=low, high=high, ticks=ticks, names=names)
    absent = low - 0.2 * (high - low)
    return Axis(
        name=name, kind=kind, low=absent, high=high, ticks=((absent, ABSENT), *ticks), names=names, absent=absent
    )


def score_range(study: Study, scores: Sequence[float]) -> tuple[float, float]:
    """From the smallest to the largest score, without those far on the worse side: one diverged trial would hide all.

    [Decision 63]

    Args:
        study: says which side is the worse one.
        scores: at least one.
    """
    low, high = min(scores), max(scores)
    if len(scores) >= 4:
        lower, _, upper = statistics.quantiles(scores, n=4, method="inclusive")
        fence = _FENCE * (upper - lower)
        if study.maximize:
            low = min(score for score in scores if score >= lower - fence)
        else:
            high = max(score for score in scores if score <= upper + fence)
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        margin = 0.05 * abs(low) or 0.05
        return low - margin, high + margin
    return low, high


def _category_ticks(names: Sequence[str]) -> tuple[tuple[float, str], ...]:
    step = math.ceil(len(names) / _MOST_CATEGORIES)
    return tuple((float(place), shortened(name)) for place, name in enumerate(names) if place % step == 0)


def shortened(text: str, characters: int = _LABEL_CHARACTERS) -> str:
    """The text, or its begin and end with dots between: names often differ at the end."""
    if len(text) <= characters:
        return text
    half = (characters - 1) // 2
    return f"{text[:half]}…{text[-(characters - 1 - half) :]}"


def _number_ticks(numbers: Sequence[float], places: Sequence[float], kind: Scale) -> tuple[tuple[float, str], ...]:
    span = places[-1] - places[0]
    gaps = [second - first for first, second in itertools.pairwise(places)]
    if len(numbers) <= _MOST_VALUES and all(gap >= _TICK_GAP * span for gap in gaps):
        return tuple((place, parameter_text(number)) for place, number in zip(places, numbers, strict=True))
    marks = _log_marks(places[0], places[-1]) if kind == "log" else _linear_marks(places[0], places[-1])
    return tuple((math.log10(mark) if kind == "log" else mark, f"{mark:.6g}") for mark in marks)


def _log_marks(low: float, high: float) -> list[float]:
    """Round numbers between two exponents: 1, 3 or 1, 2, 5 in each decade where decades alone would be too few."""
    found: list[float] = []
    for digits in ((1,), (1, 3), (1, 2, 5)):
        exponents = range(math.floor(low), math.ceil(high) + 1)
        every = max(1, len(exponents) // _MOST_VALUES)
        marks = [digit * 10.0**exponent for exponent in exponents[::every] for digit in digits]
        found = [mark for mark in marks if low - 1e-9 <= math.log10(mark) <= high + 1e-9]
        if len(found) >= 3:
            break
    return found


def _linear_marks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten: three to seven of them."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [count * step for count in range(first, last + 1)]
