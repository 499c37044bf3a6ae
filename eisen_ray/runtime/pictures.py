"""The contact sheet of a round: image, motion target, teacher segments, prediction, ground truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eisen_ray.data.frames import read_frames, resize
from eisen_ray.data.index import Fragment
from eisen_ray.data.masks import read_masks
from eisen_ray.data.pairs import Stored, decode_labels
from eisen_ray.report.sheet import SheetRow, contact_sheet, example_row, png_bytes
from eisen_ray.runtime.evaluation import Evaluation
from eisen_ray.runtime.layout import CONTACT_SHEET, RoundWork, fragment_file, sheet_file
from eisen_ray.runtime.reading import spread

# Rows of a sheet: as many as fit on a screen.
NUM_PICTURES = 6


def pictured_fragments(fragments: Sequence[Fragment]) -> list[Fragment]:
    """The fragments that sheets show, evenly spread, the same in every round."""
    return [fragments[place] for place in spread(len(fragments), NUM_PICTURES)]


def pictured_frames(work: RoundWork, fragments: Sequence[Fragment]) -> list[tuple[Fragment, int]]:
    """Of each fragment the frame with the most motion, so that the sheet shows what there is to learn from."""
    found = []
    for fragment in fragments:
        motion = _stored(work, work.motion_folder, fragment)
        if motion is not None:
            found.append((fragment, int(motion.frames[(motion.values > 0).sum((1, 2)).argmax()])))
    return found


def write_sheet(work: RoundWork, frames: Sequence[tuple[Fragment, int]], found: Evaluation) -> None:
    """Draw a round's sheet; the newest one is also at `report/contact_sheet.png`."""
    rows = [_row(work, fragment, frame, found) for fragment, frame in frames]
    if not rows:
        return
    picture = png_bytes(contact_sheet(rows, heading=f"{work.config.root}, round {work.round_number}"))
    for path in (sheet_file(work.round_number), CONTACT_SHEET):
        work.store.write(path, picture)


def _row(work: RoundWork, fragment: Fragment, frame: int, found: Evaluation) -> SheetRow:
    key = (fragment.clip.clip_id, frame)
    image = read_frames(fragment.clip, frame, 1)
    truth = read_masks(fragment.clip, [frame])
    size = (work.config.data.image_height, work.config.data.image_width)
    return example_row(
        resize(image, *size)[0],
        caption=f"{fragment.clip.clip_id}, frame {frame}",
        motion=_labels(work, work.motion_folder, fragment, frame),
        teacher=_labels(work, work.segments_folder, fragment, frame) if work.teacher else None,
        prediction=found.predictions.get(key),
        truth=None if truth is None else truth[0],
        mean_iou=found.ious.get(key),
    )


def _labels(work: RoundWork, folder: str, fragment: Fragment, frame: int) -> np.ndarray | None:
    stored = _stored(work, folder, fragment)
    if stored is None or frame not in stored.frames:
        return None
    return stored.values[int(np.flatnonzero(stored.frames == frame)[0])]


def _stored(work: RoundWork, folder: str, fragment: Fragment) -> Stored | None:
    path = fragment_file(folder, fragment.fragment_id)
    return decode_labels(work.targets.read(path)) if work.targets.exists(path) else None
