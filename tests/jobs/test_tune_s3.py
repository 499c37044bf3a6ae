"""Studies on s3://, in real processes against a stand-in for S3."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from eisen_ray.report.study_trials import parse_study
from eisen_ray.runtime.storage import Store
from tests.jobs.test_tune import SMALL, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_killed_grouping_study_goes_on_on_s3(bucket: str, tmp_path: Path) -> None:
    store = Store(f"{bucket}/study")
    words = ("quick", *SMALL, "--root", store.root)
    killed = start(tmp_path, *words)
    deadline = time.monotonic() + 300
    while not any(name.endswith(".json") for name in store.files("trials")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)
    (first, *_) = sorted(name for name in store.files("trials") if name.endswith(".json"))
    made = store.read_json(f"trials/{first}")

    again = start(tmp_path, *words)
    told, _ = again.communicate(timeout=600)
    assert again.returncode == 0, told
    assert store.read_json(f"trials/{first}") == made, "a recorded setting was worked out again"
    study = parse_study(store.read("report/trials.json").decode())
    assert len(study.trials) == 24
    assert all(store.exists(trial.sheet) for trial in study.trials)
    assert len({name.split("/")[0] for name in store.files("tensorboard")}) == 6
    assert json.loads(store.read("best.json"))["grouping"]["overlap"] in (0.1, 0.2, 0.4)


def test_training_study_without_masks_on_s3(bucket: str, tmp_path: Path) -> None:
    store = Store(f"{bucket}/study")
    words = (
        *("training", "--preset", "tiny", "--trials", "0", "--validate-every-steps", "3", "--no-asha"),
        *("--max-images", "2", "--objective", "motion_iou", "--root", store.root),
        *("--vary", "train.learning_rate=1e-3,3e-3", "train.num_steps=", "motion.threshold_px="),
        *("teacher.agreement=", "teacher.num_runs=", "model.embedding_width="),
    )
    process = start(tmp_path, *words)
    told, _ = process.communicate(timeout=800)
    assert process.returncode == 0, told
    study = parse_study(store.read("report/trials.json").decode())
    assert [trial.state for trial in study.trials] == ["finished"] * 2, told
    assert all(trial.value is not None and 0 <= trial.value <= 1 for trial in study.trials)
    assert all(store.exists(trial.sheet) for trial in study.trials)
    assert len({name.split("/")[0] for name in store.files("tensorboard")}) == 2
