"""The main job as a process of its own, which ends with its test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ("tiny", "--data.max-clips", "2", "--rounds.eval-images", "2")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the job in its own process group: a root, then arguments. What still runs after a test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(root: Path | str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "jobs/bootstrap.py", *TINY, "--root", str(root), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
