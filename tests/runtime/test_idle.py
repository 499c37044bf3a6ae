"""The scheduler rests when no task runs, and only then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import ray
import ray.data

from eisen_ray.runtime import idle
from eisen_ray.runtime.idle import RestWhenIdle


def executor(*counts: int) -> Any:
    operators = [SimpleNamespace(get_active_tasks=lambda count=count: [None] * count) for count in counts]
    return SimpleNamespace(_topology=operators)


@pytest.mark.parametrize(("counts", "rests"), [((0, 0), 1), ((0, 2), 0), ((1,), 0)])
def test_rests_only_without_running_tasks(counts: tuple[int, ...], rests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(idle.time, "sleep", slept.append)
    RestWhenIdle().on_execution_step(executor(*counts))
    assert slept == [idle.REST_S] * rests


@pytest.mark.usefixtures("ray_cluster")
def test_ray_calls_it_and_rows_still_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    original = RestWhenIdle.on_execution_step

    def counted(self: RestWhenIdle, running: Any) -> None:
        original(self, running)
        turns.append(len(list(running._topology)))

    monkeypatch.setattr(RestWhenIdle, "on_execution_step", counted)
    dataset = ray.data.range(40, override_num_blocks=8).map(lambda row: row)
    dataset.context.custom_execution_callback_classes = [RestWhenIdle]
    assert dataset.count() == len(dataset.take_all()) == 40
    assert turns
