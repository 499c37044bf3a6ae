"""The plan of a run on a cluster: which sizes the pools get, what is placed where, and the refusal of what never fits.

Ray waits without an end and without an error for a demand that no machine can meet, so the plan is checked before
anything starts. A config says what it must say and leaves the rest, 0, to what the cluster has: the same preset runs on
a laptop, a GPU, eight of them, many machines. [Decision 110]
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass, replace

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.resources import ResourcesConfig
from eisen_ray.runtime.cluster import Capacity
from eisen_ray.runtime.packing import Demand, Machine, fits_alone, pack

GPU_WORKER_CPUS = 1.0
"""CPUs of a training worker that has GPUs: its loop and what it reads."""


@dataclass(frozen=True)
class Plan:
    """A run and the cluster it runs on.

    Attributes:
        config: the run, every size in `resources` settled.
        offered: the cluster.
        streams: whether flow, teacher and student work at the same time in a round's first epoch.
    """

    config: RunConfig
    offered: Capacity
    streams: bool

    @property
    def on_gpu(self) -> bool:
        """Whether actors and workers get GPUs."""
        return self.offered.has_gpus

    @property
    def phases(self) -> list[list[Demand]]:
        """What holds its place at the same time, phase after phase; every pool at its smallest."""
        return _phases(self.config.resources, self.on_gpu, self.streams)


def make_plan(config: RunConfig, offered: Capacity) -> Plan:
    """Settle the sizes that the config leaves open, and refuse what can never start.

    Raises:
        ConfigError: a demand that the cluster cannot meet, now or with the machines that it may still start.
    """
    resources, on_gpu = config.resources, offered.has_gpus
    _check_shares(resources, on_gpu)
    least = _sized(resources, 1, 1, 1)
    streams = resources.feed == "stream"
    if resources.feed == "auto":
        streams = on_gpu and not any(pack(phase, offered.all).missing for phase in _phases(least, True, True))
    sizes = _sizes_on_gpus if on_gpu else _sizes_on_cpus
    settled = sizes(config, least, offered.machines, streams)
    plan = Plan(replace(config, resources=settled), offered, streams)
    _check(plan)
    return plan


def describe(plan: Plan) -> list[str]:
    """What is placed where, in a few lines."""
    resources, offered = plan.config.resources, plan.offered
    feed = "stream: flow, teacher and student at once" if plan.streams else "phases: flow, teacher, student in turn"
    lines = [f"cluster   {offered}"]
    if offered.may_come:
        lines.append(f"          may grow by {Capacity(offered.may_come)}")
    lines += [f"feed      {feed}", f"decoding  tasks of {resources.decode_cpus:g} CPU, wherever CPUs are free"]
    titles = {
        "flow actor": ("flow", resources.max_flow_actors, plan.config.flow.estimator),
        "teacher actor": ("teacher", resources.max_teacher_actors, ""),
        "training worker": ("student", resources.train_workers, ""),
    }
    told: dict[str, str] = {}
    for phase in plan.phases:
        places = pack(phase, offered.all).places
        for demand in phase:
            if demand.name in titles:
                title, most, detail = titles[demand.name]
                size = f"{demand.count}" if demand.count == most else f"{demand.count} to {most}"
                share = f"{demand.gpus:g} GPU" if plan.on_gpu else f"{demand.cpus:g} CPU"
                parts = [f"{size} {demand.name}{'s' * (most > 1)}, {share} each", detail]
                where = _where(places[demand.name], offered.all)
                told[title] = f"{title:<9} {', '.join(part for part in parts if part)}; {where}"
    return lines + list(told.values())


def _check(plan: Plan) -> None:
    machines, together = plan.offered.all, "all pools and workers at once (feed `stream`)"
    for phase in plan.phases:
        for demand in phase:
            if not any(fits_alone(demand, machine) for machine in machines):
                raise ConfigError(_too_large(demand, plan.offered))
    for kind in ("gpus", "cpus"):
        needed = max(sum(each.count * getattr(each, kind) for each in phase) for phase in plan.phases)
        there = sum(getattr(machine, kind) for machine in machines)
        if needed > there + 1e-6:
            raise ConfigError(
                f"The plan needs {needed:g} {kind[:-1].upper()}s for "
                f"{together if plan.streams else 'the largest phase'}; the cluster has {there:g}. Lower "
                "resources.train_workers, the pools or their shares (resources.*_actors, *_gpus, *_cpus), or use "
                "--resources.feed phases."
            )
    for phase in plan.phases:
        packed = pack(phase, machines)
        if packed.missing:
            found, demand = sum(packed.places[packed.missing.name]), packed.missing
            raise ConfigError(
                f"{found} of {demand.count} {demand.name}s find room, {_share(demand)} each: no machine has so much "
                f"left beside the others ({Capacity(machines)}). Lower {demand.setting} or their number, or use "
                "machines of another size."
            )


def _too_large(demand: Demand, offered: Capacity) -> str:
    largest = max(offered.all, key=lambda machine: (machine.gpus, machine.cpus) if demand.gpus else machine.cpus)
    return (
        f"A {demand.name} needs {_share(demand)} on one machine; the largest has {largest} (the cluster: {offered}). "
        f"Lower {demand.setting}, or use larger machines."
    )


def _share(demand: Demand) -> str:
    shares = [f"{demand.gpus:g} GPUs"] * (demand.gpus > 0) + [f"{demand.cpus:g} CPUs"] * (demand.cpus > 0)
    return " and ".join(shares)


def _check_shares(resources: ResourcesConfig, on_gpu: bool) -> None:
    if on_gpu and resources.train_gpus < 1 and resources.train_workers > 1:
        raise ConfigError(
            f"resources.train_gpus is {resources.train_gpus:g} with {resources.train_workers} training workers; "
            "expected whole GPUs, NCCL refuses two workers on one. Use one worker, or train_gpus 1."
        )


def _phases(resources: ResourcesConfig, on_gpu: bool, streams: bool) -> list[list[Demand]]:
    def actors(name: str, count: int, gpus: float, room: str) -> Demand:
        # As `datasets.Pool`: on a GPU no CPU, otherwise a small share.
        cpus = 0.0 if on_gpu else resources.actor_cpus
        setting = f"resources.{room}_gpus" if on_gpu else "resources.actor_cpus"
        return Demand(name, count, cpus, gpus if on_gpu else 0.0, setting)

    # One decoding task must always find room beside actors and workers.
    decode = Demand("decoding task", 1, resources.decode_cpus, 0.0, "resources.decode_cpus")
    flow = actors("flow actor", resources.flow_actors, resources.flow_gpus, "flow")
    teacher = actors("teacher actor", resources.teacher_actors, resources.teacher_gpus, "teacher")
    count = resources.train_workers
    if on_gpu:
        train = Demand("training worker", count, GPU_WORKER_CPUS, resources.train_gpus, "resources.train_gpus")
    else:
        train = Demand("training worker", count, resources.train_cpus, 0.0, "resources.train_cpus")
    if streams:
        return [[flow, teacher, train, decode]]
    return [[flow, decode], [teacher, decode], [train, decode]]


def _sized(resources: ResourcesConfig, flow: int, teacher: int, workers: int) -> ResourcesConfig:
    """The sizes given stand; the open ones get these, within the largest size if only that is given."""
    limits = resources.max_flow_actors, resources.max_teacher_actors
    flow = resources.flow_actors or (min(flow, limits[0]) if limits[0] else flow)
    teacher = resources.teacher_actors or (min(teacher, limits[1]) if limits[1] else teacher)
    return replace(
        resources,
        flow_actors=flow,
        max_flow_actors=limits[0] or flow,
        teacher_actors=teacher,
        max_teacher_actors=limits[1] or teacher,
        train_workers=resources.train_workers or workers,
    )


def _sizes_on_cpus(
    config: RunConfig, _least: ResourcesConfig, machines: tuple[Machine, ...], _streams: bool
) -> ResourcesConfig:
    # One actor per machine: its threads use all cores. One worker: gloo over processors gains nothing at these sizes.
    resources = config.resources
    usable = [machine for machine in machines if machine.cpus >= resources.actor_cpus + resources.decode_cpus]
    settled = _sized(resources, max(1, len(usable)), max(1, len(usable)), 1)
    if len(usable) > 1 and not resources.actor_threads:
        a_machine = -(-max(settled.max_flow_actors, settled.max_teacher_actors) // len(usable))
        cores = int(min(machine.cpus for machine in usable))
        settled = replace(settled, actor_threads=max(1, cores // a_machine))
    return settled


def _sizes_on_gpus(
    config: RunConfig, least: ResourcesConfig, machines: tuple[Machine, ...], streams: bool
) -> ResourcesConfig:
    """As many as the machines that are there have room for; machines that may come are for the user to ask for."""
    resources, batch = config.resources, config.train.batch_size

    def fit(flow: int, teacher: int, workers: int) -> bool:
        phases = _phases(_sized(resources, flow, teacher, workers), True, streams)
        return not any(pack(phase, machines).missing for phase in phases)

    # Whole GPUs per worker: two workers on one are refused by NCCL.
    divisors = [count for count in range(1, batch + 1) if batch % count == 0] if resources.train_gpus >= 1 else [1]
    workers = max((count for count in divisors if fit(1, 1, count)), default=1)
    gpus = sum(machine.gpus for machine in machines)
    if not streams:
        flow = _largest(int(gpus / least.flow_gpus), lambda count: fit(count, 1, workers))
        teacher = _largest(int(gpus / least.teacher_gpus), lambda count: fit(1, count, workers))
        return _sized(resources, flow, teacher, workers)
    # What the workers leave goes to both in turn, to the teacher first: its passes cost more than flow.
    most = int(gpus / min(least.flow_gpus, least.teacher_gpus))
    both = _largest(most, lambda count: fit(max(1, count // 2), max(1, -(-count // 2)), workers))
    return _sized(resources, max(1, both // 2), max(1, -(-both // 2)), workers)


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number from 1 to `most` that fits, where all below one that fits do; 1 if none."""
    return max(1, bisect.bisect_left(range(1, most + 1), True, key=lambda count: not fits(count)))


def _where(counts: list[int], machines: tuple[Machine, ...]) -> str:
    """`4 on 10.0.0.7`, `2 on each of 8 machines`."""
    groups: dict[int, list[str]] = {}
    for count, machine in zip(counts, machines, strict=True):
        if count:
            groups.setdefault(count, []).append(machine.name)
    return ", ".join(
        f"{count} on {names[0]}" if len(names) == 1 else f"{count} on each of {len(names)} machines"
        for count, names in groups.items()
    )
