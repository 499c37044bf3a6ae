"""The feed `phases`: flow for all fragments that lack it, then the teacher's segments, one pass each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ray.data import Dataset

from eisen_ray.data.index import Fragment
from eisen_ray.runtime.datasets import flow_pass, teacher_pass
from eisen_ray.runtime.layout import RoundWork, stored_fragments
from eisen_ray.runtime.progress import Pace
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.samples import quarantine


class PassResult(NamedTuple):
    """What a pass did.

    Attributes:
        stored: fragments that had been stored before.
        made: fragments worked on without an error.
        failed: fragments set aside.
        images: images worked out, not loaded.
    """

    stored: int
    made: int
    failed: int
    images: int


def make_flow(work: RoundWork, fragments: Sequence[Fragment], on_gpu: bool, reporter: Reporter) -> PassResult:
    """Flow and motion of all fragments; those stored before are not touched."""
    missing, stored = _missing(work, work.motion_folder, fragments)
    if not missing:
        return PassResult(stored, 0, 0, 0)
    dataset = flow_pass(work, [fragment.to_json() for fragment in missing], on_gpu)
    return _run(dataset, work, "flow", "flow_computed", len(missing), stored, reporter)


def make_segments(work: RoundWork, fragments: Sequence[Fragment], on_gpu: bool, reporter: Reporter) -> PassResult:
    """The teacher's confident segments of all fragments; those stored before are not touched."""
    missing, stored = _missing(work, work.segments_folder, fragments)
    if not missing:
        return PassResult(stored, 0, 0, 0)
    dataset = teacher_pass(work, [fragment.to_json() for fragment in missing], on_gpu)
    return _run(dataset, work, "teacher", "segments_computed", len(missing), stored, reporter)


def _missing(work: RoundWork, folder: str, fragments: Sequence[Fragment]) -> tuple[list[Fragment], int]:
    stored = stored_fragments(work.targets, folder)
    unique = list({fragment.fragment_id: fragment for fragment in fragments}.values())
    missing = [fragment for fragment in unique if fragment.fragment_id not in stored]
    return missing, len(unique) - len(missing)


def _run(
    dataset: Dataset, work: RoundWork, name: str, counter: str, total: int, stored: int, reporter: Reporter
) -> PassResult:
    pace = Pace(total)
    failed = images = 0
    title = f"round {work.round_number}  {name}"
    for row in dataset.iter_rows():
        if row["error"]:
            quarantine(work, row)
            reporter.say(f"{title}  left out: {row['error']}")
            failed += 1
        images += int(row[counter])
        if pace.advance():
            reporter.progress(title, pace.done, total, pace.elapsed_s)
    return PassResult(stored, total - failed, failed, images)
