"""Structured log of a run: one JSON object per line, under `logs/` of the root; written by the driver, read by anyone.

Each driver has a folder of its own, `logs/<start time>-<random>/`, so that two drivers never write the same file. It
holds `00000.jsonl`, `00001.jsonl`, ... and `heartbeat.json`. An object store cannot append: there the newest file, kept
small, is written again as a whole. Fields of a line (absent where they do not apply):

    time         str    UTC, ISO 8601, milliseconds
    level        str    info, warning or error
    event        str    started, ended, line, progress, step, evaluated, left_out, promoted
    stage        str    run, index, flow, teacher, student, evaluation, promotion
    message      str    what a person reads
    round        int    round of bootstrapping, from 1
    epoch        int    pass over the round's fragments, from 0
    step         int    optimizer steps done
    fragment_id  str    fragment of which the line speaks
    done, total  int    units of the stage: fragments, steps or images
    elapsed_s    float  seconds that `done` took
    values       dict   further numbers, by the names that TensorBoard shows

Imports neither torch nor Ray.
"""

from __future__ import annotations

import json
import math
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from eisen_ray.errors import StorageError
from eisen_ray.runtime.storage import Store

LOGS = "logs"
LEVELS = ("info", "warning", "error")
# A file of some 50 KB: rewriting it costs an object store as little as writing a line.
EVENTS_PER_FILE = 200
# Lines wait no longer than this before they are in storage; the heartbeat has the same pace.
FLUSH_S = 15.0

Event = dict[str, Any]


class EventLog:
    """Writes a driver's events. Safe to use from several threads. [Decision 65]

    A log that cannot be written never stops a run: lines are kept and tried again, up to one file's worth.

    Args:
        store: the run's root.
        flush_s: seconds between two writes of waiting lines, and between two heartbeats.
    """

    def __init__(self, store: Store, flush_s: float = FLUSH_S) -> None:
        self._store = store
        self._flush_s = flush_s
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._number = 0
        self._dirty = False
        self._closed = threading.Event()
        started = datetime.now(timezone.utc)
        self.folder = f"{LOGS}/{started:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self._beat(alive=True)
        self._thread = threading.Thread(target=self._beat_on, daemon=True, name="events")
        self._thread.start()

    def write(self, event: str, *, level: str = "info", now: bool = False, **fields: Any) -> None:
        """Add an event.

        Args:
            event: its kind.
            level: one of `LEVELS`.
            now: write it to storage at once instead of within some seconds.
            fields: see the module's docstring; None is left out.
        """
        known = {key: value for key, value in fields.items() if value is not None}
        record = {"time": _utc(time.time()), "level": level, "event": event, **known}
        with self._lock:
            self._lines.append(json.dumps(_finite(record), default=str))
            self._dirty = True
            full = len(self._lines) >= EVENTS_PER_FILE
            if now or full:
                self._flush()
            if full:
                self._lines, self._number = [], self._number + 1

    def close(self) -> None:
        """Write what waits and end the heartbeat; safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join(timeout=5.0)
        with self._lock:
            self._flush()
        self._beat(alive=False)

    def _flush(self) -> None:
        if not self._dirty:
            return
        try:
            self._store.write(f"{self.folder}/{self._number:05d}.jsonl", "\n".join([*self._lines, ""]).encode())
            self._dirty = False
        except StorageError:
            # The results themselves go to the same storage: if it stays unreachable, they say so.
            return

    def _beat_on(self) -> None:
        while not self._closed.wait(self._flush_s):
            with self._lock:
                self._flush()
            self._beat(alive=True)

    def _beat(self, *, alive: bool) -> None:
        beat = {"time": _utc(time.time()), "every_s": self._flush_s, "host": socket.gethostname(), "alive": alive}
        try:
            self._store.write_json(f"{self.folder}/heartbeat.json", beat)
        except StorageError:
            return


def read_events(store: Store) -> Iterator[Event]:
    """All events under a root, oldest driver first; a damaged line is passed over."""
    names = sorted(name for name in store.files(LOGS) if name.endswith(".jsonl"))
    for name in names:
        for line in store.read(f"{LOGS}/{name}").decode(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event:
                yield event


def read_heartbeats(store: Store) -> list[dict[str, Any]]:
    """The last heartbeat of each driver that has run under a root, oldest driver first."""
    names = sorted(name for name in store.files(LOGS) if name.endswith("/heartbeat.json"))
    return [store.read_json(f"{LOGS}/{name}") for name in names]


def seconds_since(text: str, now: float) -> float:
    """Seconds from an event's time to `now` (seconds since the epoch)."""
    return now - datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _utc(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _finite(value: Any) -> Any:
    """NaN and infinity are no JSON: they become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
