"""What the method claims, on the clips inside the package: rounds improve, and explaining away is why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eisen_ray.runtime.layout import evaluation_file
from eisen_ray.runtime.storage import Store

ROOT = Path(__file__).resolve().parents[2]
# Half of the quickstart's steps, and the flow that needs no weights: see docs/results/quickstart.md.
STORY = ("quickstart", "--flow.estimator", "dis", "--rounds.num-rounds", "2", "--train.num-steps", "1000")


def mean_ious(folder: Path, name: str, *arguments: str) -> list[float]:
    """The authors' mean IoU over all held-out masks after each round; runs share their flow."""
    shared = ("--root", str(folder / name), "--targets", str(folder / "targets"))
    done = subprocess.run(
        [sys.executable, "jobs/bootstrap.py", *STORY, *shared, *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    store = Store(str(folder / name))
    return [store.read_json(evaluation_file(number))["scores"]["mean_iou"] for number in (1, 2)]


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_rounds_improve_and_explaining_away_pays(tmp_path: Path) -> None:
    first, second = mean_ious(tmp_path, "with")
    same_first, merged = mean_ious(
        tmp_path, "without", "--teacher.no-explaining-away", "--teacher.min-moving-share", "0"
    )
    assert same_first == pytest.approx(first, abs=1e-6), "the first round has no teacher"
    assert second > 1.15 * first, (first, second)
    assert second > 1.1 * merged, (second, merged)
