"""Node types of cluster/aws.yaml on fake machines, and our pipeline's demands put to Ray's autoscaler.

A program of its own, started by test_autoscaling.py in a process and network namespace: its head uses Ray's fixed
ports, and when it ends the kernel ends every process that it started. Prints one line of JSON.

Ray's `AutoscalingCluster` is not used: its `start` ends every Ray cluster on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

HEAD_ID = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"
STORE_BYTES = 100 * 1024**2


def autoscaling_config(aws: dict[str, Any]) -> dict[str, Any]:
    """The declared node types, unchanged but for their memory, under the provider of fake machines."""
    types = {}
    for name, node in aws["available_node_types"].items():
        resources = {key: value for key, value in node["resources"].items() if key != "object_store_memory"}
        types[name] = {
            "resources": {**resources, "object_store_memory": STORE_BYTES},
            "labels": node["labels"],
            "node_config": {},
            "min_workers": node.get("min_workers", 0),
            "max_workers": node["max_workers"],
        }
    # The provider knows its head by this name.
    types["ray.head.default"] = types.pop("head")
    return {
        "cluster_name": aws["cluster_name"],
        "max_workers": aws["max_workers"],
        "upscaling_speed": aws["upscaling_speed"],
        # The only number that is not the file's: a test cannot wait for ten minutes.
        "idle_timeout_minutes": 0.1,
        "provider": {
            "type": "fake_multinode",
            "launch_multiple": True,
            "head_node_id": HEAD_ID,
            "disable_node_updaters": True,
        },
        "available_node_types": types,
        "head_node_type": "ray.head.default",
    }


def start_head(config: dict[str, Any], folder: Path) -> None:
    path = folder / "autoscaling.json"
    path.write_text(json.dumps(config))
    environment = {
        **os.environ,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
        "RAY_health_check_period_ms": "2000",
    }
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--labels=role=head",
        "--num-cpus=0", "--num-gpus=0",
        f"--object-store-memory={STORE_BYTES}", f"--autoscaling-config={path}", f"--temp-dir={folder}",
        "--include-dashboard=false", "--disable-usage-stats",
    ]  # fmt: skip
    subprocess.run(command, env=environment, check=True, stdout=sys.stderr)


def alive() -> Counter[str]:
    """Machines by their role."""
    import ray

    return Counter(node["Labels"].get("role", "?") for node in ray.nodes() if node["Alive"])


def wait_until(what: str, holds: Any, seconds: float = 90) -> float:
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds} s; machines: {dict(alive())}")
        time.sleep(0.5)
    return round(time.monotonic() - began, 1)


def main(folder: Path) -> None:
    import ray

    from eisen_ray.presets import folder as preset

    aws = yaml.safe_load((folder / "cluster.yaml").read_text())
    start_head(autoscaling_config(aws), folder)
    ray.init(address="auto", log_to_driver=False)
    found: dict[str, Any] = {"first": wait_until("the minimum", lambda: alive()["train"] == 1)}
    found["machines at first"] = dict(alive())
    found |= place_everything(preset())
    found["down"] = wait_until("down to the minimum", lambda: alive() == Counter(train=1, head=1), 120)
    found["too large"] = never_placed()
    print(json.dumps(found))


def place_everything(config: Any) -> dict[str, Any]:
    """Workers, flow actors, teacher actors and decoding tasks of a `stream` run, all at once, by our own functions."""
    from dataclasses import replace

    import ray
    from ray.util.placement_group import placement_group, remove_placement_group

    from eisen_ray.runtime.datasets import flow_pool, teacher_pool
    from eisen_ray.runtime.layout import RoundWork, Teacher
    from eisen_ray.runtime.trainer import scaling

    sizes = {"train_workers": 4, "flow_actors": 2, "max_flow_actors": 2, "teacher_actors": 1, "max_teacher_actors": 1}
    resources = replace(config.resources, **sizes)
    config = replace(config, resources=resources)
    work = RoundWork(config=config, flow_identity="f", round_number=2, teacher=Teacher(path="t", sha256="0"))
    workers = scaling(work, on_gpu=True)
    group = placement_group([workers.resources_per_worker] * workers.num_workers, strategy="PACK")
    ray.get(group.ready(), timeout=90)

    class Stage:
        def where(self) -> str:
            return str(ray.get_runtime_context().get_node_id())

    actors = []
    for pool in (flow_pool(work, on_gpu=True), teacher_pool(work, on_gpu=True)):
        share = {name: value for name, value in pool.arguments().items() if name != "compute"}
        actors += [ray.remote(**{"num_cpus": 0, **share})(Stage).remote() for _ in range(pool.smallest)]
    stages = ray.get([actor.where.remote() for actor in actors], timeout=120)

    @ray.remote(num_cpus=resources.decode_cpus)
    def decode() -> str:
        time.sleep(4)
        return str(ray.get_runtime_context().get_node_id())

    # More than the GPU machines' CPUs hold at once: the decoding group must come.
    tasks = [decode.remote() for _ in range(200)]
    wait_until("decoding machines", lambda: alive()["decode"] > 0)
    decoded = ray.get(tasks, timeout=120)
    roles = {node["NodeID"]: node["Labels"].get("role") for node in ray.nodes()}
    table = ray.util.placement_group_table(group)
    found = {
        "machines at most": dict(alive()),
        "workers on": [roles[node] for node in table["bundles_to_node_id"].values()],
        "stages on": [roles[node] for node in stages],
        "decoded on": dict(Counter(roles[node] for node in decoded)),
    }
    remove_placement_group(group)
    for actor in actors:
        ray.kill(actor)
    return found


def never_placed() -> str:
    """A demand that no declared machine can meet stays pending; nothing is launched for it."""
    import ray
    from ray.util.placement_group import placement_group

    group = placement_group([{"GPU": 16}], strategy="PACK")
    try:
        ray.get(group.ready(), timeout=8)
    except ray.exceptions.GetTimeoutError:
        return "pending" if alive() == Counter(train=1, head=1) else f"launched {dict(alive())}"
    return "placed"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
