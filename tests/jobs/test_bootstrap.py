from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eisen_ray.presets import PRESETS, quickstart
from eisen_ray.runtime.storage import Store
from jobs.bootstrap import parse
from tests.jobs.conftest import Start

ROOT = Path(__file__).resolve().parents[2]


def test_quickstart_is_what_runs_without_arguments() -> None:
    assert parse([]) == quickstart()


def test_fields_can_be_set_with_and_without_a_preset() -> None:
    assert parse(["--train.num-steps", "7"]).train.num_steps == 7
    config = parse(["bridge", "--data.source", "/data/x", "--train.num-steps", "50"])
    assert (config.data.layout, config.data.source, config.train.num_steps) == ("bridge", "/data/x", 50)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_offered_unchanged(name: str) -> None:
    assert parse([name]) == PRESETS[name]()


def test_unknown_preset_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["quickstrat"])
    assert "quickstart" in capsys.readouterr().err


def test_help_is_light() -> None:
    code = "import sys; from jobs.bootstrap import parse\ntry: parse(['--help'])\nexcept SystemExit: pass\n"
    code += "print('loaded:', {'torch', 'ray', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "loaded: set()" in done.stdout
    assert "quickstart" in done.stdout
    assert "--plan" in done.stdout


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read the process's lines until one holds the text."""
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"ended without {text!r}:\n{''.join(lines)}")


LONG = ("--train.num-steps", "40", "--train.checkpoint-every-steps", "4")
"""Where to stop and how often to save are part of the command that is given again."""


def resumed_step(told: str, round_number: int) -> int:
    """The step at which a round's student says it starts."""
    line = next(line for line in told.splitlines() if f"round {round_number}  student starts at step" in line)
    return int(line.split("step ")[1].split()[0])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("round_number", [1, 2])
def test_killed_driver_goes_on_where_it_was(start: Start, tmp_path: Path, round_number: int) -> None:
    killed = start(tmp_path / "run", *LONG)
    told = wait_for(killed, f"round {round_number}  student  10/40")
    assert "flow ready: 24 images computed" in told
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)

    again = start(tmp_path / "run", *LONG)
    told, _ = again.communicate(timeout=600)
    assert again.returncode == 0, told
    assert resumed_step(told, round_number) >= 4
    assert told.count("done before") == round_number - 1
    assert told.count("flow ready: ") == told.count("flow ready: 0 images computed"), "flow was computed again"
    assert Store(str(tmp_path / "run")).exists("rounds/2/teacher.json")

    finished = start(tmp_path / "run", *LONG)
    told, _ = finished.communicate(timeout=300)
    assert finished.returncode == 0, told
    assert told.count("done before") == 2
    assert "checkpoint  " in told


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ctrl_c_in_round_2_goes_on_there(start: Start, tmp_path: Path) -> None:
    process = start(tmp_path / "run", *LONG)
    wait_for(process, "round 2  student  10/40")
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 130, told
    again = start(tmp_path / "run", *LONG)
    told, _ = again.communicate(timeout=600)
    assert again.returncode == 0, told
    assert resumed_step(told, 2) >= 4
    assert told.count("flow ready: ") == told.count("flow ready: 0 images computed"), "flow was computed again"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("when", ["student   1 training worker", "/2000  loss"], ids=["at the start", "in training"])
def test_stopped_driver_says_how_to_go_on(
    start: Start, tmp_path: Path, when: str, number: signal.Signals, code: int
) -> None:
    process = start(tmp_path / "run", "--train.num-steps", "2000", "--train.log-every-steps", "2")
    wait_for(process, when)
    time.sleep(1)
    process.send_signal(number)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == code, told
    assert "stopped; run the same command to continue" in told
    assert "Traceback" not in told


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_plan_is_printed_and_nothing_else_happens(start: Start, tmp_path: Path) -> None:
    process = start(tmp_path / "run", "--plan")
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert "student   1 training worker, 1 CPU each; 1 on" in told
    assert not (tmp_path / "run").exists()
    refused = start(tmp_path / "run", "--plan", "--resources.train-cpus", "4096")
    told, _ = refused.communicate(timeout=120)
    assert refused.returncode == 2, told
    assert "error: A training worker needs 4096 CPUs on one machine" in told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wrong_root_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    process = start(tmp_path / "file")
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "error: Storage root" in told
    assert "Traceback" not in told
