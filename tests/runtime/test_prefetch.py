"""Items come in order and ahead of their use; errors and the end arrive; closing ends the thread."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from eisen_ray.runtime.prefetch import Prefetched


def num_threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


def test_everything_comes_in_order_and_then_the_end() -> None:
    items = Prefetched(range(50))
    assert list(items) == list(range(50))
    assert list(items) == []
    items.close()
    assert num_threads() == 0


def test_items_are_made_ahead_but_not_further_than_asked() -> None:
    made = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    items = Prefetched(numbers(), depth=3)
    next(items)
    deadline = time.monotonic() + 10
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    items.close()
    assert len(made) == 5, "one used, three ready, one waiting for its place"
    assert num_threads() == 0


def test_an_error_is_raised_where_its_item_would_have_come() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    items = Prefetched(broken())
    assert next(items) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="no more"):
            next(items)
    items.close()


def test_time_spent_waiting_is_counted() -> None:
    def slow() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.1)
            yield number

    items = Prefetched(slow())
    assert list(items) == [0, 1, 2]
    assert items.waited_s > 0.2


def test_without_depth_nothing_is_made_ahead() -> None:
    made = []

    def numbers() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            time.sleep(0.05)
            yield number

    items = Prefetched(numbers(), depth=0)
    assert num_threads() == 0
    assert next(items) == 0
    assert made == [0]
    assert list(items) == [1, 2]
    assert items.waited_s > 0.1
    items.close()
