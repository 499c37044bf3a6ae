"""Metrics for Prometheus, through Ray: what is exported, under which names, and the two ways to record it.

Ray's agent on every node exports them with the prefix `ray_` (port: `MetricsExportPort` of `ray.nodes()`), ten seconds
after they are recorded at the latest; it runs with and without the dashboard. Where there is no agent, or no Ray, a
recorded value goes nowhere and costs a microsecond.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from ray.util.metrics import Counter, Gauge, Histogram

from eisen_ray.runtime.layout import RoundWork
from eisen_ray.settings import digest

STAGES = ("decode", "flow", "motion", "teacher", "student", "evaluation")
RAY_PREFIX = "ray_"
"""Ray puts it before every name that it exports."""


class Metric(NamedTuple):
    """One exported metric."""

    kind: str
    """counter, gauge or histogram."""
    labels: tuple[str, ...]
    meaning: str


_RUN, _STAGE = ("run", "round"), ("run", "round", "stage")

METRICS: dict[str, Metric] = {
    "eisen_stage_pairs_total": Metric("counter", _STAGE, "Frame pairs that a stage has worked out, not loaded."),
    "eisen_stage_busy_seconds_total": Metric("counter", _STAGE, "Seconds that a stage's processes have worked."),
    "eisen_fragments": Metric("gauge", (*_STAGE, "state"), "Fragments of a pass: done, left, quarantined."),
    "eisen_teacher_coverage_ratio": Metric("histogram", _RUN, "Share of a fragment in confident segments, 0..1."),
    "eisen_step": Metric("gauge", _RUN, "Optimizer steps done in the round."),
    "eisen_steps_planned": Metric("gauge", _RUN, "Optimizer steps of the round in all."),
    "eisen_train_loss": Metric("gauge", _RUN, "Training loss of the last told step."),
    "eisen_train_pairs_per_second": Metric("gauge", _RUN, "Training pairs per second since the step told before."),
    "eisen_train_wait_ratio": Metric("gauge", _RUN, "Share of the time in which steps waited for data, 0..1."),
    "eisen_train_queued_images": Metric("gauge", _RUN, "Images that the first worker has read and not yet used."),
    "eisen_eval_mean_iou": Metric("gauge", (*_RUN, "group"), "Mean IoU on held-out images: all, arm, objects; 0..1."),
    "eisen_health_segments_per_image": Metric("gauge", _RUN, "Segments per gate image."),
    "eisen_health_coverage_ratio": Metric("gauge", _RUN, "Share of the nodes in a segment, gate images, 0..1."),
    "eisen_health_agreement_ratio": Metric("gauge", _RUN, "Agreement of two passes on gate images, 0..1."),
}
"""Every name that this package exports; docs/observability.md has the same table."""

_SCALARS = {
    "train/loss": ("eisen_train_loss", {}),
    "train/images_per_s": ("eisen_train_pairs_per_second", {}),
    "train/wait_share": ("eisen_train_wait_ratio", {}),
    "train/queued_images": ("eisen_train_queued_images", {}),
    "val/mean_iou": ("eisen_eval_mean_iou", {"group": "all"}),
    "val/mean_iou_arm": ("eisen_eval_mean_iou", {"group": "arm"}),
    "val/mean_iou_objects": ("eisen_eval_mean_iou", {"group": "objects"}),
    "health/segments_per_image": ("eisen_health_segments_per_image", {}),
    "health/coverage": ("eisen_health_coverage_ratio", {}),
    "health/agreement": ("eisen_health_agreement_ratio", {}),
}
"""Which of TensorBoard's points are exported, and how."""

_COVERAGE_BOUNDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def run_label(root: str) -> str:
    """The label `run` of a root: its last part, and four digits that tell roots of the same name apart."""
    return f"{root.rstrip('/').rsplit('/', 1)[-1]}-{digest(root)[:4]}"


@dataclass(frozen=True)
class StageMeter:
    """Counts a stage's pairs and seconds, in the process where it runs; cheap to send along. [Decision 67]

    Attributes:
        run: label of the run; empty: nothing is counted.
        round_number: its round.
    """

    run: str
    round_number: int

    @contextmanager
    def busy(self, stage: str) -> Iterator[dict[str, int]]:
        """While entered, the stage works; put the pairs worked out under `pairs` into what is given.

        Nothing is counted where that stays 0: loading what is stored is no work of the stage.
        """
        done = {"pairs": 0}
        began = time.monotonic()
        yield done
        if done["pairs"] > 0:
            self.count(stage, done["pairs"], time.monotonic() - began)

    def count(self, stage: str, pairs: float, seconds: float) -> None:
        """Add pairs, and seconds of work, to a stage."""
        if self.run:
            labels = self._labels(stage=stage)
            for name, value in (("eisen_stage_pairs_total", pairs), ("eisen_stage_busy_seconds_total", seconds)):
                if value > 0:
                    _exported(name).inc(float(value), labels)

    def covered(self, share: float) -> None:
        """Note the share of a fragment that the teacher's confident segments cover."""
        _exported("eisen_teacher_coverage_ratio").observe(float(share), self._labels())

    def fragments(self, stage: str, *, done: int, left: int, quarantined: int) -> None:
        """Set how far a pass over the fragments has come."""
        for state, value in (("done", done), ("left", left), ("quarantined", quarantined)):
            _exported("eisen_fragments").set(value, self._labels(stage=stage, state=state))

    def steps(self, done: int, planned: int) -> None:
        """Set how far the student's training has come."""
        _exported("eisen_step").set(done, self._labels())
        _exported("eisen_steps_planned").set(planned, self._labels())

    def scalars(self, values: Mapping[str, Any]) -> None:
        """Set the gauges of TensorBoard's points; names that have no gauge are passed over."""
        for key, value in values.items():
            if key in _SCALARS and value is not None:
                name, more = _SCALARS[key]
                _exported(name).set(float(value), self._labels(**more))

    def _labels(self, **more: str) -> dict[str, str]:
        return {"run": self.run, "round": str(self.round_number), **more}


def meter_of(work: RoundWork) -> StageMeter:
    """The meter of a round."""
    return StageMeter(run_label(work.config.root), work.round_number)


@cache
def _exported(name: str) -> Any:
    """This process's one object for a metric."""
    metric = METRICS[name]
    if metric.kind == "histogram":
        return Histogram(name, metric.meaning, boundaries=_COVERAGE_BOUNDS, tag_keys=metric.labels)
    made = Counter if metric.kind == "counter" else Gauge
    return made(name, metric.meaning, tag_keys=metric.labels)
