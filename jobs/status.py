"""What a run is doing, from its storage alone: `python jobs/status.py ROOT [--json]`."""

from __future__ import annotations

import json as json_text
import sys
from typing import NoReturn

import tyro

from eisen_ray.command_line import run_job


def status(root: tyro.conf.Positional[str], /, *, json: bool = False) -> None:
    """Say what runs, what is done, what is left and how long still. Needs no cluster; a dead run can be asked too.

    Args:
        root: Root of a run: a folder or s3:// URL, as given to the bootstrap job.
        json: Print the same as JSON.
    """
    # Here and not above: `--help` is quick.
    from eisen_ray.report.status_page import status_text
    from eisen_ray.runtime.status import run_status

    found = run_status(root)
    text = json_text.dumps(found, indent=2, sort_keys=True) if json else status_text(found)
    sys.stdout.write(f"{text}\n")


def main() -> NoReturn:
    """The command line."""
    run_job(lambda: tyro.cli(status, prog="status"))


if __name__ == "__main__":
    main()
