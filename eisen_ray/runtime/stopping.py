"""What SIGTERM does to a driver: a training is asked for a last checkpoint; at any other time the run ends at once.

`ray job stop` and Kubernetes send SIGTERM and kill some time later. Ctrl-C is left as it is: who presses it is waiting.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from eisen_ray.runtime.reporter import write_line

# Below the 60 s that cluster/runtime_env.yaml and a pod's grace period give; workers need one step and one upload.
GRACE_SECONDS = 45.0


class Stopped(SystemExit):
    """The run was told to stop; everything that is done lies in storage."""


class StopRequest:
    """Whether this process was told to stop, and whether a training is open that can still save.

    Attributes:
        asked: set by the first SIGTERM during a training.
        end: what a handler has raised, or None. Where Ray waits it becomes another SystemExit, with code 1.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.end: Stopped | None = None
        self._training = False

    def listen(self) -> None:
        """Take SIGTERM. After `ray.init`, which installs a handler of its own."""
        self.asked.clear()
        self.end = None
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextmanager
    def training(self) -> Iterator[threading.Event]:
        """While entered, the first SIGTERM only sets the event; at the end it ends the run [Decision 100].

        Raises:
            Stopped: SIGTERM came, and the training has ended; or a second one, or its time is over.
        """
        self._training = True
        try:
            yield self.asked
        finally:
            self._training = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self.asked.is_set():
            raise stopped(signal.SIGTERM)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # Raising leaves Ray's `fit` from wherever it waits.
        if not self._training or self.asked.is_set():
            self._end(number)
        self.asked.set()
        write_line("stopping: the workers save a checkpoint")
        signal.signal(signal.SIGALRM, self._on_time_over)
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _on_time_over(self, _number: int, _frame: FrameType | None) -> None:
        write_line(f"no checkpoint within {GRACE_SECONDS:g} s; the last one before counts")
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> NoReturn:
        self.end = stopped(number)
        raise self.end


STOP = StopRequest()
"""Of this process: signals belong to processes."""


def stopped(number: int) -> Stopped:
    """The end of the run with the exit code that shells expect after this signal; says how to go on."""
    write_line("\nstopped; run the same command to continue")
    return Stopped(128 + number)
