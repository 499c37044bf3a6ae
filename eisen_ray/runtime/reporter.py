"""What the driver tells: aligned lines for a terminal or a job log, and TensorBoard events."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from eisen_ray.report.tables import format_duration, progress_line
from eisen_ray.runtime.storage import Store


def write_line(text: str) -> None:
    """Text to the terminal or the job's log, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Reporter:
    """Prints lines with the time since the start; keeps TensorBoard files under the root.

    Args:
        store: the run's root. In an object store, events are written locally and copied at the end of each round.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._began = time.monotonic()
        self._events: SummaryWriter | None = None
        self._folder: Path | None = None

    def say(self, text: str) -> None:
        """One line."""
        write_line(f"[{format_duration(time.monotonic() - self._began):>6}] {text}")

    def progress(self, name: str, done: int, total: int, elapsed_s: float, **numbers: float) -> None:
        """A line of progress with the time left."""
        self.say(progress_line(name, done, total, elapsed_s, **numbers))

    def open_round(self, round_number: int) -> None:
        """Begin a round's TensorBoard file."""
        self.close_round()
        local = self._store.local_root
        path = f"tensorboard/round-{round_number}"
        self._folder = local / path if local else Path(tempfile.mkdtemp(prefix="eisen-events-"))
        self._path = path
        self._events = SummaryWriter(log_dir=str(self._folder))

    def scalars(self, values: Mapping[str, Any], step: int) -> None:
        """TensorBoard points."""
        for key, value in values.items():
            if self._events is not None:
                self._events.add_scalar(key, float(value), step)

    def close_round(self) -> None:
        """Finish a round's TensorBoard file; safe to call twice."""
        if self._events is None or self._folder is None:
            return
        self._events.close()
        self._events = None
        if self._store.local_root is None:
            self._store.upload(self._folder, self._path)
