"""Cold start: seconds from a cluster that is there to the first optimizer step of the main job.

    python -m benchmarks.cold_start [--repeats 7]

Both sides are the quickstart as a user starts it, each time in a new process with an empty root and OpenCV's flow,
which needs no weights: with flow and training at once (`stream`, ours) and one after the other (`phases`). The clock
starts when the job tells what the cluster has, right after `ray.init`, and stops at the line of the first step.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

from benchmarks.measuring import of_times, report

LIMIT_S = 15.0
# One in `./dev bench`, whose time is limited; more for a record.
REPEATS = 1
GIVE_UP_S = 300.0


def main() -> None:
    """Print one table and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of each side")
    repeats = parser.parse_args().repeats
    stream, phases = [], []
    for _ in range(repeats):
        stream.append(first_step_s("stream"))
        phases.append(first_step_s("phases"))
    rows = [
        of_times("stream, the limit", stream, [LIMIT_S], 1.0),
        of_times("stream, phases", stream, phases),
    ]
    report("cold_start", {"preset": "quickstart", "flow": "dis", "cores": os.cpu_count(), "repeats": repeats}, rows)


def first_step_s(feed: str) -> float:
    """Seconds from the cluster's first line to the first step's.

    Raises:
        RuntimeError: the job ended before a step, with what it printed.
    """
    with tempfile.TemporaryDirectory() as root:
        settings = ["--root", root, "--flow.estimator", "dis", "--resources.feed", feed, "--train.log-every-steps", "1"]
        command = [sys.executable, "-u", "-m", "jobs.bootstrap", "quickstart", *settings]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            return _between(process, "cluster ", " 1/")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=GIVE_UP_S)


def _between(process: subprocess.Popen[str], first: str, last: str) -> float:
    lines: list[str] = []
    began = 0.0
    for line in process.stdout or ():
        lines.append(line)
        if line.startswith(first):
            began = time.perf_counter()
        elif began and last in line and "student" in line:
            return time.perf_counter() - began
    raise RuntimeError("The job ended before its first step. It printed:\n" + "".join(lines))


if __name__ == "__main__":
    main()
