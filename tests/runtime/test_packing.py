from __future__ import annotations

from eisen_ray.runtime.packing import Demand, Machine, fits_alone, pack


def demand(name: str, count: int, cpus: float = 0.0, gpus: float = 0.0) -> Demand:
    return Demand(name, count, cpus, gpus, f"resources.{name}")


def test_an_actor_is_never_split_over_machines() -> None:
    machines = [Machine(2)] * 4
    four = demand("a", 1, cpus=4)
    assert not any(fits_alone(four, machine) for machine in machines)
    assert pack([four], machines).missing == four
    assert pack([demand("a", 4, cpus=2)], machines).places == {"a": [1, 1, 1, 1]}
    assert pack([demand("a", 5, cpus=2)], machines).missing is not None


def test_a_share_lies_on_one_gpu() -> None:
    # 1.8 of 2 GPUs, but only one of these has room on each.
    packed = pack([demand("a", 3, gpus=0.6)], [Machine(8, 2)])
    assert packed.missing is not None
    assert packed.places == {"a": [2]}
    assert pack([demand("a", 4, gpus=0.5)], [Machine(8, 2)]).missing is None


def test_whole_gpus_are_kept_whole() -> None:
    demands = [demand("small", 2, gpus=0.25), demand("large", 1, gpus=2)]
    assert pack(demands, [Machine(8, 3)]).missing is None
    assert pack(demands, [Machine(8, 2)]).missing == demands[0]
    assert pack([demand("large", 1, gpus=2)], [Machine(8, 1)] * 2).missing is not None


def test_shares_that_fill_a_gpu_exactly_fit_in_spite_of_rounding() -> None:
    assert pack([demand("a", 10, cpus=0.1, gpus=0.1)], [Machine(1, 1)]).missing is None
    assert pack([demand("a", 11, gpus=0.1)], [Machine(1, 1)]).missing is not None


def test_kinds_stand_beside_each_other() -> None:
    packed = pack([demand("a", 2, cpus=1), demand("b", 2, cpus=0.5)], [Machine(2), Machine(1)])
    assert packed.places == {"a": [2, 0], "b": [0, 2]}
    assert pack([demand("a", 2, cpus=1), demand("b", 3, cpus=0.5)], [Machine(2), Machine(1)]).missing is not None


def test_no_machine_has_room_for_nothing() -> None:
    assert pack([demand("a", 1, cpus=1)], []).missing is not None
