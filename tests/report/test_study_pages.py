from __future__ import annotations

import base64
import importlib.util
import re
from pathlib import Path

import pytest

from eisen_ray.errors import DataError, EisenError
from eisen_ray.report.study_pages import read_study, write_study
from eisen_ray.report.study_trials import FAILED, STOPPED, Study, study_json
from tests.studies import grouping_study, opened, study, training_study, trial

TEXTS = {"trials.json", "trials.csv", "report.md", "report.html"}
PLOTS = {"parallel.png", "importance.png", "parameters.png", "curves.png"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def grouping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "new" / "grouping"
    write_study(folder, grouping_study())
    return folder


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_study(folder, training_study())
    return folder


def test_a_folder_with_everything(grouping: Path) -> None:
    assert names(grouping) == TEXTS | PLOTS
    assert read_study(grouping) == grouping_study()
    for name in PLOTS:
        opened((grouping / name).read_bytes())


def test_the_first_lines_say_what_was_asked_and_what_came_out(grouping: Path) -> None:
    lines = (grouping / "report.md").read_text().splitlines()
    assert lines[0] == "# Study grouping"
    assert lines[2].startswith("Asked: which setting of `kprop.num_iterations`, `kprop.threshold`")
    assert lines[4].startswith("Came out: **0.400 ± 0.020** (3 trials)")
    assert lines[6].startswith("Cost: 42s in all, median trial 2.0s, dearest 4.0s (trial 12).")


def test_both_pages_hold_the_same_numbers(grouping: Path) -> None:
    markdown, page = (grouping / "report.md").read_text(), (grouping / "report.html").read_text()
    headings = [
        "Best setting", "Settings", "Score over KProp iterations", "Score against each parameter", "Importance",
        "All trials", "How it was made",
    ]  # fmt: skip
    assert re.findall(r"^## (.*)$", markdown, re.MULTILINE) == headings
    assert re.findall(r"<h2>(.*)</h2>", page) == headings
    cells = re.findall(r"<td[^>]*>([^<]+)</td>", page)
    assert {"0.400 ± 0.020", "0.300 ± 0.020", "0.200 ± 0.020", "runs/x", "12s"} <= set(cells)
    for cell in cells:
        assert cell in markdown
    assert "python jobs/tune.py grouping" in markdown


def test_html_holds_the_plots_of_the_folder(grouping: Path) -> None:
    page = (grouping / "report.html").read_text()
    inside = {base64.b64decode(each) for each in re.findall(r'src="data:image/png;base64,([^"]*)"', page)}
    assert inside == {(grouping / name).read_bytes() for name in PLOTS}
    assert not re.search(r"<script|<link|https?:", page)


def test_stopped_and_failed_trials_stand_apart(training: Path) -> None:
    text = (training / "report.md").read_text()
    best, failed = text.split("## Failed trials")
    assert "2 trials ended early" in best
    assert r"RuntimeError: a\|b \`c\` second line" in failed
    assert "RuntimeError" not in best
    assert "finished, but its score is nan" in failed
    assert study_json(read_study(training)) == study_json(training_study())
    assert "11 settings more: trials.csv has the others." in text
    assert "RuntimeError: a|b `c` second line" in (training / "report.html").read_text()


@pytest.mark.parametrize(
    ("few", "plots", "text"),
    [
        (study(), set(), "Came out: nothing."),
        (study(trial(0, 0.5)), set(), "Came out: **0.500**."),
        (study(trial(0, None, FAILED, error="torn"), trial(1, None, FAILED, error="worn")), set(), "worn |"),
        (study(trial(0, 0.5, STOPPED)), set(), "only of a stopped trial"),
        (study(trial(0, 0.5), trial(1, 0.6)), {"parallel.png", "parameters.png"}, "No importances: they need 10"),
    ],
)
def test_small_studies(tmp_path: Path, few: Study, plots: set[str], text: str) -> None:
    write_study(tmp_path, few)
    assert names(tmp_path) == TEXTS | plots
    assert text in (tmp_path / "report.md").read_text()
    assert read_study(tmp_path) == few


def test_written_again_old_plots_go(tmp_path: Path) -> None:
    write_study(tmp_path, study(trial(0, 0.5), trial(1, 0.6)))
    write_study(tmp_path, study(trial(0, 0.5)))
    assert names(tmp_path) == TEXTS


def test_without_the_extra_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else real(name))
    with pytest.raises(EisenError, match="matplotlib"):
        write_study(tmp_path / "new", grouping_study())
    assert not (tmp_path / "new").exists()


def test_no_study_in_the_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read the study in .*trials\.json"):
        read_study(tmp_path)
    (tmp_path / "trials.json").write_text("{}")
    with pytest.raises(DataError, match="not a study of format 1"):
        read_study(tmp_path)
