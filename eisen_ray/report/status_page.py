"""The state of a run as text, from what `runtime.status.run_status` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eisen_ray.report.tables import format_duration, format_number, format_table

NUM_REASONS = 10
"""Quarantined fragments that the text names; `--json` has all."""

_STATES = {
    "running": "running",
    "finished": "finished: all rounds are done",
    "stopped": "stopped; the same command continues it",
    "died": "died; the same command continues it",
    "never started": "never started",
}
_UNITS = {
    "flow": "flow fragment",
    "teacher": "teacher fragment",
    "student": "step",
    "evaluation": "evaluation",
}


def status_text(status: Mapping[str, Any]) -> str:
    """Aligned lines: driver, present work, what is left, rounds, checkpoints, quarantine."""
    lines = [f"root       {status['root']}", f"state      {_STATES[status['state']]}"]
    if status["reason"]:
        lines.append(f"           {status['reason']}")
    if status["sign"]:
        sign = status["sign"]
        lines.append(f"driver     last sign {format_duration(sign['age_s'])} ago, from {sign['host']}")
    if status["now"]:
        lines.append(f"last       {_event_text(status['now'])}, {format_duration(status['now']['age_s'])} ago")
    lines += [*_amounts(status), *_left(status["left"], finished=status["state"] == "finished"), "", _rounds(status)]
    checkpoints = [
        f"round {each['round']}    {each['checkpoint']}" for each in status["rounds"] if "checkpoint" in each
    ]
    return "\n".join([*lines, *([""] if checkpoints else []), *checkpoints, *_quarantine(status["quarantine"])])


def _event_text(event: Mapping[str, Any]) -> str:
    if event.get("message"):
        return str(event["message"])
    number = f"round {event['round']}  " if "round" in event else ""
    return f"{number}{event.get('stage', 'run')} {event['event']}"


def _amounts(status: Mapping[str, Any]) -> list[str]:
    fragments, steps = status["fragments"], status["steps"]
    lines = []
    if fragments:
        shown = [
            f"{name} {fragments[name]} of {fragments['total']}" for name in ("flow", "teacher") if name in fragments
        ]
        lines.append(f"fragments  {', '.join(shown)} (round {fragments['round']})")
    return [*lines, f"steps      {steps['done']} of {steps['total']} (round {steps['round']})"]


def _left(left: Mapping[str, Any], *, finished: bool) -> list[str]:
    if finished:
        return []
    units = [f"{count} {_UNITS[stage]}{'s' * (count != 1)}" for stage, count in left["units"].items()]
    lines = [f"left       {', '.join(units)}" if units else "left       nothing but the promotion"]
    if left["seconds"] is None:
        return [*lines, "time left  not known: no training step has been timed yet"]
    timed = [f"{seconds:.3g} s per {_UNITS[stage]}" for stage, seconds in left["seconds_per_unit"].items()]
    missing = f"; not counted: {', '.join(left['not_counted'])}" if left["not_counted"] else ""
    how = f"({'; '.join(timed)}, as last measured{missing}; starts of workers not counted)"
    return [*lines, f"time left  {format_duration(left['seconds'])}  {how}"]


def _rounds(status: Mapping[str, Any]) -> str:
    titles = ["round", "state", "mean IoU", "segments/image", "coverage", "agreement"]
    cells = []
    for each in status["rounds"]:
        health = each["health"]
        numbers = [each["scores"].get("mean_iou"), health.get("segments_per_image")]
        numbers += [health.get("coverage"), health.get("agreement")]
        cells.append([str(each["round"]), each["state"], *(format_number(number, ".3f") for number in numbers)])
    return format_table(titles, cells, "text")


def _quarantine(notes: list[Mapping[str, str]]) -> list[str]:
    if not notes:
        return []
    named = [f"  {note.get('fragment_id') or note['uri']}: {note['reason']}" for note in notes[:NUM_REASONS]]
    more = [f"  and {len(notes) - NUM_REASONS} more (--json names all)"] if len(notes) > NUM_REASONS else []
    return ["", f"left out ({len(notes)})", *named, *more]
