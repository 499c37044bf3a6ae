"""Rows of a table of peers as Markdown and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from eisen_ray.report.evaluation import MEASURES
from eisen_ray.report.tables import format_duration, format_number, format_table

COLUMNS = (
    "mean_iou",
    "best_iou",
    "recall_50",
    "boundary_f",
    "average_precision",
    "average_recall",
    "f1",
    "point_iou",
    "foreground_ari",
)
"""Measures over all objects that a table shows."""
PART_COLUMNS = ("arm", "objects", "small", "medium", "large")
"""Parts of the objects of which it shows mIoU, where there are such."""

SETS = ("val", "test")
"""Sets of pictures in the order in which they are shown."""

Record = Mapping[str, Any]
Style = Literal["text", "markdown"]


def title_of(record: Record) -> str:
    """A row's name with its settings: `felzenszwalb, scale 200`."""
    settings = [f"{name} {value:g}" for name, value in record["variant"].items()]
    return ", ".join([record["row"], *settings])


def chosen(records: Sequence[Record], select_by: str) -> list[Record]:
    """Of each row the variant with the best validation score, in the order of the rows."""
    best: dict[str, Record] = {}
    for record in records:
        before = best.get(record["row"])
        if before is None or _value(record, "val", select_by) > _value(before, "val", select_by):
            best[record["row"]] = record
    return list(best.values())


def mean_ious(record: Record) -> dict[str, str]:
    """MIoU of a record on each set that it has, as text."""
    return {
        name: format_number(record["sets"][name]["parts"]["all"]["mean_iou"]["value"])
        for name in SETS
        if name in record["sets"]
    }


def comparison_table(records: Sequence[Record], name: str, style: Style = "text") -> str:
    """One line per record, on the set `name`: measures over all objects, then mIoU of their parts."""
    parts = [part for part in PART_COLUMNS if any(part in record["sets"][name]["parts"] for record in records)]
    titles = ["row", *(MEASURES[measure][0] for measure in COLUMNS), *(f"mIoU {part}" for part in parts), "segments"]
    lines = []
    for record in records:
        scores = record["sets"][name]
        cells = [format_number(scores["parts"]["all"][measure]["value"]) for measure in COLUMNS]
        cells += [format_number(scores["parts"].get(part, {}).get("mean_iou", {}).get("value")) for part in parts]
        lines.append([title_of(record), *cells, format_number(scores["num_segments"], ".1f")])
    return format_table(titles, lines, style)


def comparison_page(records: Sequence[Record], facts: Mapping[str, str], select_by: str, sheet: str = "") -> str:
    """The page in Markdown: a table for each set of the chosen variants, what they cost, then all variants.

    Args:
        records: rows, as `runtime.compare` writes them.
        facts: lines of the head.
        select_by: measure on the validation set that chose.
        sheet: file name of the pictures, "" for none.
    """
    best = chosen(records, select_by)
    sets = list(mean_ious(best[0]))
    lines = ["# Comparison", "", *(f"- {name}: {value}" for name, value in facts.items())]
    for name in sets:
        scores = best[0]["sets"][name]
        lines += [
            "",
            f"## {name}",
            "",
            f"{scores['num_images']} images with objects, {scores['num_objects']['all']} objects.",
            "",
            comparison_table(best, name, "markdown"),
        ]
    lines += [
        "",
        f"Where a row has settings, the ones with the best {MEASURES[select_by][0]} on the validation set are shown.",
        "Measures: docs/measures.md.",
        "",
        "## Intervals and cost",
        "",
        _cost_table(best),
    ]
    if len(records) > len(best):
        for name in sets:
            lines += ["", f"## All settings, {name}", "", comparison_table(records, name, "markdown")]
    if sheet:
        lines += ["", "## Pictures", "", f"![some pictures with the segments of every row]({sheet})"]
    return "\n".join(lines) + "\n"


def _cost_table(records: Sequence[Record]) -> str:
    sets = list(mean_ious(records[0]))
    titles = ["row", *(f"mIoU {name}, 95 %" for name in sets), "steps", "training", "s/image"]
    lines = []
    for record in records:
        found = [record["sets"][name]["parts"]["all"]["mean_iou"] for name in sets]
        ranges = [f"{format_number(one['low'])} to {format_number(one['high'])}" for one in found]
        trained = record["trained"] or {}
        took = format_duration(trained["seconds"]) if trained else format_number(None)
        steps, pace = format_number(trained.get("step"), "d"), format_number(record["seconds_per_image"])
        lines.append([title_of(record), *ranges, steps, took, pace])
    return format_table(titles, lines, "markdown")


def _value(record: Record, name: str, measure: str) -> float:
    value = record["sets"][name]["parts"]["all"][measure]["value"]
    return -1.0 if value is None else float(value)
