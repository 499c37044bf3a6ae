"""Pools: how many actors, what they ask for, and how many threads each has. The pipelines run in test_pipeline.py."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from eisen_ray.runtime.datasets import flow_pool, teacher_pool
from eisen_ray.runtime.layout import RoundWork


def with_resources(work: RoundWork, **fields: object) -> RoundWork:
    return replace(work, config=replace(work.config, resources=replace(work.config.resources, **fields)))


def test_pools_ask_for_gpus_where_there_are_any(work: RoundWork) -> None:
    work = with_resources(work, flow_gpus=0.5, teacher_gpus=0.25, actor_cpus=0.1, flow_actors=2, max_flow_actors=3)
    assert flow_pool(work, True).arguments()["num_gpus"] == 0.5
    assert teacher_pool(work, True).arguments()["num_gpus"] == 0.25
    # Left out, Ray Data takes a whole CPU for each: pools as large as the machine's CPUs then starve decoding.
    assert flow_pool(work, True).arguments()["num_cpus"] == 0
    on_cpu = flow_pool(work, False).arguments()
    assert on_cpu["num_cpus"] == 0.1
    assert (on_cpu["compute"].min_size, on_cpu["compute"].max_size) == (2, 3)


@pytest.mark.parametrize(
    ("actors", "asked", "cores", "given"), [(1, 0, 8, 8), (4, 0, 8, 2), (16, 0, 8, 1), (4, 3, 8, 3)]
)
def test_cpu_actors_share_the_cores(
    work: RoundWork, monkeypatch: pytest.MonkeyPatch, actors: int, asked: int, cores: int, given: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    work = with_resources(work, max_flow_actors=actors, actor_threads=asked)
    assert flow_pool(work, False).num_threads == given
    assert flow_pool(work, True).num_threads == asked
