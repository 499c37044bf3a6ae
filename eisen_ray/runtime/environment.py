"""Ray's environment variables, set before Ray is imported: this module imports nothing of it."""

from __future__ import annotations

import os

# A setting that is already in the environment wins over ours.
_DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # As Ray's own default for a local cluster, but without its warning at every start.
    "RAY_AUTH_MODE": "token",
    # The controller polls at this interval; at 2 s (the default) every start, report and end of training waits.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    # Workers' prints would appear twice; progress comes over the board.
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    # Ray's own gauges need a metrics agent and cost half a second per training.
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # Ray would run workers at 15: any other program on a laptop would then leave a training almost no time. Whoever
    # wants that starts the job itself with `nice`.
    "RAY_worker_niceness": "0",
    # The future behaviour, without the warning that announces it: CPU workers keep what they see of GPUs.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray Tune's older output can be silent; the newer one draws a table before every study.
    "RAY_AIR_NEW_OUTPUT": "0",
    # Ray Data announces a harmless property of every actor pool at level ERROR (ray-project/ray#53727).
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


def prepare_environment() -> None:
    """Set the defaults above. Call it before the first import of Ray."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
