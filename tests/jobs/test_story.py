"""What the method claims: rounds improve, and explaining away pays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.arm_labels import judged, pictures, read_work, variants
from eisen_ray.runtime.layout import evaluation_file
from eisen_ray.runtime.storage import Store

ROOT = Path(__file__).resolve().parents[2]
# The quickstart's own settings, with the flow that needs no weights: see docs/results/quickstart.md.
STORY = ("jobs/bootstrap.py", "quickstart", "--flow.estimator", "dis", "--rounds.num-rounds", "2")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def run(*words: object) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_rounds_improve(tmp_path: Path) -> None:
    run(*STORY, "--root", tmp_path / "run")
    store = Store(str(tmp_path / "run"))
    first, second = (store.read_json(evaluation_file(number))["scores"]["mean_iou"] for number in (1, 2))
    assert second > 1.15 * first, (first, second)


def test_explaining_away_takes_what_the_arm_carries_off_the_arm(tmp_path: Path) -> None:
    """The labels of round 2, with masks and exact flow that training never saw: docs/results/explaining-away.md."""
    pytest.importorskip("mujoco")
    world = tmp_path / "world"
    run("-m", "jobs.simulate", "bridge", "--root", world, "--train", 120, "--val", 4, "--test", 4)
    source = ("--data.layout", "bridge", "--data.source", world / "train", "--data.eval-source", world / "val")
    run(*STORY, *source, "--train.num-steps", 1000, "--root", tmp_path / "run")

    work = read_work(str(tmp_path / "run"), 2)
    merged, carried = Counter[str](), Counter[str]()
    for motion, confident, truth, speed in pictures(work):
        for name, labels in variants(motion, confident, work.config.teacher).items():
            fates = [fate for kind, fate, _ in judged(labels, truth, speed, near=4) if kind == "carried"]
            carried[name] += len(fates)
            merged[name] += fates.count("with arm")
    assert carried["explaining away"] > 50
    shares = {name: merged[name] / carried[name] for name in carried}
    assert shares["no explaining away"] > 0.6, shares
    assert shares["explaining away"] < 0.85 * shares["no explaining away"], shares
