"""Where a run is told besides its root: optional trackers. Part of the config; no setting here shapes results."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Optional trackers; TensorBoard files are always written under the root."""

    mlflow: str = ""
    """MLflow tracking URI, such as http://host:5000 or sqlite:////data/mlflow.db; empty: none (extra `mlflow`)."""
    wandb: str = ""
    """Weights & Biases project; empty: none (extra `wandb`). WANDB_MODE=offline keeps it under the root."""
