from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from eisen_ray.runtime import cluster
from eisen_ray.runtime.cluster import Capacity, _without_lines_about, capacity
from eisen_ray.runtime.packing import Machine


def test_session_cluster_is_described(ray_cluster: None) -> None:
    found = capacity()
    assert [(machine.cpus, machine.gpus) for machine in found.machines] == [(4, 0)]
    assert (found.cpus, found.gpus, found.has_gpus, found.may_come) == (4, 0, False, ())
    assert str(found) == "1 x (4 CPUs, 0 GPUs)"


def group(name: str, max_count: int, **resources: int) -> SimpleNamespace:
    return SimpleNamespace(name=name, max_count=max_count, resources=resources)


def test_machines_that_an_autoscaler_may_start_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = SimpleNamespace(node_group_configs=[group("head", 1), group("train", 3, CPU=8, GPU=4)])
    monkeypatch.setattr(cluster.state, "get_cluster_config", lambda: declared)
    found = cluster._may_come((Machine(0, 0, "10.0.0.1"), Machine(8, 4, "10.0.0.2")))
    assert found == (Machine(8, 4, "train"), Machine(8, 4, "train"))
    declared.node_group_configs = [group("any", -1, CPU=2)]
    assert len(cluster._may_come(())) == cluster.MANY_MACHINES


def test_machines_that_may_come_count_as_room() -> None:
    offered = Capacity((Machine(0, 0),), (Machine(8, 4),))
    assert (offered.cpus, offered.gpus, offered.has_gpus) == (8, 4, True)
    assert len(offered.all) == 2


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
