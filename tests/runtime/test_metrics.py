"""Metrics, read back from the endpoint that Prometheus would scrape, and the page that lists them."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.metrics import _SCALARS, METRICS, RAY_PREFIX, STAGES, StageMeter, meter_of, run_label

PAGE = Path(__file__).resolve().parents[2] / "docs" / "observability.md"


def samples() -> Iterator[tuple[str, dict[str, str], float]]:
    """Every sample at this cluster's endpoint."""
    import ray.data

    (node,) = [node for node in ray.nodes() if node["Alive"]]
    address = f"http://127.0.0.1:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, dict(sample.labels), sample.value


def exported() -> Iterator[tuple[str, dict[str, str], float]]:
    """Every sample of ours."""
    return (each for each in samples() if each[0].startswith(f"{RAY_PREFIX}eisen_"))


def wait_for(run: str, count: int) -> dict[tuple[str, ...], float]:
    """Samples of a run by name and the labels that tell them apart, once there are so many names."""
    # Ray's processes hand their metrics on every ten seconds.
    deadline = time.monotonic() + 60
    while True:
        found = {}
        for name, labels, value in exported():
            if labels["run"] == run and "_bucket" not in name:
                more = [labels[key] for key in ("stage", "state", "group") if key in labels]
                found[(name, labels["round"], *more)] = value
        if len({key[0] for key in found}) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def rays_queue_labels() -> set[str]:
    """Labels of the metric of Ray Data that the dashboard shows, once it is at the endpoint."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for name, labels, _ in samples():
            if name == "ray_data_operator_queued_blocks":
                return set(labels)
        time.sleep(0.5)
    return set()


@pytest.mark.usefixtures("ray_cluster")
def test_all_metrics_reach_the_endpoint_from_driver_and_workers() -> None:
    import ray.data

    run = f"run-{time.time_ns()}"
    meter = StageMeter(run, 2)
    meter.count("student", 12, 1.5)
    meter.fragments("flow", done=3, left=5, quarantined=1)
    meter.steps(40, 600)
    meter.scalars(dict.fromkeys(_SCALARS, 0.25) | {"train/grad_norm": 1.0})

    @ray.remote(num_cpus=0)
    class Actor:
        """Keeps its process alive until the metrics are read."""

        def work(self, meter: StageMeter) -> None:
            with meter.busy("teacher") as done:
                done["pairs"] = 8
            with meter.busy("teacher"):
                pass
            meter.covered(0.3)

    ray.data.range(4).map(lambda row: row).take_all()
    actor = Actor.remote()
    ray.get(actor.work.remote(meter))
    # A histogram is two names beside its buckets.
    found = wait_for(run, len(METRICS) + 1)
    ray.kill(actor)
    assert {"dataset", "operator"} <= rays_queue_labels()
    names = {key[0].removeprefix(RAY_PREFIX) for key in found}
    assert {name.removesuffix("_sum").removesuffix("_count") for name in names} == set(METRICS)
    assert found["ray_eisen_stage_pairs_total", "2", "student"] == 12
    assert found["ray_eisen_stage_busy_seconds_total", "2", "student"] == 1.5
    assert found["ray_eisen_stage_pairs_total", "2", "teacher"] == 8
    assert [found["ray_eisen_fragments", "2", "flow", state] for state in ("done", "left", "quarantined")] == [3, 5, 1]
    assert (found["ray_eisen_step", "2"], found["ray_eisen_steps_planned", "2"]) == (40, 600)
    assert found["ray_eisen_eval_mean_iou", "2", "objects"] == 0.25
    assert found["ray_eisen_teacher_coverage_ratio_count", "2"] == 1


def test_work_that_was_only_loaded_and_runs_without_a_name_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    monkeypatch.setattr(StageMeter, "count", lambda self, stage, pairs, seconds: counted.append((stage, pairs)))
    with StageMeter("a", 1).busy("flow"):
        pass
    with StageMeter("a", 1).busy("flow") as done:
        done["pairs"] = 2

    def break_off() -> None:
        with StageMeter("a", 1).busy("flow") as done:
            done["pairs"] = 2
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        break_off()
    assert counted == [("flow", 2)]
    monkeypatch.undo()
    monkeypatch.setattr("eisen_ray.runtime.metrics._exported", None)
    StageMeter("", 0).count("decode", 1, 1.0)


def test_recording_costs_microseconds() -> None:
    meter = StageMeter("cost", 1)
    meter.steps(0, 1)
    began = time.perf_counter()
    for step in range(1000):
        meter.steps(step, 1000)
    # Some 5 us each on a quiet machine; once per told step.
    assert time.perf_counter() - began < 1.0


def test_roots_of_one_name_have_different_labels(work: RoundWork) -> None:
    assert run_label("s3://bucket/a/run/").startswith("run-")
    assert run_label("s3://bucket/a/run") != run_label("s3://bucket/b/run")
    assert meter_of(work) == StageMeter(run_label(work.config.root), 1)


def test_names_and_labels_are_well_formed_and_on_the_page() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `eisen_")]
    expected = [
        f"| `{name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.meaning} |"
        for name, metric in METRICS.items()
    ]
    assert rows == expected
    for name, metric in METRICS.items():
        assert name.startswith("eisen_")
        assert (metric.kind == "counter") == name.endswith("_total")
        assert metric.labels[:2] == ("run", "round")
    assert {name for name, _ in _SCALARS.values()} <= set(METRICS)
    page = PAGE.read_text()
    assert [stage for stage in STAGES if f"`{stage}`" not in page] == []
