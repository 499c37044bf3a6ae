from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from eisen_ray.data.layouts import list_clips
from tests.shared import REPOSITORY


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "jobs.simulate", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_help_is_light() -> None:
    code = (
        "import sys\nfrom jobs.simulate import main\nsys.argv = ['simulate', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'ray', 'numpy', 'mujoco'} & set(sys.modules)\nsys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for option in ("--root", "--train", "--val", "--test", "--size", "--frames", "--seed", "--workers", "--arm-meshes"):
        assert option in done.stdout


@pytest.mark.skipif(find_spec("mujoco") is None, reason="the extra `sim` (MuJoCo) is not installed")
@pytest.mark.slow
def test_the_door_makes_a_data_set_and_goes_on(tmp_path: Path) -> None:
    arguments = ["bridge", "--root", str(tmp_path), "--val", "1", "--test", "1", "--size", "48", "--frames", "3"]
    first = run(*arguments, "--train", "1")
    assert first.returncode == 0, first.stderr
    assert "renderer  " in first.stdout.splitlines()[0]
    assert "3 clips, 3 to make" in first.stdout
    second = run(*arguments, "--train", "2")
    assert "4 clips, 1 to make" in second.stdout
    assert len(list_clips("bridge", str(tmp_path / "train"))) == 2
    other = run(*arguments, "--train", "2", "--seed", "5")
    assert other.returncode == 2
    assert "seed: 0 -> 5" in other.stderr


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    done = run("playroom", "--root", str(tmp_path), "--frames", "7")
    assert done.returncode == 2
    assert done.stderr == (
        "error: frames is 7; expected an even number from 2 to 18: a trial of the Playroom has two frames.\n"
    )
    assert list(tmp_path.iterdir()) == []
