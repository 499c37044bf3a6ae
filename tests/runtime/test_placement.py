"""One preset on many clusters: which sizes it gets, what is placed where, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.presets import PRESETS, bridge
from eisen_ray.resources import ResourcesConfig
from eisen_ray.runtime.cluster import Capacity, capacity
from eisen_ray.runtime.packing import Machine
from eisen_ray.runtime.placement import Plan, describe, make_plan

LAPTOP = Capacity((Machine(2),))
ONE_GPU = Capacity((Machine(16, 1, "10.0.0.1"),))
EIGHT_GPUS = Capacity((Machine(64, 8, "10.0.0.1"),))
HEAD = Machine(0, 0, "10.0.0.1")
MANY = Capacity((HEAD, *(Machine(32, 4, f"10.0.1.{number}") for number in range(16)), Machine(64, 0, "10.0.2.0")))
CLUSTERS = {"laptop": LAPTOP, "one GPU": ONE_GPU, "eight GPUs": EIGHT_GPUS, "many": MANY}


def asked(config: RunConfig | None = None, **resources: object) -> RunConfig:
    return replace(config or bridge(), resources=ResourcesConfig(**resources))


def sizes(plan: Plan) -> tuple[int, int, int]:
    """Flow actors, teacher actors, training workers."""
    resources = plan.config.resources
    assert resources.max_flow_actors >= resources.flow_actors
    assert resources.max_teacher_actors >= resources.teacher_actors
    return resources.flow_actors, resources.teacher_actors, resources.train_workers


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("name", CLUSTERS)
def test_every_preset_runs_unchanged_everywhere(preset: str, name: str) -> None:
    plan = make_plan(PRESETS[preset](), CLUSTERS[name])
    assert min(sizes(plan)) >= 1
    assert plan.config.train.batch_size % plan.config.resources.train_workers == 0
    # Settled once, settled for good: every part of a run may ask again.
    assert make_plan(plan.config, CLUSTERS[name]) == plan
    assert replace(plan.config, resources=PRESETS[preset]().resources) == PRESETS[preset]()


@pytest.mark.parametrize(
    ("offered", "streams", "expected"),
    [
        (LAPTOP, False, (1, 1, 1)),
        # In phases each has the GPU to itself.
        (ONE_GPU, False, (1, 1, 1)),
        # A batch of 8 divides among 4, and what they leave goes to the pools.
        (EIGHT_GPUS, True, (2, 2, 4)),
        (MANY, True, (28, 28, 8)),
        (Capacity((Machine(8),) * 3), False, (3, 3, 1)),
        (Capacity((HEAD, Machine(8))), False, (1, 1, 1)),
    ],
    ids=["laptop", "one GPU", "eight GPUs", "many", "three without GPUs", "head without CPUs"],
)
def test_sizes_follow_the_cluster(offered: Capacity, streams: bool, expected: tuple[int, int, int]) -> None:
    plan = make_plan(asked(), offered)
    assert (plan.streams, sizes(plan)) == (streams, expected)


def test_phases_give_all_gpus_to_each() -> None:
    assert sizes(make_plan(asked(feed="phases"), EIGHT_GPUS)) == (8, 8, 8)
    assert sizes(make_plan(asked(feed="phases", flow_gpus=0.5), EIGHT_GPUS)) == (16, 8, 8)
    # 8 GPUs in pairs: a worker with 2 of them, four times.
    pairs = Capacity((Machine(8, 2),) * 4)
    assert sizes(make_plan(asked(feed="phases", train_gpus=2), pairs)) == (8, 8, 4)


def test_one_gpu_is_shared_at_the_same_time_by_fractions() -> None:
    shares = {"flow_gpus": 0.25, "teacher_gpus": 0.25, "train_gpus": 0.5}
    plan = make_plan(asked(**shares), ONE_GPU)
    assert (plan.streams, sizes(plan)) == (True, (1, 1, 1))
    # 0.75 + 0.75 is less than two GPUs, but nothing of 0.75 fits beside another on one.
    shares = {"flow_gpus": 0.75, "teacher_gpus": 0.75, "train_gpus": 0.5}
    with pytest.raises(ConfigError, match=r"0 of 1 training workers find room, 0\.5 GPUs and 1 CPUs each"):
        make_plan(asked(feed="stream", **shares), Capacity((Machine(16, 2),)))


def test_what_is_given_stands() -> None:
    plan = make_plan(asked(flow_actors=1, max_flow_actors=3, teacher_actors=2, train_workers=2), EIGHT_GPUS)
    assert sizes(plan) == (1, 2, 2)
    assert (plan.config.resources.max_flow_actors, plan.config.resources.max_teacher_actors) == (3, 2)
    assert sizes(make_plan(asked(max_flow_actors=1, max_teacher_actors=3), MANY)) == (1, 3, 8)


def test_actors_on_several_machines_use_the_cores_of_their_own() -> None:
    several = Capacity((Machine(8),) * 3)
    assert make_plan(asked(), several).config.resources.actor_threads == 8
    assert make_plan(asked(flow_actors=6), several).config.resources.actor_threads == 4
    assert make_plan(asked(actor_threads=5), several).config.resources.actor_threads == 5


@pytest.mark.parametrize(
    ("resources", "offered", "message"),
    [
        ({"train_workers": 4}, LAPTOP, r"needs 4\.5 CPUs for the largest phase; the cluster has 2\. Lower"),
        ({"feed": "stream"}, ONE_GPU, r"needs 3 GPUs for all pools .* the cluster has 1"),
        ({"feed": "phases", "train_workers": 2}, ONE_GPU, r"needs 2 GPUs for the largest phase"),
        # Actors that hold every CPU starve decoding: a hang without an error.
        ({"flow_actors": 2, "actor_cpus": 1.0}, LAPTOP, r"needs 2\.5 CPUs"),
        ({"train_cpus": 4.0}, Capacity((Machine(2),) * 4), r"A training worker needs 4 CPUs on one machine; .* 2 CPUs"),
        ({"train_gpus": 2}, Capacity((Machine(8, 1),) * 4), r"A training worker needs 2 GPUs and 1 CPUs on one mach"),
        ({"decode_cpus": 3.0}, LAPTOP, r"A decoding task needs 3 CPUs on one machine.*resources\.decode_cpus"),
        ({"feed": "phases", "train_gpus": 2, "train_workers": 2}, Capacity((Machine(8, 3), Machine(8, 1))),
         r"1 of 2 training workers find room, 2 GPUs and 1 CPUs each"),
        ({"train_gpus": 0.5, "train_workers": 2}, EIGHT_GPUS, r"train_gpus is 0\.5 with 2 training workers"),
        ({"train_workers": 2}, Capacity((Machine(0.5, 2),)), r"A training worker needs 1 GPUs and 1 CPUs"),
    ],
)  # fmt: skip
def test_what_can_never_start_is_refused_and_named(resources: dict, offered: Capacity, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_plan(asked(**resources), offered)


def test_machines_that_may_come_are_room_but_are_not_taken_unasked() -> None:
    growing = Capacity((HEAD,), (Machine(32, 4, "gpu"),) * 4)
    assert sizes(make_plan(asked(), growing)) == (1, 1, 1)
    assert sizes(make_plan(asked(train_workers=8, flow_actors=4, teacher_actors=4), growing)) == (4, 4, 8)
    with pytest.raises(ConfigError, match="the cluster has 16"):
        make_plan(asked(feed="phases", flow_actors=17), growing)
    assert "may grow by 4 x (32 CPUs, 4 GPUs)" in "\n".join(describe(make_plan(asked(), growing)))


def test_description_says_what_runs_where() -> None:
    text = "\n".join(describe(make_plan(asked(), MANY)))
    assert "cluster   1 x (0 CPUs, 0 GPUs); 16 x (32 CPUs, 4 GPUs); 1 x (64 CPUs, 0 GPUs)" in text
    assert "feed      stream" in text
    assert "student   8 training workers, 1 GPU each; 4 on each of 2 machines" in text
    assert "flow      28 flow actors, 1 GPU each, raft-large; 4 on each of" in text
    text = "\n".join(describe(make_plan(asked(max_flow_actors=4, flow_actors=1), LAPTOP)))
    assert "flow      1 to 4 flow actors, 0.25 CPU each, raft-large; 1 on this machine" in text
    assert "feed      phases" in text


def test_plan_on_the_session_cluster(ray_cluster: None) -> None:
    plan = make_plan(asked(), capacity())
    assert (plan.on_gpu, plan.streams, sizes(plan)) == (False, False, (1, 1, 1))
    assert "cluster   1 x (4 CPUs, 0 GPUs)" in describe(plan)
    with pytest.raises(ConfigError, match=r"A training worker needs 5 CPUs on one machine; the largest has 4 CPUs"):
        make_plan(asked(train_cpus=5.0), capacity())
