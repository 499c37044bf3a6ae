"""What the method claims, on the clips inside the package: rounds improve, and explaining away pays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eisen_ray.runtime.layout import evaluation_file
from eisen_ray.runtime.storage import Store

ROOT = Path(__file__).resolve().parents[2]
# The quickstart's own steps, with the flow that needs no weights: see docs/results/quickstart.md.
STORY = ("quickstart", "--flow.estimator", "dis", "--rounds.num-rounds", "2")

Scores = dict[str, float]


def rounds_of(root: Path, *settings: str) -> list[Scores]:
    """Run the main job as a user would; the scores of its rounds."""
    done = subprocess.run(
        [sys.executable, "jobs/bootstrap.py", *STORY, "--root", str(root), *settings],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    store = Store(str(root))
    return [store.read_json(evaluation_file(number))["scores"] for number in (1, 2)]


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Flow and motion that the runs share."""
    return str(tmp_path_factory.mktemp("targets"))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, targets: str) -> list[Scores]:
    return rounds_of(tmp_path_factory.mktemp("story") / "run", "--targets", targets)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_rounds_improve(story: list[Scores]) -> None:
    first, second = (scores["mean_iou"] for scores in story)
    assert second > 1.15 * first, (first, second)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_explaining_away_pays(story: list[Scores], tmp_path: Path, targets: str) -> None:
    without = rounds_of(tmp_path / "run", "--targets", targets, "--teacher.no-explaining-away")
    with_it = story[1]
    assert with_it["mean_iou"] > without[1]["mean_iou"], (with_it, without[1])
