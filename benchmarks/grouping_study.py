"""A grouping study against one evaluation a setting.

    python -m benchmarks.grouping_study [--repeats 7]

Ours is `jobs/tune.py`, the space `grouping` (252 settings), as a user starts it. The other side is what a user does
without it: `jobs/evaluate.py` once a setting, on the same images with the same network. One of these is timed and
counted a hundred times, which favours it: its fixed cost is the same every time. All of the study is counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

from benchmarks.measuring import of_times, report

IMAGES = 32
EVALUATIONS = 100
FLOOR = 20.0
# One in `./dev bench`, whose time is limited; more for a record.
REPEATS = 1


def main() -> None:
    """Print one table and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of each side")
    repeats = parser.parse_args().repeats
    from eisen_ray.runtime.checkpoints import packaged_checkpoint

    network = packaged_checkpoint()
    address = str(network.store.uri(network.path))
    study, evaluation = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            images = ("--max-images", str(IMAGES))
            # Both on the nodes that the network was trained on: finer ones take both sides longer.
            nodes = ("--vary", "grouping.enlarge=1", "grouping.snap_to_edges=0")
            study.append(seconds("tune", "grouping", address, *images, *nodes, "--root", f"{folder}/study"))
            nodes = ("--grouping.enlarge", "1", "--grouping.snap-to-edges", "0", "--passes", "1")
            evaluation.append(seconds("evaluate", address, *images, *nodes, "--output", f"{folder}/evaluation"))
    hundred = [EVALUATIONS * each for each in evaluation]
    rows = [of_times("252 settings, 100 evaluations", study, hundred, FLOOR)]
    report("grouping_study", {"images": IMAGES, "cores": os.cpu_count(), "repeats": repeats}, rows)


def seconds(door: str, *arguments: str) -> float:
    """Wall-clock seconds of a door in a process of its own.

    Raises:
        CalledProcessError: it failed.
    """
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", f"jobs.{door}", *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
