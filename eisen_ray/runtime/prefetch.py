"""Work ahead in a thread: the next batch is made and on its way to the device while the step runs. No Ray."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

# A batch that is used, one that is ready, one that is being made.
DEPTH = 2


class Prefetched(Generic[T]):
    """Gives what an iterable gives, made ahead of its use by a thread.

    An error in the iterable is raised where its item would have come. Ends the thread when it is closed, also while the
    iterable would still have items.

    Args:
        items: read by the thread alone.
        depth: items made ahead, at most; 0 = no thread, an item is made when it is asked for. On a processor the thread
            would bring a second team of torch's threads onto the same cores: steps took half as long again.

    Attributes:
        waited_s: seconds that the user has waited for items so far.
    """

    def __init__(self, items: Iterable[T], depth: int = DEPTH) -> None:
        self.waited_s = 0.0
        self._ready: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(depth)
        self._closed = threading.Event()
        self._direct = iter(items) if depth == 0 else None
        self._thread = threading.Thread(target=self._make, args=(items,), daemon=True, name="prefetch")
        if depth:
            self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        began = time.monotonic()
        try:
            kind, item = self._ready.get() if self._direct is None else ("item", next(self._direct))
        finally:
            self.waited_s += time.monotonic() - began
        if kind == "item":
            return item  # type: ignore[return-value]
        # Whoever asks again is told the same.
        self._ready.put((kind, item))
        if isinstance(item, BaseException):
            raise item
        raise StopIteration

    def close(self) -> None:
        """End the thread, when it has made what it is making; safe to call twice."""
        self._closed.set()
        # Not longer: what is read may hang with its source, and a daemon does not keep the process alive.
        if self._direct is None:
            self._thread.join(timeout=5.0)

    def _make(self, items: Iterable[T]) -> None:
        end: BaseException | None = None
        try:
            for item in items:
                if not self._put("item", item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asks
            end = error
        self._put("end", end)

    def _put(self, kind: str, item: T | BaseException | None) -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put((kind, item), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
