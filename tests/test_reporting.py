from __future__ import annotations

from eisen_ray.config import RunConfig
from eisen_ray.presets import PRESETS
from eisen_ray.reporting import ReportConfig
from eisen_ray.settings import from_dict, to_dict


def test_no_tracker_unless_asked() -> None:
    assert ReportConfig() == ReportConfig(mlflow="", wandb="")
    assert all(preset().report == ReportConfig() for preset in PRESETS.values())


def test_configs_written_before_there_were_trackers_still_load() -> None:
    plain = to_dict(RunConfig())
    del plain["report"]
    assert from_dict(RunConfig, plain) == RunConfig()
