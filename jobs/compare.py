"""Compare peers on the same data: `python -m jobs.compare PRESET [--field value ...]`.

PRESET is a table: `table1_*` has methods under motion and full supervision, `table4_*` readouts of the same affinities.
What is done lies under --root and is not made again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import tyro

from eisen_ray.command_line import run_job
from eisen_ray.compare_config import CompareConfig
from eisen_ray.compare_presets import COMPARISONS


def parse(arguments: Sequence[str]) -> CompareConfig:
    """The preset named first, with the fields that the other arguments set."""
    presets = {name: ((preset.__doc__ or "").strip().split("\n")[0], preset()) for name, preset in COMPARISONS.items()}
    return tyro.extras.overridable_config_cli(presets, args=list(arguments), prog="compare", description=__doc__)


def main() -> NoReturn:
    """The command line."""

    def run() -> None:
        config = parse(sys.argv[1:])
        # Here and not above: `--help` answers without torch and Ray, and Ray reads its environment when imported.
        from eisen_ray.runtime.environment import prepare_environment

        prepare_environment()
        from eisen_ray.runtime.compare import compare

        compare(config)

    run_job(run)


if __name__ == "__main__":
    main()
