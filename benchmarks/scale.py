"""Whether the pipeline of Ray Data keeps its slowest stage busy on many nodes, with stages that only sleep.

    python -m benchmarks.scale [NODES ...]

Nodes are real raylets on this machine with made-up resources: one CPU and two GPUs each, one for flow and one for the
teacher. The pipeline is the real one, `streamed_samples`, with its pools, shares and blocks; its decoding, flow and
teacher are replaced by stages that wait as long as the real ones might work. What is measured is Ray's scheduling, and
on a small machine also that machine: its processor's load is printed beside. Writes benchmarks/results/scale.json.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.head_load import made_clips
from benchmarks.measuring import RESULTS, machine
from eisen_ray.config import RunConfig
from eisen_ray.data.index import build_index
from eisen_ray.presets import bridge
from eisen_ray.runtime.environment import prepare_environment

NODES = (2, 8)
FRAGMENTS_A_NODE = 12
SECONDS = {"decode": 0.5, "flow": 2.0, "teacher": 4.0}
"""What a fragment takes in each stage. The teacher is the slowest: a node can do a fragment in four seconds."""
STORE_BYTES = 80 * 1024**2
IMAGE = np.zeros((8, 64, 64, 3), np.uint8)


class Sleeping:
    """1:1. Waits as long as a stage might work, and notes when; `columns` are what the stage would add."""

    def __init__(self, stage: str, folder: str, **columns: Any) -> None:
        self.stage, self.columns = stage, columns
        self.path = Path(folder, f"{stage}-{os.getpid()}")

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Wait."""
        began = time.time()
        time.sleep(SECONDS[self.stage])
        with self.path.open("a", encoding="ascii") as file:
            file.write(f"{began} {time.time()}\n")
        kept = {key: value for key, value in row.items() if key != "frames"}
        return {**kept, **self.columns}


class SleepingDecode(Sleeping):
    """In place of `DecodeFragment`."""

    folder = ""

    def __init__(self, **_: Any) -> None:
        super().__init__("decode", self.folder, frames=IMAGE, images=IMAGE)


class SleepingFlow(Sleeping):
    """In place of `FlowStage`."""

    def __init__(self, work: Any, num_threads: int = 0) -> None:
        super().__init__("flow", f"{work.config.root}/times", motion=[b"map"] * len(IMAGE))


class SleepingTeacher(Sleeping):
    """In place of `TeacherStage`."""

    def __init__(self, work: Any, num_threads: int = 0) -> None:
        super().__init__("teacher", f"{work.config.root}/times", segments=[b"map"] * len(IMAGE))


def main() -> None:
    """Measure each number of nodes; print a table, write JSON."""
    prepare_environment()
    results = []
    print(f"{'nodes':>5} {'start s':>8} {'first s':>8} {'busy':>6} {'rate':>6} {'CPU':>6} {'GiB':>6}   of {SECONDS}")
    for nodes in [int(word) for word in sys.argv[1:]] or NODES:
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="sc") as folder:
            found = measure(nodes, folder)
        results.append(found)
        print(
            f"{nodes:>5} {found['start_s']:>8.1f} {found['first_s']:>8.1f} {found['busy']:>6.2f} {found['rate']:>6.2f} "
            f"{found['cores']:>6.2f} {found['gib']:>6.1f}",
            flush=True,
        )
    RESULTS.mkdir(exist_ok=True)
    content = {"benchmark": "scale", "seconds": SECONDS, "machine": machine(), "results": results}
    (RESULTS / "scale.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def measure(nodes: int, folder: str) -> dict[str, float]:
    """One run of the pipeline on so many nodes.

    Returns:
        `busy`, the share of time in which the slowest stage's actors worked, and `rate`, images per second against
        what those actors could do, both between the first quarter and the time when the last fragments are given out;
        `cores` of this machine in use meanwhile, by whomever, and `gib` of memory of this benchmark's processes.
    """
    from eisen_ray.runtime import datasets
    from eisen_ray.runtime.cluster import capacity
    from eisen_ray.runtime.layout import RoundWork, Teacher, reading_file
    from eisen_ray.runtime.placement import make_plan
    from eisen_ray.runtime.reading import NONE_USED

    Path(folder, "run/times").mkdir(parents=True)
    began = time.time()
    with cluster(nodes, folder):
        # Sizes are settled as in a run, but for the student: one node's GPUs are not taken from the pools.
        plan = make_plan(_config(f"{folder}/run", nodes), capacity())
        work = RoundWork(config=plan.config, flow_identity="", round_number=2, teacher=Teacher(path="", sha256=""))
        clips, probes = made_clips(-(-nodes * FRAGMENTS_A_NODE // 20))
        index = build_index(clips, probes, fragment_frames=9)
        fragments = [fragment.to_json() for fragment in index.fragments[: nodes * FRAGMENTS_A_NODE]]
        work.store.write_json(reading_file(2), {"fragments": fragments})
        SleepingDecode.folder = f"{folder}/run/times"
        stages = {"DecodeFragment": SleepingDecode, "FlowStage": SleepingFlow, "TeacherStage": SleepingTeacher}
        started, cpu = time.time(), _cpu_seconds()
        with mock.patch.multiple(datasets, **stages):
            rows = datasets.streamed_samples(
                work, np.arange(len(fragments)), NONE_USED, on_gpu=True, with_flow=True
            ).iter_rows()
            arrived = []
            for _ in rows:
                arrived.append(time.time())
                if len(arrived) == len(fragments) * len(IMAGE) // 2:
                    gib = _own_gib()
        cores = (_cpu_seconds() - cpu) / (time.time() - started)
    if len(arrived) != len(fragments) * len(IMAGE):
        raise SystemExit(f"{len(arrived)} images of {len(fragments)} fragments arrived")
    found = {"nodes": nodes, "start_s": started - began, "first_s": arrived[0] - started, "cores": cores, "gib": gib}
    return {**found, **steady(Path(folder, "run/times"), nodes)}


def steady(folder: Path, actors: int) -> dict[str, float]:
    """Busy share and rate of the slowest stage while it is neither filling nor running empty."""
    slowest = max(SECONDS, key=lambda stage: SECONDS[stage])
    lines = [line for path in folder.glob(f"{slowest}-*") for line in path.read_text(encoding="ascii").splitlines()]
    spans = sorted(tuple(float(word) for word in line.split()) for line in lines)
    opens, closes = spans[len(spans) // 4][0], spans[len(spans) - actors][0]
    busy = sum(max(0.0, min(end, closes) - max(begin, opens)) for begin, end in spans)
    done = sum(opens < end <= closes for _, end in spans)
    able = actors * (closes - opens)
    return {"busy": busy / able, "rate": done * SECONDS[slowest] / able}


@contextmanager
def cluster(nodes: int, folder: str) -> Iterator[None]:
    """A head that runs nothing and so many nodes beside it, joined by this process."""
    os.environ["RAY_TMPDIR"] = folder
    import ray
    from ray.cluster_utils import Cluster

    from eisen_ray.runtime.idle import prepare_data_context

    small = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1, num_gpus=2, wait=False, object_store_memory=STORE_BYTES)
        made.wait_for_nodes(timeout=300)
        ray.init(address=made.address, log_to_driver=False)
        prepare_data_context()
        yield
    finally:
        ray.shutdown()
        made.shutdown()


def _config(root: str, nodes: int) -> RunConfig:
    base = bridge()
    # 512 px by 9 frames: a fragment is a block of its own, as in a large run.
    resources = replace(base.resources, feed="phases", flow_actors=nodes, teacher_actors=nodes, train_workers=1)
    return replace(base, root=root, resources=resources)


def _cpu_seconds() -> float:
    """Of all processes of this machine."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    idle = int(fields[4]) + int(fields[5])
    return (sum(int(word) for word in fields[1:9]) - idle) / os.sysconf("SC_CLK_TCK")


def _own_gib() -> float:
    """Memory of this process and all below it; what they share is counted once."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(place.parent.name)] = int(place.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    own = {os.getpid()}
    while below := {process for process, parent in parents.items() if parent in own} - own:
        own |= below
    total = 0
    for process in own:
        with suppress(OSError):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
            total += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total / 1024**2


if __name__ == "__main__":
    main()
