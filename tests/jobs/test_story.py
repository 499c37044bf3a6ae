"""What the method claims, on the clips inside the package: rounds improve."""

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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_rounds_improve(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "jobs/bootstrap.py", *STORY, "--root", str(tmp_path / "run")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    store = Store(str(tmp_path / "run"))
    first, second = (store.read_json(evaluation_file(number))["scores"]["mean_iou"] for number in (1, 2))
    assert second > 1.15 * first, (first, second)
