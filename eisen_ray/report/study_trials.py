"""A study as plain data: its trials, their parameters and scores, and the JSON and CSV that keep them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from eisen_ray.errors import DataError

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
STATES = (FINISHED, STOPPED, FAILED)
Parameter = float | int | str | bool
FORMAT = 1
"""Version of trials.json; a reader refuses any other."""
_NUMBER = "$float"
"""Key of the object that stands for a number that JSON does not know: NaN and the infinities."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting, run once.

    Raises:
        DataError: an unknown state, or a parameter that is no number, text or truth value.
    """

    number: int
    """From 0, unique in its study."""
    params: dict[str, Parameter]
    """Dotted names of config fields and their values; a conditional parameter is absent where it has no meaning."""
    value: float | None
    """The objective: the last one for a stopped trial, None for a failed one."""
    state: str
    """`finished`, `stopped` (early, because others were better) or `failed`."""
    seed: int = 0
    cost_s: float = 0.0
    """Wall-clock seconds."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Further metrics by key, such as `val/recall`."""
    curve: tuple[tuple[float, float], ...] = ()
    """(step, objective) while the trial ran."""
    error: str = ""
    """One line, for failed trials."""
    sheet: str = ""
    """Contact sheet, a PNG under the study's root; numbers of iterations of one setting share it."""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise DataError(f"Trial {self.number} has the state {self.state!r}; expected one of {', '.join(STATES)}.")
        params = {name: _plain(value) for name, value in self.params.items()}
        for name, value in params.items():
            if not isinstance(value, float | int | str | bool):
                raise DataError(
                    f"Trial {self.number} has {name} = {value!r} ({type(value).__name__}); expected a number, a text "
                    "or a truth value. Leave a parameter out where it has no value."
                )
        # Frozen, so the ordinary assignment is closed; numpy's numbers become Python's, which JSON and equality need.
        object.__setattr__(self, "params", params)
        object.__setattr__(self, "value", None if self.value is None else float(self.value))
        object.__setattr__(self, "cost_s", float(self.cost_s))
        object.__setattr__(self, "metrics", {name: float(value) for name, value in self.metrics.items()})
        object.__setattr__(self, "curve", tuple((float(step), float(value)) for step, value in self.curve))
        object.__setattr__(self, "error", " ".join(self.error.split()))

    @property
    def score(self) -> float | None:
        """The objective if it can be compared: None for failed trials and where it is absent or not finite."""
        if self.state == FAILED or self.value is None or not math.isfinite(self.value):
            return None
        return self.value

    @property
    def settings(self) -> dict[str, Parameter]:
        """The parameters without those that are not a number (NaN): these count as absent."""
        return {name: value for name, value in self.params.items() if value == value}


@dataclass(frozen=True, kw_only=True)
class Study:
    """All trials of a study and what it searched for.

    Raises:
        DataError: two trials have the same number.
    """

    name: str
    objective: str
    """Metric key, such as `val/mean_iou`."""
    maximize: bool
    trials: tuple[Trial, ...]
    command: str
    """The command line that made the study."""
    facts: dict[str, str] = field(default_factory=dict)
    """What else a reader must know: checkpoint, data, commit, hardware."""
    curve_axis: str = "step"
    """Label of the first column of the curves."""

    def __post_init__(self) -> None:
        numbers = [trial.number for trial in self.trials]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise DataError(f"Study {self.name!r} has several trials with number {twice[0]}; numbers must be unique.")

    def better(self, score: float) -> float:
        """Sort key of a score: smaller is better, whatever the direction."""
        return -score if self.maximize else score


def study_json(study: Study) -> str:
    """The study as JSON text that `parse_study` reads; strict JSON, so numbers that are not finite stand as objects."""
    return json.dumps(_encoded({"format": FORMAT, **asdict(study)}), indent=1, allow_nan=False) + "\n"


def parse_study(text: str, origin: str = "the text") -> Study:
    """A study from the JSON text of `study_json`.

    Args:
        text: content of trials.json.
        origin: where it comes from, for error messages.

    Raises:
        DataError: not JSON, of another format, or with fields that a study does not have.
    """
    try:
        content = _decoded(json.loads(text))
    except (ValueError, TypeError) as error:
        raise DataError(f"{origin} is not the JSON of a study: {error}.") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise DataError(f"{origin} is not a study of format {FORMAT}; make it again with this version of the package.")
    try:
        trials = tuple(Trial(**trial) for trial in content.pop("trials"))
        return Study(trials=trials, **content)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{origin} is not a study of format {FORMAT}: {error}.") from error


def study_csv(study: Study) -> str:
    """One line per trial, in order of number: state, objective, seed, seconds, each parameter, each metric, error."""
    params = sorted({name for trial in study.trials for name in trial.params})
    metrics = sorted({name for trial in study.trials for name in trial.metrics} - {study.objective})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "state", study.objective, "seed", "cost_s", *params, *metrics, "error"])
    for trial in sorted(study.trials, key=lambda each: each.number):
        value = "" if trial.value is None else trial.value
        cells = [trial.params.get(name, "") for name in params] + [trial.metrics.get(name, "") for name in metrics]
        writer.writerow([trial.number, trial.state, value, trial.seed, trial.cost_s, *cells, trial.error])
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Numpy's scalars as Python's own; everything else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def _encoded(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return {_NUMBER: repr(content)}
    if isinstance(content, Mapping):
        return {key: _encoded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_encoded(value) for value in content]
    return content


def _decoded(content: Any) -> Any:
    if isinstance(content, dict):
        if content.keys() == {_NUMBER}:
            return float(content[_NUMBER])
        return {key: _decoded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_decoded(value) for value in content]
    return content
