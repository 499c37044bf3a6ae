from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.report.study_pages import read_study
from eisen_ray.spaces import Choice
from eisen_ray.tune_config import GroupingStudyConfig, TrainingStudyConfig
from jobs.tune import chosen_checkpoint, parse
from tests.runtime.networks import store_network

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--max-images", "2", "--hosts", "1")
FOUR = (
    *("--preset", "tiny", "--trials", "0", "--validate-every-steps", "3", "--grace-steps", "3", "--max-images", "2"),
    *("--vary", "train.learning_rate=1e-3,3e-3", "motion.threshold_px=0.5,1.0", "train.num_steps="),
    *("teacher.agreement=", "teacher.num_runs=", "model.embedding_width="),
)
"""A training study of four trials of six steps."""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The door in a process and a group of its own, with an empty folder `runs` above it."""
    command = [sys.executable, "-u", "-m", "jobs.tune", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_space_a_checkpoint_and_changes() -> None:
    name, space, address, config = parse(["quick", "runs/a", "--vary", "grouping.overlap=0.3", "--seeds", "3"])
    assert (name, address, config.seeds) == ("quick", "runs/a", 3)
    assert space.parameters["grouping.overlap"] == Choice((0.3,))
    assert isinstance(config, GroupingStudyConfig)
    name, _, address, config = parse(["--max-images", "4"])
    assert (name, address) == ("grouping", "")
    assert isinstance(parse(["training"])[3], TrainingStudyConfig)


def test_every_vary_counts() -> None:
    words = "quick --vary grouping.overlap=0.3 --seeds 2 --vary=grouping.threshold=0.5 model.scope=local --max-images 5"
    _, space, _, config = parse(words.split())
    assert (config.seeds, config.max_images) == (2, 5)
    changed = {name: space.parameters[name] for name in ("grouping.overlap", "grouping.threshold", "model.scope")}
    assert list(changed.values()) == [Choice((0.3,)), Choice((0.5,)), Choice(("local",))]


def test_training_takes_no_checkpoint() -> None:
    with pytest.raises(ConfigError, match="starts from random weights"):
        parse(["training", "runs/a"])


def test_without_a_checkpoint_the_newest_run_is_taken_else_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "weights" in chosen_checkpoint("").root
    for place, name in enumerate(("old", "new")):
        root = tmp_path / "runs" / name
        store_network(str(root), "rounds/1/net", seed=place)
        (root / "rounds/1/teacher.json").write_text('{"checkpoint": "rounds/1/net"}')
        os.utime(root / "rounds/1/teacher.json", (place, place))
    assert chosen_checkpoint("").root == str(tmp_path / "runs/new")


def test_help_is_light() -> None:
    code = (
        "import sys; sys.argv = ['tune', '--help']\n"
        "try:\n    from jobs.tune import main; main()\nexcept SystemExit:\n    pass\n"
        "sys.exit(f'{ {\"torch\", \"ray\"} & set(sys.modules) }' if {'torch', 'ray'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "SPACE" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_grouping_study_goes_on(tmp_path: Path) -> None:
    words = ("grouping", *SMALL, "--root", str(tmp_path / "study"))
    killed = start(tmp_path, *words)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("study/trials/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("study/trials/*.json")}
    assert 3 <= len(kept) < 36

    again = start(tmp_path, *words)
    told, _ = again.communicate(timeout=600)
    assert again.returncode == 0, told
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "a recorded setting was worked out again"
    assert len(read_study(tmp_path / "study/report").trials) == 36 * 7


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_training_study_of_four_trials_on_two_processors_killed_and_continued(tmp_path: Path) -> None:
    words = ("training", *FOUR, "--no-asha", "--root", str(tmp_path / "study"))
    killed = start(tmp_path, *words)
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("study/trials/*.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)
    flow = {path: path.stat().st_mtime_ns for path in tmp_path.glob("study/targets/flow/**/*.parquet")}
    assert flow

    again = start(tmp_path, *words)
    told, _ = again.communicate(timeout=900)
    assert again.returncode == 0, told
    study = read_study(tmp_path / "study/report")
    assert [trial.state for trial in study.trials] == ["finished"] * 4, told
    assert all(trial.curve[-1][0] == 6 for trial in study.trials)
    now = {path: path.stat().st_mtime_ns for path in tmp_path.glob("study/targets/flow/**/*.parquet")}
    assert now == flow, "trials worked out flow that was there"
    assert len(list(tmp_path.glob("study/targets/motion/*"))) == 2, "two thresholds, two sets of motion"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_asha_stops_what_falls_behind(tmp_path: Path) -> None:
    process = start(tmp_path, "training", *FOUR, "--root", str(tmp_path / "study"))
    told, _ = process.communicate(timeout=800)
    assert process.returncode == 0, told
    states = [trial.state for trial in read_study(tmp_path / "study/report").trials]
    assert "finished" in states
    assert set(states) <= {"finished", "stopped"}, told
