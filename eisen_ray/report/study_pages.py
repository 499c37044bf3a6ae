"""The report of a study as a folder: its trials as JSON and CSV, a page in Markdown and HTML, plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eisen_ray.errors import DataError
from eisen_ray.report.page import Heading, Listing, Paragraph, Part, Picture, Table, html_page, markdown_page
from eisen_ray.report.study_curves import curve_cells, curve_plot
from eisen_ray.report.study_optuna import FEWEST_TRIALS, importances, require_plots
from eisen_ray.report.study_plots import importance_plot, parallel_plot, parameter_plot
from eisen_ray.report.study_scores import settings, unscored
from eisen_ray.report.study_tables import (
    FAILURES_SHOWN,
    ROWS_SHOWN,
    asked,
    best_parameters,
    console_table,
    cost_line,
    counted,
    failure_table,
    found,
    setting_table,
    stopped_table,
)
from eisen_ray.report.study_trials import STOPPED, Study, parse_study, study_csv, study_json

__all__ = ["console_table", "read_study", "require_plots", "write_study"]

TRIALS_JSON, TRIALS_CSV, REPORT_MD, REPORT_HTML = "trials.json", "trials.csv", "report.md", "report.html"
PARALLEL, IMPORTANCE, PARAMETERS, CURVES = "parallel.png", "importance.png", "parameters.png", "curves.png"
_LEFT_OUT = "trials.csv has the others."


def write_study(folder: Path, study: Study) -> None:
    """Write the report; an earlier one in the folder is overwritten, and its plots that are no more are removed.

    Args:
        folder: is made if it does not exist.
        study: finished or not; may have no trial with a score.

    Raises:
        EisenError: the extra `tune` is not installed.
    """
    require_plots()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRIALS_JSON).write_text(study_json(study), encoding="utf-8")
    (folder / TRIALS_CSV).write_text(study_csv(study), encoding="utf-8")
    shares = importances(study)
    drawn = {
        PARALLEL: parallel_plot(study),
        IMPORTANCE: importance_plot(shares),
        PARAMETERS: parameter_plot(study, list(shares)),
        CURVES: curve_plot(study),
    }
    for name, content in drawn.items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).write_bytes(content)
    pictures = {name: content for name, content in drawn.items() if content is not None}
    parts = study_parts(study, shares, pictures)
    (folder / REPORT_MD).write_text(markdown_page(parts), encoding="utf-8")
    (folder / REPORT_HTML).write_text(html_page(parts, pictures), encoding="utf-8")


def read_study(folder: Path) -> Study:
    """The study whose report lies in the folder.

    Raises:
        DataError: there is no trials.json, or it is not one of a study.
    """
    path = folder / TRIALS_JSON
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the study in {folder}: {error}. Give a folder with a {TRIALS_JSON}.") from error
    return parse_study(text, str(path))


def study_parts(study: Study, shares: Mapping[str, float], pictures: Mapping[str, bytes]) -> list[Part]:
    """What stands on the page, in order.

    Args:
        study: what to report.
        shares: importances, largest first; may be empty.
        pictures: plots that could be drawn, by file name.
    """
    parts: list[Part] = [
        Heading(1, f"Study {study.name}"),
        Paragraph(asked(study)),
        Paragraph(found(study, shares)),
        Paragraph(f"Cost: {cost_line(study)}. Trials that ran side by side count each."),
    ]
    best = best_parameters(study)
    if best is not None:
        parts += [Heading(2, "Best setting"), best, Heading(2, "Settings"), *_setting_parts(study)]
    parts += _curve_parts(study, pictures)
    parts += _plot_parts(pictures)
    parts += _other_trials(study)
    parts += [Heading(2, "How it was made"), Listing(study.command)]
    if study.facts:
        parts.append(Table(["", ""], [list(fact) for fact in study.facts.items()], frozenset({0, 1})))
    parts.append(Paragraph(f"All trials: `{TRIALS_CSV}` and `{TRIALS_JSON}` beside this page."))
    return parts


def _setting_parts(study: Study) -> list[Part]:
    parts: list[Part] = [setting_table(study, ROWS_SHOWN)]
    text = "Equal parameters are one setting; ± is the standard deviation over its trials (seeds)."
    if any(trial.state == STOPPED for trial in study.trials):
        text += " Stopped trials stand after the finished ones, whatever they had reached."
    left = len(settings(study)) - ROWS_SHOWN
    if left > 0:
        text += f" {counted(left, 'setting')} more: {_LEFT_OUT}"
    return [*parts, Paragraph(text)]


def _curve_parts(study: Study, pictures: Mapping[str, bytes]) -> list[Part]:
    titles, lines = curve_cells(study)
    if not lines:
        return []
    parts: list[Part] = [Heading(2, f"Score over {study.curve_axis}")]
    if CURVES in pictures:
        caption = "The band is the standard deviation over the trials of the setting; thin lines are all trials."
        parts.append(Picture(CURVES, f"{study.objective} over {study.curve_axis}", caption))
    return [*parts, Table(titles, lines)]


def _plot_parts(pictures: Mapping[str, bytes]) -> list[Part]:
    parts: list[Part] = []
    if PARAMETERS in pictures:
        caption = (
            "Each point is a trial, hollow if it was stopped. The line joins the best setting of each value (of each "
            "of ten parts of the axis where there are more values): what is within reach with this value. Bars "
            "are the standard deviation over the trials of that setting. Values tried more often have better chances."
        )
        parts += [
            Heading(2, "Score against each parameter"),
            Picture(PARAMETERS, "score against each parameter", caption),
        ]
    if IMPORTANCE in pictures:
        caption = (
            "How far the values of the good trials are distributed otherwise than those of all trials "
            "(PED-ANOVA of Optuna), as shares. It says what separated good from bad within the values tried."
        )
        parts += [Heading(2, "Importance"), Picture(IMPORTANCE, "importance of each parameter", caption)]
    elif PARAMETERS in pictures:
        parts.append(Paragraph(f"No importances: they need {FEWEST_TRIALS} trials with scores that differ."))
    if PARALLEL in pictures:
        caption = "A line is a trial: the darker, the better; dashed if it was stopped; the best one is thick."
        parts += [Heading(2, "All trials"), Picture(PARALLEL, "parallel coordinates of all trials", caption)]
    return parts


def _other_trials(study: Study) -> list[Part]:
    parts: list[Part] = []
    stopped, failures = stopped_table(study), failure_table(study)
    if stopped is not None:
        count = sum(trial.state == STOPPED for trial in study.trials)
        text = f"{counted(count, 'trial')} ended early because others were better. Plots show their last score."
        parts += [
            Heading(2, "Stopped trials"),
            Paragraph(text + (f" {_LEFT_OUT}" if count > ROWS_SHOWN else "")),
            stopped,
        ]
    if failures is not None:
        count = len(unscored(study))
        text = f"{counted(count, 'trial')} without a score. They count nowhere else on this page but in the cost."
        rest = f" {_LEFT_OUT}" if count > FAILURES_SHOWN else ""
        parts += [Heading(2, "Failed trials"), Paragraph(text + rest), failures]
    return parts
