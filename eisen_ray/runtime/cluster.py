"""Joining a cluster or starting a local one, and the check that the plan fits before anything runs."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.runtime.idle import prepare_data_context

# Frames of a few fragments wait in the object store; half a GiB holds some hundred images of 512x512.
LOCAL_OBJECT_STORE_BYTES = 512 * 1024**2
# Ray's libraries announce at every start that RAY_BACKEND_LOG_LEVEL is set (see environment.py).
_LOG_LEVEL_NEWS = b"Set ray log level from environment variable"


@dataclass(frozen=True)
class Capacity:
    """What the cluster offers now."""

    cpus: float
    gpus: float
    nodes: int

    @property
    def has_gpus(self) -> bool:
        """Whether actors and workers get GPUs."""
        return self.gpus > 0


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
    """The resources of all live nodes."""
    found = ray.cluster_resources()
    return Capacity(found.get("CPU", 0.0), found.get("GPU", 0.0), sum(node["Alive"] for node in ray.nodes()))


def use_stream(config: RunConfig, offered: Capacity) -> bool:
    """Whether the first epoch streams through the pools; `auto`: if there are GPUs for all pools at once."""
    if config.resources.feed != "auto":
        return config.resources.feed == "stream"
    return offered.has_gpus and _demand(config, True, on_gpu=True)[1] <= offered.gpus


def check_plan(config: RunConfig, offered: Capacity) -> None:
    """Refuse a plan that the cluster can never start: Ray would wait for it without an end and without an error.

    Raises:
        ConfigError: the smallest pools and the workers together need more than there is.
    """
    streams = use_stream(config, offered)
    cpus, gpus = _demand(config, streams, offered.has_gpus)
    together = "all pools and workers at once (feed `stream`)" if streams else "the largest phase"
    if gpus > offered.gpus + 1e-6:
        raise ConfigError(
            f"The plan needs {gpus:g} GPUs for {together}; the cluster has {offered.gpus:g}. "
            "Lower resources.train_workers or the pools, or use --resources.feed phases."
        )
    if cpus > offered.cpus + 1e-6:
        raise ConfigError(
            f"The plan needs {cpus:g} CPUs for {together}; the cluster has {offered.cpus:g}. "
            "Lower resources.train_workers, resources.train_cpus or resources.actor_cpus."
        )


def describe(config: RunConfig, offered: Capacity) -> list[str]:
    """What runs where, in a few lines."""
    resources = config.resources
    on_gpu = offered.has_gpus
    feed = "stream" if use_stream(config, offered) else "phases"

    def share(gpus: float, cpus: float) -> str:
        return f"{gpus:g} GPU each" if on_gpu else f"{cpus:g} CPU each"

    def pool(least: int, most: int) -> str:
        return f"{least}" if least == most else f"{least} to {most}"

    flow = pool(resources.flow_actors, resources.max_flow_actors)
    teacher = pool(resources.teacher_actors, resources.max_teacher_actors)
    return [
        f"cluster   {offered.nodes} node{'s' * (offered.nodes != 1)}, {offered.cpus:g} CPUs, {offered.gpus:g} GPUs",
        f"feed      {feed}",
        f"decoding  tasks of {resources.decode_cpus:g} CPU",
        f"flow      {flow} actors, {share(resources.flow_gpus, resources.actor_cpus)}, {config.flow.estimator}",
        f"teacher   {teacher} actors, {share(resources.teacher_gpus, resources.actor_cpus)}",
        f"student   {resources.train_workers} workers, {share(resources.train_gpus, resources.train_cpus)}",
    ]


def _demand(config: RunConfig, streams: bool, on_gpu: bool) -> tuple[float, float]:
    """CPUs and GPUs of the most that runs at one time, with every pool at its smallest."""
    resources = config.resources
    flow = resources.flow_actors * (resources.flow_gpus if on_gpu else resources.actor_cpus)
    teacher = resources.teacher_actors * (resources.teacher_gpus if on_gpu else resources.actor_cpus)
    train = resources.train_workers * (resources.train_gpus if on_gpu else resources.train_cpus)
    most = flow + teacher + train if streams else max(flow, teacher, train)
    # One decoding task must always find room beside actors and workers.
    if not on_gpu:
        return most + resources.decode_cpus, 0.0
    return resources.train_workers * 1.0 + resources.decode_cpus, most


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
