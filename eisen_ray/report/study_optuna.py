"""The bridge to Optuna: our trials as one of its studies, parameter importance, and the guard of the extra `tune`."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eisen_ray.errors import EisenError
from eisen_ray.report.study_scores import categories, parameter_text, parameters, ranked, scale, varied
from eisen_ray.report.study_trials import Parameter, Study

if TYPE_CHECKING:
    import optuna

NEEDED = ("optuna", "matplotlib")
FEWEST_TRIALS = 10
"""Below, importance is noise: half of the trials would be the good ones."""
FEWEST_GOOD = 5
"""Good trials that PED-ANOVA should have at least, by Optuna's documentation."""
GOOD_SHARE = 0.1
"""Share of the trials that count as good where there are enough: Optuna's default."""


def require_plots() -> None:
    """Check that the extra `tune` is installed; cheap, so that a study can ask before it starts.

    Raises:
        EisenError: a package of the extra is missing.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise EisenError(
            f"The report of a study needs {' and '.join(missing)}, not installed here; "
            "install the extra: pip install 'eisen-ray[tune]'."
        )


def optuna_study(study: Study) -> optuna.Study:
    """All trials with a score as completed trials of an Optuna study in memory; stopped ones too [Decision 60]."""
    import optuna

    with _quiet_optuna():
        copy = optuna.create_study(direction="maximize" if study.maximize else "minimize", study_name=study.name)
        distributions = {name: _distribution(study, name) for name in parameters(study)}
        for trial in ranked(study):
            params = {name: _coerced(value, distributions[name]) for name, value in trial.settings.items()}
            copy.add_trial(
                optuna.trial.create_trial(
                    value=trial.score, params=params, distributions={name: distributions[name] for name in params}
                )
            )
    return copy


def importances(study: Study) -> dict[str, float]:
    """Share of each varied parameter in what makes a trial good, largest first, sum 1; empty with too few trials.

    PED-ANOVA asks how far the values of the good trials are distributed otherwise than those of all
    trials [Decision 61]. It handles conditional parameters and needs no further package.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    names, count = varied(study), len(ranked(study))
    if not names or count < FEWEST_TRIALS or len({trial.score for trial in ranked(study)}) == 1:
        return {}
    share = max(GOOD_SHARE, FEWEST_GOOD / count)
    with _quiet_optuna():
        found = get_param_importances(
            optuna_study(study), evaluator=PedAnovaImportanceEvaluator(target_quantile=share), params=names
        )
    return dict(sorted(found.items(), key=lambda each: -each[1]))


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Optuna reports every study that is made, and copies are no news."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distribution(study: Study, name: str) -> optuna.distributions.BaseDistribution:
    """The range that the trials have covered: the study's own search space is not part of its data."""
    import optuna

    values = [trial.settings[name] for trial in study.trials if name in trial.settings]
    kind = scale(values)
    if kind == "category":
        return optuna.distributions.CategoricalDistribution([parameter_text(each) for each in categories(values)])
    numbers = [float(value) for value in values]
    if all(isinstance(value, int) for value in values):
        return optuna.distributions.IntDistribution(round(min(numbers)), round(max(numbers)), log=kind == "log")
    return optuna.distributions.FloatDistribution(min(numbers), max(numbers), log=kind == "log")


def _coerced(value: Parameter, distribution: optuna.distributions.BaseDistribution) -> Parameter:
    import optuna

    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        # As text, since Python and Optuna take True and 1 for the same choice.
        return parameter_text(value)
    return float(value) if isinstance(distribution, optuna.distributions.FloatDistribution) else value
