"""The scores of a checkpoint as text: a short table for the terminal, a page in Markdown, and rows for a sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from eisen_ray.measures.image_scores import ImageScores
from eisen_ray.measures.intervals import Estimate
from eisen_ray.measures.scores import Scores
from eisen_ray.report.sheet import SheetRow, scored_row
from eisen_ray.report.tables import MISSING, format_number, format_table

MEASURES: dict[str, tuple[str, str]] = {
    "mean_iou": ("mIoU", "the authors': objects and segments matched one to one, mean per image, then over images"),
    "best_iou": ("best IoU", "each object with its best segment, mean per image, then over images"),
    "recall_50": ("R@0.5", "share of objects with matched IoU of at least 0.5, mean per image, then over images"),
    "boundary_f": ("F", "DAVIS's boundary F of the matched segment, mean per image, then over images"),
    "mean_best_overlap": ("mBO", "as best IoU, but unassigned pixels are no segment"),
    "average_precision": ("AP", "COCO, IoU 0.5 to 0.95, no classes, no prompts"),
    "average_recall": ("AR", "COCO, IoU 0.5 to 0.95, at most 100 segments an image, no prompts"),
    "f1": ("F1", "harmonic mean of precision and recall of all segments, mean over IoU 0.5 to 0.95"),
    "point_recall": ("point AR", "segment under each object's deepest pixel, recall over IoU 0.5 to 0.95"),
    "point_iou": ("point IoU", "IoU of the segment under each object's deepest pixel, mean over objects"),
    "foreground_ari": ("FG-ARI", "adjusted Rand index on the objects' pixels, mean over images"),
    "davis_j": ("J", "mean IoU of each clip, then over clips (DAVIS)"),
    "davis_f": ("F by clip", "mean boundary F of each clip, then over clips (DAVIS)"),
}
"""Title and meaning of each measure."""
ARM_MEASURE = ("apart", "objects whose main segment does not hold more of the arm, mean per image, then over images")
"""Of `apart_from_arm`, which only `objects` have, where images name the arm."""
CONSOLE = ("mean_iou", "best_iou", "recall_50", "boundary_f", "average_precision", "average_recall", "f1", "point_iou")
"""Columns of the short table."""
NUM_CLIPS_SHOWN = 12
"""Clips that the terminal names; the page has all."""
NUM_EACH = 3
"""Best, median and worst images on a sheet."""

Style = Literal["text", "markdown"]


def part_table(scores: Scores, style: Style = "text") -> str:
    """All parts of the objects by the measures that all of them have."""
    names = (
        CONSOLE
        if style == "text"
        else [name for name in MEASURES if name in scores.parts["arm" if "arm" in scores.parts else "small"]]
    )
    titles = ["part", "objects", *(MEASURES[name][0] for name in names)]
    lines = [
        [part, str(scores.num_objects[part]), *(format_number(measures[name].value) for name in names)]
        for part, measures in scores.parts.items()
    ]
    return format_table(titles, lines, style)


def console_text(scores: Scores) -> str:
    """What the terminal shows: parts, measures of whole images, and J and F by clip where there are few."""
    names = ("mean_iou", "foreground_ari", "mean_best_overlap", "point_recall", "davis_j", "davis_f")
    said = [f"{MEASURES[name][0]} {_with_interval(scores.parts['all'][name])}" for name in names]
    if "objects" in scores.parts:
        said.append(f"objects apart from the arm {_with_interval(scores.parts['objects']['apart_from_arm'])}")
    whole = ", ".join(said)
    blocks = [part_table(scores), whole]
    if len(scores.clips) <= NUM_CLIPS_SHOWN:
        blocks.append(clip_table(scores))
    return "\n\n".join(blocks)


def clip_table(scores: Scores, style: Style = "text") -> str:
    """J and F of every clip."""
    lines = [
        [clip.clip_id, str(clip.num_images), format_number(clip.region_j), format_number(clip.boundary_f)]
        for clip in scores.clips
    ]
    return format_table(["clip", "images", "J", "F"], lines, style)


def evaluation_page(scores: Scores, facts: Mapping[str, str], failures: Sequence[str], sheet: str) -> str:
    """The page in Markdown.

    Args:
        scores: what was measured.
        facts: lines of the head, such as checkpoint and data.
        failures: what could not be scored, one line each.
        sheet: file name of the pictures, "" for none.
    """
    lines = ["# Evaluation", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        f"- {scores.num_images} images with objects, {scores.num_objects['all']} objects, {len(scores.clips)} clips",
        f"- {scores.num_segments:.1f} segments an image, {scores.coverage:.0%} of the image covered",
        "",
        "## All objects",
        "",
        "| measure | value | 95 % interval | what it is |",
        "|---|---:|---|---|",
    ]
    explained = [(*texts, scores.parts["all"][name]) for name, texts in MEASURES.items()]
    if "objects" in scores.parts:
        explained.append((*ARM_MEASURE, scores.parts["objects"]["apart_from_arm"]))
    for title, meaning, found in explained:
        lines.append(f"| {title} | {format_number(found.value)} | {_interval(found)} | {meaning} |")
    lines += [
        "",
        "Intervals: clips drawn again with replacement, 1000 times. Definitions: docs/measures.md.",
        "",
        "## Parts of the objects",
        "",
        part_table(scores, "markdown"),
        "",
        "## Clips",
        "",
        clip_table(scores, "markdown"),
    ]
    if failures:
        lines += ["", "## Not scored", "", *(f"- {line}" for line in failures)]
    if sheet:
        lines += ["", "## Pictures", "", f"![best, median and worst images]({sheet})"]
    return "\n".join(lines) + "\n"


class Pick(NamedTuple):
    """An image chosen for the sheet."""

    kind: Literal["best", "median", "worst"]
    image: ImageScores


def pick_images(images: Sequence[ImageScores], each: int = NUM_EACH) -> list[Pick]:
    """The best, the middle and the worst images by the authors' mIoU, at most `each` of a kind, none twice.

    Images of different clips are preferred: frames of one clip look alike.
    """
    scored = [image for image in images if len(image.object_ids) > 0]
    ordered = sorted(scored, key=lambda image: (-float(image.ious.mean()), image.clip_id, image.frame))
    middle = sorted(range(len(ordered)), key=lambda place: (abs(place - (len(ordered) - 1) / 2), place))
    ways: dict[Literal["best", "median", "worst"], Sequence[int]] = {
        "best": range(len(ordered)),
        "worst": range(len(ordered) - 1, -1, -1),
        "median": middle,
    }
    taken: set[int] = set()
    found: dict[str, list[Pick]] = {}
    for kind, places in ways.items():
        # With few images each kind gets its share of them.
        wanted = min(each, max(1, len(ordered) // len(ways)))
        chosen = _different_clips(ordered, [place for place in places if place not in taken], wanted)
        taken |= set(chosen)
        found[kind] = [Pick(kind, ordered[place]) for place in chosen]
    return [*found["best"], *found["median"], *found["worst"]]


def _different_clips(ordered: Sequence[ImageScores], places: Sequence[int], wanted: int) -> list[int]:
    first: dict[str, int] = {}
    for place in places:
        first.setdefault(ordered[place].clip_id, place)
    others = [place for place in places if place not in set(first.values())]
    return [*first.values(), *others][:wanted]


def picked_row(pick: Pick, image: np.ndarray, prediction: np.ndarray, truth: np.ndarray) -> SheetRow:
    """The row of a chosen image under `SCORED_TITLES`; pictures as for `example_row`."""
    scored = float(pick.image.ious.mean())
    caption = f"{pick.kind}: {pick.image.clip_id}, frame {pick.image.frame}"
    return scored_row(image, caption=caption, prediction=prediction, truth=truth, mean_iou=scored)


def _with_interval(found: Estimate) -> str:
    interval = _interval(found)
    return format_number(found.value) + (f" ({interval})" if interval != MISSING else "")


def _interval(found: Estimate) -> str:
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return MISSING
    return f"{found.low:.3f} to {found.high:.3f}"
