"""Optional trackers, MLflow and Weights & Biases: one of their runs per round, with settings, scalars and sheet.

Both packages are extras. A tracker that fails on the way is left out, and the run goes on: its own record is the root.
[Decision 68]
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.report.tensorboard import flat
from eisen_ray.reporting import ReportConfig
from eisen_ray.runtime.metrics import run_label
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import digest, to_dict

# MLflow's own limit of parameters in one call.
_PARAMS_PER_CALL = 100


class Tracker(Protocol):
    """What a tracker is told. `failures` are its errors that must not end a run."""

    name: str
    failures: tuple[type[Exception], ...]

    def open_round(self, number: int) -> None:
        """Begin or continue a round."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Points of one step."""

    def picture(self, name: str, png: bytes, step: int) -> None:
        """A PNG file's content."""

    def close_round(self) -> None:
        """End the round's run."""


def check_tracking(report: ReportConfig) -> None:
    """Refuse trackers whose package is missing, before anything runs.

    Raises:
        ConfigError: names the extra to install.
    """
    for name in ("mlflow", "wandb"):
        if getattr(report, name) and importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"report.{name} is {getattr(report, name)!r}, but the package {name} is not installed. "
                f"Install the extra: pip install 'eisen-ray[{name}]' (or pip install -e '.[{name}]')."
            )


class Trackers:
    """All trackers of a run; none for most runs.

    Args:
        config: the run.
        say: gets a line when a tracker fails and is left out.
    """

    def __init__(self, config: RunConfig, say: Callable[[str], None]) -> None:
        check_tracking(config.report)
        self._say = say
        self._trackers: list[Tracker] = []
        if config.report.mlflow:
            self._trackers.append(MlflowTracker(config))
        if config.report.wandb:
            self._trackers.append(WandbTracker(config))

    def open_round(self, number: int) -> None:
        """Begin or continue a round in all of them."""
        self._all(lambda tracker: tracker.open_round(number))

    def scalars(self, values: Mapping[str, Any], step: int) -> None:
        """Points of one step."""
        numbers = {key: float(value) for key, value in values.items()}
        self._all(lambda tracker: tracker.scalars(numbers, step))

    def picture(self, name: str, png: bytes, step: int) -> None:
        """A PNG file's content."""
        self._all(lambda tracker: tracker.picture(name, png, step))

    def close_round(self) -> None:
        """End the round's runs."""
        self._all(lambda tracker: tracker.close_round())

    def _all(self, do: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                do(tracker)
            except tracker.failures as error:
                self._trackers.remove(tracker)
                self._say(f"{tracker.name} is left out from here on: {type(error).__name__}: {error}")


class MlflowTracker:
    """MLflow by its client: no global state, so that two runs in one process do not mix."""

    name = "mlflow"

    def __init__(self, config: RunConfig) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        # `OSError` is what a lost connection raises.
        self.failures: tuple[type[Exception], ...] = (MlflowException, OSError)
        self._config = config
        self._store = Store(config.root)
        self._client = MlflowClient(tracking_uri=config.report.mlflow)
        self._run_id = ""

    def open_round(self, number: int) -> None:
        """Begin a run of MLflow, or continue the one whose id the root holds."""
        note = f"tracking/mlflow-round-{number}.json"
        if self._store.exists(note):
            self._run_id = self._store.read_json(note)["run_id"]
            self._client.update_run(self._run_id, status="RUNNING")
            return
        label = run_label(self._config.root)
        tags = {"eisen.root": self._config.root, "eisen.round": str(number)}
        made = self._client.create_run(self._experiment(label), run_name=f"{label} round {number}", tags=tags)
        self._run_id = made.info.run_id
        self._store.write_json(note, {"run_id": self._run_id})
        self._log_params()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Points of one step."""
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        metrics = [Metric(key, value, now_ms, step) for key, value in values.items()]
        # One call, not one per number: each goes to the server and back.
        self._client.log_batch(self._run_id, metrics=metrics)

    def picture(self, name: str, png: bytes, step: int) -> None:
        """A PNG as an artifact of the run."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}-{step}.png"
            path.write_bytes(png)
            self._client.log_artifact(self._run_id, str(path))

    def close_round(self) -> None:
        """End the run of MLflow."""
        if self._run_id:
            self._client.set_terminated(self._run_id)
            self._run_id = ""

    def _experiment(self, label: str) -> str:
        found = self._client.get_experiment_by_name(label)
        if found is not None:
            return str(found.experiment_id)
        # A server keeps artifacts itself; a database file would put them into the folder where the command runs.
        served = self._config.report.mlflow.startswith(("http:", "https:", "databricks"))
        place = None if served else self._store.uri("tracking/mlflow")
        return str(self._client.create_experiment(label, artifact_location=place))

    def _log_params(self) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in flat(to_dict(self._config)).items()]
        for begin in range(0, len(params), _PARAMS_PER_CALL):
            self._client.log_batch(self._run_id, params=params[begin : begin + _PARAMS_PER_CALL])


class WandbTracker:
    """Weights & Biases; rounds of a root are one group."""

    name = "wandb"

    def __init__(self, config: RunConfig) -> None:
        import wandb

        self.failures: tuple[type[Exception], ...] = (wandb.errors.Error, OSError)
        self._wandb = wandb
        self._config = config
        local = Store(config.root).local_root
        self._folder = local / "tracking" if local else Path(tempfile.mkdtemp(prefix="eisen-wandb-"))
        self._run: Any = None

    def open_round(self, number: int) -> None:
        """Begin a run of W&B, or continue it: its id follows from root and round."""
        self._folder.mkdir(parents=True, exist_ok=True)
        label = run_label(self._config.root)
        self._run = self._wandb.init(
            project=self._config.report.wandb,
            id=digest(self._config.root, number),
            name=f"{label} round {number}",
            group=label,
            resume="allow",
            dir=str(self._folder),
            config=flat(to_dict(self._config)),
            settings=self._wandb.Settings(console="off", silent=True),
        )

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Points of one step."""
        if self._run is not None:
            self._run.log(dict(values), step=step)

    def picture(self, name: str, png: bytes, step: int) -> None:
        """A PNG as an image of the run."""
        if self._run is None:
            return
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(png)
            file.flush()
            self._run.log({name: self._wandb.Image(file.name)}, step=step)

    def close_round(self) -> None:
        """End the run of W&B."""
        if self._run is not None:
            self._run.finish()
            self._run = None
