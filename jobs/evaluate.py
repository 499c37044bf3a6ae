"""Score a trained network on pictures with masks: `python -m jobs.evaluate CHECKPOINT [--field value ...]`.

CHECKPOINT is a checkpoint's folder or the root of a run, local or s3://; of a run, the newest promoted round is scored.
By default on the held-out clips inside the package. After a checkpoint, `--help` shows its grouping.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import tyro

from eisen_ray.command_line import run_job
from eisen_ray.errors import ConfigError
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.runtime.checkpoints import StoredCheckpoint, find_checkpoint


def parse(arguments: Sequence[str]) -> tuple[StoredCheckpoint, EvaluateConfig]:
    """The checkpoint named first, and what the other arguments set; grouping is the checkpoint's where they do not.

    Raises:
        ConfigError: no checkpoint is named.
        WeightsError: there is none at that place.
    """
    words = list(arguments)
    checkpoint = find_checkpoint(words.pop(0)) if words and not words[0].startswith("-") else None
    if checkpoint is None and not {"-h", "--help"} & set(words):
        raise ConfigError("No checkpoint given; expected its folder, or the root of a run, as the first argument.")
    default = EvaluateConfig(grouping=checkpoint.config.grouping) if checkpoint else EvaluateConfig()
    config = tyro.cli(EvaluateConfig, default=default, args=words, prog="evaluate CHECKPOINT", description=__doc__)
    if checkpoint is None:
        raise ConfigError("No checkpoint given.")
    return checkpoint, config


def main() -> NoReturn:
    """The command line."""

    def run() -> None:
        checkpoint, config = parse(sys.argv[1:])
        # Here and not above: `--help` answers without torch and Ray, and Ray reads its environment when imported.
        from eisen_ray.runtime.environment import prepare_environment

        prepare_environment()
        from eisen_ray.runtime.evaluate import evaluate

        evaluate(checkpoint, config)

    run_job(run)


if __name__ == "__main__":
    main()
