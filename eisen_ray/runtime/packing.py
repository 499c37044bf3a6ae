"""Whether actors and workers find room on machines: arithmetic on numbers, no Ray.

A sum over the cluster is not enough: Ray never splits an actor over machines, nor a share of a GPU over GPUs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Ray counts in ten-thousandths.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Machine:
    """One machine of a cluster, or one that the cluster may still start.

    Attributes:
        cpus, gpus: as Ray counts them.
        name: for a reader, an address or the name of a node type.
    """

    cpus: float
    gpus: float = 0.0
    name: str = "this machine"

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs, {self.gpus:g} GPUs"


@dataclass(frozen=True)
class Demand:
    """Equal actors, workers or tasks that hold their place at the same time.

    Attributes:
        name: what one of them is, for messages.
        count: how many.
        cpus, gpus: of each. A share of a GPU lies on one GPU; more than one are whole ones.
        setting: what to lower when one is too large for every machine.
    """

    name: str
    count: int
    cpus: float
    gpus: float
    setting: str


@dataclass
class _Room:
    """What is still free on a machine."""

    cpus: float
    gpus: list[float]

    def take(self, demand: Demand) -> bool:
        """Give one of a demand its place; False, and nothing changes, when there is none."""
        if demand.cpus > self.cpus + _ROUNDING:
            return False
        if demand.gpus > 1:
            whole = [place for place, free in enumerate(self.gpus) if free >= 1 - _ROUNDING]
            if len(whole) < demand.gpus:
                return False
            for place in whole[: round(demand.gpus)]:
                self.gpus[place] = 0.0
        elif demand.gpus > 0:
            # The fullest GPU that still has room, so that whole ones stay whole.
            fitting = [(free, place) for place, free in enumerate(self.gpus) if free >= demand.gpus - _ROUNDING]
            if not fitting:
                return False
            self.gpus[min(fitting)[1]] -= demand.gpus
        self.cpus -= demand.cpus
        return True


@dataclass(frozen=True)
class Packed:
    """Who found room where.

    Attributes:
        places: for each demand's name, how many are on each machine.
        missing: the first demand for which there was not room enough, None if all have theirs.
    """

    places: dict[str, list[int]] = field(default_factory=dict)
    missing: Demand | None = None


def pack(demands: Iterable[Demand], machines: Sequence[Machine]) -> Packed:
    """Place demands one beside the other, those with GPUs and large ones first, each on the first machine with room.

    Ray places in another order among equals; this one tells whether there is room for all.
    """
    rooms = [_Room(machine.cpus, [1.0] * int(machine.gpus)) for machine in machines]
    places: dict[str, list[int]] = {}
    for demand in sorted(demands, key=lambda each: (-each.gpus, -each.cpus)):
        counts = places[demand.name] = [0] * len(rooms)
        # Equal ones: where the last one found no room, the next will not either.
        first = 0
        for _ in range(demand.count):
            while first < len(rooms) and not rooms[first].take(demand):
                first += 1
            if first == len(rooms):
                return Packed(places, demand)
            counts[first] += 1
    return Packed(places)


def fits_alone(demand: Demand, machine: Machine) -> bool:
    """Whether a machine, all of it free, has room for one of a demand."""
    return _Room(machine.cpus, [1.0] * int(machine.gpus)).take(demand)
