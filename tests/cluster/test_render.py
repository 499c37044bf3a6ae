"""Templates are filled or refused; nothing half-filled is ever written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.conftest import load_script
from tests.shared import REPOSITORY

TEMPLATE = "a: ${ALPHA}\n# ${COMMENT}\nb: ${BETA} $HOME ${HOME_of} ${AWS::Region}\n"


def test_every_placeholder_is_filled_and_nothing_else() -> None:
    filled = load_script("render").render(TEMPLATE, {"ALPHA": "1", "BETA": "2"})
    assert filled == "a: 1\n# ${COMMENT}\nb: 2 $HOME ${HOME_of} ${AWS::Region}\n"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ALPHA": "1"}, "No value for BETA"),
        ({"ALPHA": "", "BETA": ""}, "No value for ALPHA, BETA"),
        ({"ALPHA": "<your vpc>", "BETA": "2"}, "ALPHA='<your vpc>' looks unfilled"),
        ({"ALPHA": "${BETA}", "BETA": "2"}, "looks unfilled"),
        ({"ALPHA": "1\nmax_workers: 1000", "BETA": "2"}, "line break"),
    ],
)
def test_unfilled_is_refused_by_name(values: dict[str, str], said: str) -> None:
    script = load_script("render")
    with pytest.raises(script.UnfilledError, match=said.replace("$", r"\$")):
        script.render(TEMPLATE, values)


def test_settings_are_lines_of_names_and_values() -> None:
    script = load_script("render")
    assert script.settings(["# comment", "", "A_1=x=y", 'B="z"']) == {"A_1": "x=y", "B": "z"}
    with pytest.raises(script.UnfilledError, match="Line 1 .* 'vpc: 1'"):
        script.settings(["vpc: 1"])


@pytest.mark.parametrize("name", ["aws.yaml", "kuberay.yaml"])
def test_templates_as_they_are_committed_are_refused(name: str) -> None:
    command = [sys.executable, "cluster/render.py", f"cluster/{name}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: No value for ")


def test_a_missing_file_is_named() -> None:
    command = [sys.executable, "cluster/render.py", "cluster/aws.yaml", "no-such.env"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no-such.env" in done.stderr


def test_arguments_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("${ONE} ${TWO}\n")
    (tmp_path / "s.env").write_text("ONE=1\nTWO=2\n")
    command = [sys.executable, "cluster/render.py", str(tmp_path / "t"), str(tmp_path / "s.env"), "TWO=3"]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True).stdout == "1 3\n"
