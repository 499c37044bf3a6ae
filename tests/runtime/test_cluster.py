from __future__ import annotations

import os
from dataclasses import replace

import pytest

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.runtime.cluster import Capacity, _without_lines_about, check_plan, describe, use_stream

LAPTOP = Capacity(cpus=2, gpus=0, nodes=1)
ONE_GPU = Capacity(cpus=16, gpus=1, nodes=1)
MANY = Capacity(cpus=64, gpus=8, nodes=2)


def resources(config: RunConfig, **fields: object) -> RunConfig:
    return replace(config, resources=replace(config.resources, **fields))


def test_automatic_feed_streams_only_where_all_pools_fit_on_gpus(config: RunConfig) -> None:
    assert not use_stream(config, LAPTOP)
    assert not use_stream(config, ONE_GPU)
    assert use_stream(config, MANY)
    assert use_stream(resources(config, flow_gpus=0.25, teacher_gpus=0.25, train_gpus=0.5), ONE_GPU)


def test_feed_can_be_chosen(config: RunConfig) -> None:
    assert use_stream(resources(config, feed="stream"), LAPTOP)
    assert not use_stream(resources(config, feed="phases"), MANY)


def test_presets_fit_a_laptop(config: RunConfig) -> None:
    check_plan(config, LAPTOP)
    check_plan(resources(config, feed="stream"), LAPTOP)


def test_plan_that_can_never_start_is_refused_with_the_demand(config: RunConfig) -> None:
    with pytest.raises(ConfigError, match=r"needs 4\.5 CPUs for the largest phase; the cluster has 2"):
        check_plan(resources(config, train_workers=4), LAPTOP)
    with pytest.raises(ConfigError, match=r"needs 3 GPUs for all pools .* the cluster has 1"):
        check_plan(resources(config, feed="stream"), ONE_GPU)
    with pytest.raises(ConfigError, match=r"needs 2 GPUs for the largest phase"):
        check_plan(resources(config, feed="phases", train_workers=2), ONE_GPU)


def test_actors_never_take_all_cpus(config: RunConfig) -> None:
    with pytest.raises(ConfigError, match=r"needs 2\.5 CPUs"):
        check_plan(resources(config, flow_actors=2, max_flow_actors=2, actor_cpus=1.0), LAPTOP)


def test_description_says_what_runs_where(config: RunConfig) -> None:
    text = "\n".join(describe(resources(config, max_flow_actors=4), MANY))
    assert "2 nodes, 64 CPUs, 8 GPUs" in text
    assert "feed      stream" in text
    assert "1 to 4 actors, 1 GPU each, dis" in text
    assert "0.25 CPU each" in "\n".join(describe(config, LAPTOP))


def test_one_kind_of_line_is_dropped_and_all_others_come_through(capfd: pytest.CaptureFixture[str]) -> None:
    def chatter() -> None:
        with _without_lines_about(b"old news"):
            os.write(2, b"first\n[x] old news of a library\nlast\n")
            raise ValueError("still raised")

    with pytest.raises(ValueError, match="still raised"):
        chatter()
    assert capfd.readouterr().err == "first\nlast\n"
    os.write(2, b"old news later\n")
    assert capfd.readouterr().err == "old news later\n"
