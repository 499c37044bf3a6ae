"""Joining a cluster or starting a local one, and what it offers."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray
from ray._private.state import state

from eisen_ray.runtime.idle import prepare_data_context
from eisen_ray.runtime.packing import Machine

# Frames of a few fragments wait in the object store; half a GiB holds some hundred images of 512x512.
LOCAL_OBJECT_STORE_BYTES = 512 * 1024**2
# Of a node type without a limit: more than any plan asks for.
MANY_MACHINES = 1000
# Ray's libraries announce at every start that RAY_BACKEND_LOG_LEVEL is set (see environment.py).
_LOG_LEVEL_NEWS = b"Set ray log level from environment variable"


@dataclass(frozen=True)
class Capacity:
    """What a cluster offers.

    Attributes:
        machines: those that are there.
        may_come: those that its autoscaler may still start.
    """

    machines: tuple[Machine, ...]
    may_come: tuple[Machine, ...] = ()

    @property
    def all(self) -> tuple[Machine, ...]:
        """Machines that are there, then those that may come."""
        return self.machines + self.may_come

    @property
    def cpus(self) -> float:
        """Of all machines."""
        return sum(machine.cpus for machine in self.all)

    @property
    def gpus(self) -> float:
        """Of all machines."""
        return sum(machine.gpus for machine in self.all)

    @property
    def has_gpus(self) -> bool:
        """Whether actors and workers get GPUs."""
        return self.gpus > 0

    def __str__(self) -> str:
        kinds = Counter(str(machine) for machine in self.machines)
        listed = "; ".join(f"{count} x ({kind})" for kind, count in kinds.items())
        return listed or "no machine"


def connect(dashboard: bool = False) -> None:
    """Join the cluster of RAY_ADDRESS (set inside a submitted job), or start one on this machine.

    Args:
        dashboard: start Ray's dashboard with it; stopping a training from outside leaves nothing behind only with it.
    """
    if ray.is_initialized():
        return
    with _without_lines_about(_LOG_LEVEL_NEWS):
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False, logging_level=logging.WARNING)
        else:
            _start_local(dashboard)
    _quiet()


def capacity() -> Capacity:
    """The machines of the cluster that this process is connected to."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    machines = tuple(
        Machine(node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0), node["NodeManagerAddress"])
        for node in alive
    )
    return Capacity(machines, _may_come(machines))


def _may_come(machines: tuple[Machine, ...]) -> tuple[Machine, ...]:
    """Machines that the autoscaler's declared node types leave to start; none without an autoscaler."""
    declared = state.get_cluster_config()
    there = Counter((machine.cpus, machine.gpus) for machine in machines)
    found: list[Machine] = []
    for group in declared.node_group_configs if declared else ():
        kind = (float(group.resources.get("CPU", 0)), float(group.resources.get("GPU", 0)))
        count = MANY_MACHINES if group.max_count < 0 else group.max_count
        running = min(count, there[kind])
        there[kind] -= running
        found += [Machine(*kind, group.name)] * min(count - running, MANY_MACHINES)
    return tuple(found)


def _start_local(dashboard: bool) -> None:
    # At least two logical CPUs: a worker and a decoding task must fit side by side, also on one core.
    ray.init(
        address="local",
        num_cpus=max(2, os.cpu_count() or 1),
        object_store_memory=LOCAL_OBJECT_STORE_BYTES,
        include_dashboard=dashboard,
        log_to_driver=False,
        logging_level=logging.WARNING,
    )


@contextmanager
def _without_lines_about(news: bytes) -> Iterator[None]:
    """Hold back what this process and its libraries write to standard error, and drop lines with this text."""
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            os.write(2, b"".join(line for line in held if news not in line))


def _quiet() -> None:
    prepare_data_context()
    logging.getLogger("ray.train").setLevel(logging.WARNING)
