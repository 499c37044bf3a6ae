"""Scores as aligned text and Markdown, and the one-line forms that progress output uses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

MISSING = "-"

ROUND_COLUMNS: tuple[tuple[str, str], ...] = (
    ("round", "d"),
    ("steps", "d"),
    ("all", ".3f"),
    ("arm", ".3f"),
    ("objects", ".3f"),
    ("recall@0.5", ".3f"),
    ("segments/image", ".1f"),
    ("coverage", ".2f"),
    ("agreement", ".2f"),
)
"""Title and number format of each column; `all`, `arm` and `objects` are mean IoU."""


def round_table(rows: Sequence[Mapping[str, object]], style: Literal["text", "markdown"] = "text") -> str:
    """Scores of the rounds of a run.

    Args:
        rows: one mapping per round, keyed by the titles in `ROUND_COLUMNS`; absent, None and NaN become "-".
        style: aligned plain text, or a Markdown table.

    Returns:
        Lines joined by newlines, without one at the end.
    """
    titles = [title for title, _ in ROUND_COLUMNS]
    cells = [[format_number(row.get(title), spec) for title, spec in ROUND_COLUMNS] for row in rows]
    return format_table(titles, cells, style)


def format_table(titles: Sequence[str], cells: Sequence[Sequence[str]], style: Literal["text", "markdown"]) -> str:
    """Right-aligned columns under their titles, as plain text or as Markdown."""
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    lines = [[cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in (titles, *cells)]
    if style == "text":
        rule = ["-" * width for width in widths]
        return "\n".join("  ".join(line) for line in (lines[0], rule, *lines[1:]))
    # A colon at the right end of the rule right-aligns a Markdown column; a rule needs at least one dash before it.
    rule = ["-" * max(width - 1, 1) + ":" for width in widths]
    return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))


def format_number(value: object, spec: str = ".3f") -> str:
    """A number in the given format, or "-" for None, NaN and what is no number; other texts pass unchanged."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return MISSING
    number = float(value)
    if not math.isfinite(number):
        return MISSING
    return format(round(number) if spec == "d" else number, spec)


def format_duration(seconds: float) -> str:
    """Seconds as the two largest units that matter: `8s`, `2m05s`, `3h07m`, `2d04h`."""
    total = max(0, round(seconds))
    for size, unit, part, part_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if total >= size:
            return f"{total // size}{unit}{total % size // part:02d}{part_unit}"
    return f"{total}s"


def progress_line(name: str, done: int, total: int, elapsed_s: float, **numbers: float) -> str:
    """One line of progress: `round 1 student  120/600  loss 0.412  1m20s, 5m20s left`.

    Args:
        name: what is being done.
        done: units finished in `elapsed_s`.
        total: units in all.
        elapsed_s: seconds spent on `done`.
        numbers: further values, shown with four significant digits in the given order.
    """
    parts = [name, f"{done:>{len(str(total))}}/{total}"]
    parts += [f"{key} {value:.4g}" for key, value in numbers.items()]
    left = f", {format_duration(elapsed_s / done * (total - done))} left" if 0 < done < total else ""
    return "  ".join([*parts, f"{format_duration(elapsed_s)}{left}"])
