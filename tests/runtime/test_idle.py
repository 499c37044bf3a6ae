"""Ray Data's scheduler pauses at every turn, and rows still arrive."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import ray.data

from eisen_ray.runtime import idle
from eisen_ray.runtime.idle import REST_S, RestBetweenTurns


@pytest.mark.usefixtures("ray_cluster")
def test_ray_calls_it_at_every_turn_and_rows_still_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(idle, "time", SimpleNamespace(sleep=rests.append))
    dataset = ray.data.range(40, override_num_blocks=8).map(lambda row: row)
    dataset.context.custom_execution_callback_classes = [RestBetweenTurns]
    assert len(dataset.take_all()) == 40
    assert rests
    assert set(rests) == {REST_S}
