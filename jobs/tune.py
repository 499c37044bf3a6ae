"""Search settings: `python -m jobs.tune [SPACE] [CHECKPOINT] [--field value ...]`.

SPACE is grouping (the default), quick or table3, which group a trained network again and again, or training, which
trains one for every setting. CHECKPOINT is a checkpoint's folder or the root of a run, local or s3://; without one the
newest run under runs/ is taken, and without any the network inside the package.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import tyro

from eisen_ray.command_line import run_job
from eisen_ray.errors import ConfigError
from eisen_ray.runtime.checkpoints import StoredCheckpoint, find_checkpoint, newest_run, packaged_checkpoint
from eisen_ray.spaces import SPACES, Space
from eisen_ray.tune_config import GroupingStudyConfig, StudyConfig, TrainingStudyConfig
from eisen_ray.vary import varied

DEFAULT_SPACE = "grouping"


def parse(arguments: Sequence[str]) -> tuple[str, Space, str, StudyConfig]:
    """The space's name, the space as `--vary` changes it, the checkpoint's address ("": none given), the study.

    Raises:
        ConfigError: an unknown space, a checkpoint for a training study, or a wrong `--vary`.
    """
    words = list(arguments)
    name = DEFAULT_SPACE
    if words and not words[0].startswith("-") and words[0] in SPACES:
        name = words.pop(0)
    address = words.pop(0) if words and not words[0].startswith("-") else ""
    space = SPACES[name]()
    if address and space.kind == "training":
        raise ConfigError(f"A training study starts from random weights; got the checkpoint {address!r}. Leave it out.")
    kind = TrainingStudyConfig if space.kind == "training" else GroupingStudyConfig
    config = tyro.cli(kind, args=_one_vary(words), prog=f"tune {name}", description=__doc__)
    return name, varied(space, config.vary), address, config


def _one_vary(words: Sequence[str]) -> list[str]:
    """The same words with all `--vary` in one: of several flags tyro takes the last one alone."""
    others: list[str] = []
    changes: list[str] = []
    into = others
    for word in words:
        if word.startswith("-"):
            into = changes if word.split("=")[0] == "--vary" else others
        if word != "--vary":
            into.append(word.removeprefix("--vary="))
    return [*others, "--vary", *changes] if changes else others


def chosen_checkpoint(address: str) -> StoredCheckpoint:
    """The checkpoint at an address; without one that of the newest run under runs/, else the package's.

    Raises:
        WeightsError: there is none at that place.
    """
    if address:
        return find_checkpoint(address)
    run = newest_run(Path("runs"))
    return find_checkpoint(str(run)) if run else packaged_checkpoint()


def main() -> NoReturn:
    """The command line."""

    def run() -> None:
        name, space, address, config = parse(sys.argv[1:])
        # Here and not above: `--help` answers without torch and Ray, and Ray reads its environment when imported.
        from eisen_ray.runtime.environment import prepare_environment

        prepare_environment()
        command = shlex.join(["python", "-m", "jobs.tune", *sys.argv[1:]])
        if isinstance(config, GroupingStudyConfig):
            from eisen_ray.runtime.grouping_study import run_grouping_study

            run_grouping_study(chosen_checkpoint(address), config, space, name, command)
        elif isinstance(config, TrainingStudyConfig):
            from eisen_ray.runtime.training_study import run_training_study

            run_training_study(config, space, name, command)

    run_job(run)


if __name__ == "__main__":
    main()
