"""MLflow with a database file, W&B offline: both real, both without a network; skipped where they are not installed."""

from __future__ import annotations

import importlib.util
import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.report.tensorboard import SHEET_TAG
from eisen_ray.reporting import ReportConfig
from eisen_ray.runtime import tracking
from eisen_ray.runtime.claim import claim
from eisen_ray.runtime.metrics import run_label
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.tracking import Trackers, check_tracking


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), 90, np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def report_two_rounds(config: RunConfig) -> None:
    """Two rounds; the first one is interrupted and continued, as after a crash."""
    for number, step in ((1, 2), (1, 4), (2, 2)):
        reporter = Reporter(Store(config.root))
        reporter.begin(config)
        reporter.open_round(number)
        reporter.scalars({"train/loss": 1.0 / step}, step)
        reporter.judged({"val/mean_iou": 0.5}, step, png())
        reporter.end()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_missing_package_is_named_before_the_run(name: str, config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    check_tracking(ReportConfig())
    with pytest.raises(ConfigError, match=rf"report\.{name} is 'x'.*not installed.*pip install 'eisen-ray\[{name}\]'"):
        Trackers(replace(config, report=ReportConfig(**{name: "x"})), print)


def test_a_run_may_change_its_trackers(config: RunConfig) -> None:
    store = Store(config.root)
    claim(store, config, "flow")
    claim(store, replace(config, report=ReportConfig(wandb="project")), "flow")


def test_a_tracker_that_fails_is_left_out_and_the_rest_goes_on(config: RunConfig) -> None:
    class Broken:
        name = "broken"
        failures = (OSError,)

        def open_round(self, number: int) -> None:
            raise OSError("no route to host")

    said: list[str] = []
    trackers = Trackers(config, said.append)
    trackers._trackers.append(Broken())  # type: ignore[arg-type]
    trackers.open_round(1)
    trackers.scalars({"train/loss": 1.0}, 1)
    assert said == ["broken is left out from here on: OSError: no route to host"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlflow_has_params_metrics_and_sheet(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="the extra mlflow is not installed")
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    report_two_rounds(replace(config, report=ReportConfig(mlflow=uri)))

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(run_label(config.root))
    assert experiment is not None
    first, second = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.data.tags["eisen.round"])
    assert first.info.status == second.info.status == "FINISHED"
    assert first.data.params["train.num_steps"] == str(config.train.num_steps)
    points = [(point.step, point.value) for point in client.get_metric_history(first.info.run_id, "train/loss")]
    assert points == [(2, 0.5), (4, 0.25)]
    names = {artifact.path for artifact in client.list_artifacts(first.info.run_id)}
    assert names == {f"{SHEET_TAG}-2.png", f"{SHEET_TAG}-4.png"}
    # Pictures lie under the root, not where the command happens to run.
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wandb_offline_keeps_everything_under_the_root(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    report_two_rounds(replace(config, report=ReportConfig(wandb="eisen")))

    root = Path(config.root)
    runs = sorted((root / "tracking" / "wandb").glob("offline-run-*"))
    assert len(runs) == 3
    contents = [next(run.glob("run-*.wandb")).read_bytes() for run in runs]
    assert all(b"train/loss" in content and b"train.num_steps" in content for content in contents)
    assert all(len(list(run.rglob("*.png"))) == 1 for run in runs)
    # Two pieces of round 1 carry one id: they become one run when they are synchronised.
    ids = [run.name.rsplit("-", 1)[-1] for run in runs]
    assert sorted(map(ids.count, ids)) == [1, 2, 2]


def test_no_tracker_package_is_imported_unless_asked() -> None:
    import subprocess

    code = "import sys, eisen_ray.runtime.tracking; sys.exit(bool({'mlflow', 'wandb'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert tracking.Trackers
