"""What the driver tells: lines for a terminal, the structured log, TensorBoard events, gauges, optional trackers."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from eisen_ray.config import RunConfig
from eisen_ray.report.tables import format_duration, progress_line
from eisen_ray.report.tensorboard import SHEET_TAG, write_hparams, write_picture, write_scalars
from eisen_ray.runtime.events import EventLog
from eisen_ray.runtime.metrics import StageMeter, run_label
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.tracking import Trackers
from eisen_ray.settings import to_dict


def write_line(text: str) -> None:
    """Text to the terminal or the job's log, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Reporter:
    """Prints lines with the time since the start; keeps TensorBoard files under the root.

    The structured log and the trackers begin with `begin` and end with `end`.

    Args:
        store: the run's root. In an object store, TensorBoard events are written locally and copied at the end of each
            round.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._began = time.monotonic()
        self._events: SummaryWriter | None = None
        self._folder: Path | None = None
        self._log: EventLog | None = None
        self._trackers: Trackers | None = None
        self._config: RunConfig | None = None
        self.meter = StageMeter(run_label(store.root), 0)
        """Counts the driver's own stages, and gauges of the round that is open."""

    def begin(self, config: RunConfig) -> None:
        """Begin the structured log and the trackers of a run."""
        self._config = config
        self._log = EventLog(self._store)
        self._log.write(
            "started", stage="run", message=f"run of {config.root}", total=config.rounds.num_rounds, now=True
        )
        self._trackers = Trackers(config, self.say)

    def end(self, error: BaseException | None = None) -> None:
        """End them; safe to call twice."""
        self.close_round()
        if self._log is None:
            return
        reason = f"{type(error).__name__}: {error}" if error else "all rounds are done"
        self._log.write("ended", stage="run", level="error" if error else "info", message=reason)
        self._log.close()
        self._log = None

    @contextmanager
    def ending(self, *, on_success: bool = True) -> Iterator[None]:
        """Call `end` when the block is left, with what was raised; without an error only if asked to."""
        try:
            yield
        except BaseException as error:
            self.end(error)
            raise
        if on_success:
            self.end()

    def say(self, text: str, event: str = "line", **fields: Any) -> None:
        """One line; `fields` (see events.py) go to the structured log."""
        write_line(f"[{format_duration(time.monotonic() - self._began):>6}] {text}")
        self.note(event, message=text, **fields)

    def note(self, event: str, **fields: Any) -> None:
        """An event for the structured log alone."""
        if self._log is not None:
            self._log.write(event, **{"round": self.meter.round_number or None, **fields})

    def progress(self, name: str, done: int, total: int, elapsed_s: float, **fields: Any) -> None:
        """A line of progress with the time left; `fields` go to the structured log."""
        line = progress_line(name, done, total, elapsed_s)
        self.say(line, "progress", done=done, total=total, elapsed_s=round(elapsed_s, 3), **fields)

    def open_round(self, round_number: int) -> None:
        """Begin a round's TensorBoard file, and its runs of the trackers."""
        self.close_round()
        self.meter = StageMeter(self.meter.run, round_number)
        local = self._store.local_root
        path = f"tensorboard/round-{round_number}"
        self._folder = local / path if local else Path(tempfile.mkdtemp(prefix="eisen-events-"))
        self._path = path
        self._events = SummaryWriter(log_dir=str(self._folder))
        if self._trackers is not None:
            self._trackers.open_round(round_number)

    def scalars(self, values: Mapping[str, Any], step: int) -> None:
        """Points for TensorBoard, gauges and trackers."""
        if self._events is not None:
            write_scalars(self._events, values, step)
        self.meter.scalars(values)
        if self._trackers is not None:
            self._trackers.scalars(values, step)

    def judged(self, scores: Mapping[str, float], step: int, sheet: bytes | None) -> None:
        """A round's settings beside its scores, and its contact sheet (a PNG), for TensorBoard and trackers."""
        if self._events is not None and self._config is not None:
            write_hparams(self._events, to_dict(self._config), scores)
        if sheet is None:
            return
        if self._events is not None:
            write_picture(self._events, SHEET_TAG, sheet, step)
        if self._trackers is not None:
            self._trackers.picture(SHEET_TAG, sheet, step)

    def close_round(self) -> None:
        """Finish a round's TensorBoard file and its runs of the trackers; safe to call twice."""
        if self._events is None or self._folder is None:
            return
        self._events.close()
        self._events = None
        if self._store.local_root is None:
            self._store.upload(self._folder, self._path)
        if self._trackers is not None:
            self._trackers.close_round()
