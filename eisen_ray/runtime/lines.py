"""What a run says on its way: which numbers, in which words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from eisen_ray.data.index import Index
from eisen_ray.report.tables import format_duration
from eisen_ray.runtime.passes import PassResult
from eisen_ray.runtime.progress import Record
from eisen_ray.runtime.reporter import Reporter

_HEALTH = {"segments/image": "segments per image", "coverage": "of the nodes covered", "agreement": "agreement"}


def tell_index(index: Index, held_out: Index | None, reporter: Reporter) -> None:
    """What the index holds and what it leaves out."""
    evaluated = f", {held_out.num_clips} clips held out" if held_out else ""
    text = f"{index.num_clips} clips, {len(index.fragments)} fragments, {index.num_pairs} pairs{evaluated}"
    reporter.say(text, "ended", stage="index", total=len(index.fragments))
    for item in index.quarantine:
        reporter.say(f"left out  {item.uri}: {item.reason}", "left_out", level="warning", stage="index")


def tell_pass(number: int, name: str, result: PassResult, reporter: Reporter) -> None:
    """What a pass has made and what it found."""
    reporter.say(
        f"round {number}  {name} ready: {result.images} images computed, {result.stored} fragments loaded"
        + (f", {result.failed} left out" if result.failed else ""),
        "ended",
        stage=name,
        done=result.stored + result.made,
    )


def train_lines(num_steps: int, reporter: Reporter) -> Callable[[Record], None]:
    """Turns the workers' records into lines and TensorBoard points."""
    total = num_steps
    state = {"began": 0.0, "from": 0}

    def tell(record: Record) -> None:
        number, step = record["round"], record["step"]
        if record["event"] == "started":
            state.update(began=time.monotonic(), **{"from": step})
            text = f"round {number}  student starts at step {step} of {total}"
            reporter.say(text, "started", stage="student", step=step, total=total, now=True)
            reporter.meter.steps(step, total)
            return
        metrics = record["metrics"]
        reporter.scalars(metrics, step)
        reporter.meter.steps(step, total)
        reporter.meter.count("student", record.get("images", 0), record.get("busy_s", 0.0))
        done = step - state["from"]
        elapsed = time.monotonic() - state["began"]
        left = format_duration(elapsed / max(done, 1) * (total - step))
        reporter.say(
            f"round {number}  student  {step:>{len(str(total))}}/{total}  loss {metrics['train/loss']:.3f}  "
            f"{metrics['train/images_per_s']:.1f} images/s  {left} left",
            "step",
            stage="student",
            step=step,
            epoch=record.get("epoch"),
            done=done,
            total=total,
            elapsed_s=round(elapsed, 3),
            values=metrics,
        )

    return tell


def tell_evaluation(record: dict[str, Any], reporter: Reporter, elapsed_s: float | None = None) -> None:
    """A student's scores and health, as a line and as TensorBoard points."""
    reporter.scalars(points(record), record["step"])
    row = table_row(record)
    scored = ", ".join(f"{group} {row[group]:.3f}" for group in ("all", "arm", "objects") if row[group] is not None)
    shown = [f"mean IoU {scored}"] if scored else []
    shown += [f"{row[key]:.2f} {name}" for key, name in _HEALTH.items()]
    reporter.say(
        f"round {record['round']}  evaluated: {'; '.join(shown)}",
        "evaluated",
        stage="evaluation",
        step=record["step"],
        elapsed_s=elapsed_s,
        values=points(record),
    )


def points(record: dict[str, Any]) -> dict[str, float]:
    """A round's scores and health under the names that TensorBoard shows."""
    scores = {f"val/{key}": value for key, value in record["scores"].items()}
    return {**scores, **{f"health/{key}": value for key, value in record["health"].items()}}


def table_row(record: dict[str, Any]) -> dict[str, Any]:
    """A round's record under the titles of `report.tables.ROUND_COLUMNS`."""
    scores, health = record["scores"], record["health"]
    return {
        "round": record["round"],
        "steps": record["step"],
        "all": scores.get("mean_iou"),
        "arm": scores.get("mean_iou_arm"),
        "objects": scores.get("mean_iou_objects"),
        "recall@0.5": scores.get("recall_50"),
        "segments/image": health.get("segments_per_image"),
        "coverage": health.get("coverage"),
        "agreement": health.get("agreement"),
    }
