"""Progress of work that runs elsewhere: a small board in the cluster, read by the driver and told line by line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ray

Record = dict[str, Any]


class ProgressBoard:
    """Holds records until the driver has read them. An actor: workers write without waiting for an answer."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._stopping = False

    def add(self, record: Record) -> None:
        """Put a record on the board."""
        self._records.append(record)

    def take(self) -> list[Record]:
        """All records since the last call."""
        records, self._records = self._records, []
        return records

    def stop(self) -> None:
        """Ask the workers to save and end."""
        self._stopping = True

    def stopping(self) -> bool:
        """Whether they were asked."""
        return self._stopping


def new_board() -> Any:
    """A board in the cluster: the actor's handle."""
    # No CPU: it sleeps nearly always, and must never wait for a place.
    return ray.remote(num_cpus=0)(ProgressBoard).remote()


class BoardReader:
    """While entered, hands each record of a board to `tell`, in a thread of its own.

    The driver's main thread stays inside Ray's `fit`, so that Ctrl-C reaches it. The other way goes one word: once
    `stop` is set, the board says so to the workers.
    """

    def __init__(
        self, board: Any, tell: Callable[[Record], None], stop: threading.Event | None = None, every_s: float = 0.5
    ) -> None:
        self._board = board
        self._stop = stop or threading.Event()
        self._tell = tell
        self._every_s = every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="progress")

    def __enter__(self) -> BoardReader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        last = False
        while not last:
            last = self._done.wait(self._every_s)
            try:
                if self._stop.is_set():
                    self._board.stop.remote()
                records = ray.get(self._board.take.remote(), timeout=30)
            except (ray.exceptions.RayError, RuntimeError):
                # The cluster is going down; the run itself reports why.
                return
            for record in records:
                self._tell(record)


class StopAnswer:
    """In a worker: whether the board says stop. Asked every second; the answer is looked at when it is there."""

    def __init__(self, board: Any, every_s: float = 1.0) -> None:
        self._board = board
        self._every_s = every_s
        self._asked_at = time.monotonic()
        self._answer: Any = None

    def __call__(self) -> bool:
        """The last answer; never waits."""
        now = time.monotonic()
        if self._answer is not None:
            ready, _ = ray.wait([self._answer], timeout=0)
            if not ready:
                return False
            answer, self._answer = self._answer, None
            try:
                return bool(ray.get(answer))
            except ray.exceptions.RayError:
                # A lost board ends no training.
                return False
        if now - self._asked_at >= self._every_s:
            self._asked_at = now
            self._answer = self._board.stopping.remote()
        return False


class Pace:
    """Counts units of work and says now and then that another line of progress is due."""

    def __init__(self, total: int, every_s: float = 10.0) -> None:
        self.total = total
        self.done = 0
        self._every_s = every_s
        self._began = self._told = time.monotonic()

    def advance(self, units: int = 1) -> bool:
        """Count units; True when a line is due: at the end, and not more often than every few seconds."""
        self.done += units
        now = time.monotonic()
        due = self.done >= self.total or now - self._told >= self._every_s
        if due:
            self._told = now
        return due

    @property
    def elapsed_s(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._began
