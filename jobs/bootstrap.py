"""Bootstrap a network from video, round after round: `python jobs/bootstrap.py [PRESET] [--plan] [--field value ...]`.

With `--plan` it prints what would be placed where on the cluster, and ends.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import tyro

from eisen_ray.command_line import run_job
from eisen_ray.config import RunConfig
from eisen_ray.presets import PRESETS

DEFAULT_PRESET = "quickstart"
PLAN = "--plan"


def parse(arguments: Sequence[str]) -> RunConfig:
    """The preset named first, `quickstart` if none is, with the fields that the other arguments set."""
    words = list(arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, DEFAULT_PRESET)
    presets = {name: (_first_line(preset.__doc__), preset()) for name, preset in PRESETS.items()}
    return tyro.extras.overridable_config_cli(presets, args=words, prog="bootstrap", description=__doc__)


def main() -> NoReturn:
    """The command line."""

    def run() -> None:
        # No field of the config: it says nothing about a run, and must not be stored with one.
        arguments = [word for word in sys.argv[1:] if word != PLAN]
        config = parse(arguments)
        # Here and not above: `--help` answers without torch and Ray, and Ray reads its environment when imported.
        from eisen_ray.runtime.environment import prepare_environment

        prepare_environment()
        from eisen_ray.runtime.bootstrap import bootstrap

        bootstrap(config, plan_only=PLAN in sys.argv[1:])

    run_job(run)


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]


if __name__ == "__main__":
    main()
