"""The sheet of a comparison: a few of the scored pictures, with the segments of every row of the table."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eisen_ray.data.clips import Clip
from eisen_ray.data.packed import unpack_labels
from eisen_ray.data.scored_frames import MaskedClip, read_to_show
from eisen_ray.report.sheet import SheetRow, compared_row, contact_sheet, png_bytes
from eisen_ray.runtime.peer_scoring import Came
from eisen_ray.runtime.reading import spread
from eisen_ray.runtime.scoring import scored_rows

NUM_SHOWN = 4
"""Pictures of each set."""


class Shown(NamedTuple):
    """A picture of the sheet."""

    set_name: str
    clip: Clip
    frame: int

    @property
    def key(self) -> str:
        """Its name among the label maps of a row."""
        return _key(self.set_name, self.clip.clip_id, self.frame)


def shown_pictures(sets: Mapping[str, Sequence[MaskedClip]], max_images: int) -> list[Shown]:
    """`NUM_SHOWN` pictures of each set, evenly spread over those that are scored.

    Args:
        sets: clips with masks, by the set's name.
        max_images: how many of each set are scored; 0 = all.
    """
    shown = []
    for name, clips in sets.items():
        scored = [
            Shown(name, Clip.from_json(row["clip"]), frame)
            for row in scored_rows(clips, max_images)
            for frame in json.loads(row["frames"])
        ]
        shown += [scored[place] for place in spread(len(scored), NUM_SHOWN)]
    return shown


def pack_shown(found: Sequence[Came], shown: Sequence[Shown], size: tuple[int, int]) -> bytes:
    """The label maps of the pictures that are shown, as the content of an npz file.

    Args:
        found: what one variant of a row gave for all pictures, shown or not.
        shown: from `shown_pictures`.
        size: height and width of its maps.
    """
    packed = {
        _key(came.set_name, image.clip_id, image.frame): labels
        for came in found
        for image, labels in zip(came.images, came.labels, strict=True)
    }
    maps = {one.key: unpack_labels(packed[one.key], size) for one in shown if one.key in packed}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **maps)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_shown(content: bytes) -> dict[str, np.ndarray]:
    """The inverse of `pack_shown`: label maps uint16 [H, W] by `Shown.key`."""
    with np.load(io.BytesIO(content)) as maps:
        return dict(maps)


def comparison_sheet(
    shown: Sequence[Shown], columns: Sequence[tuple[str, Mapping[str, np.ndarray]]], width: int
) -> bytes:
    """The sheet as a PNG: a line for each picture, its truth beside it, then a column for each row of the table.

    Args:
        shown: the pictures; one that cannot be read has empty cells.
        columns: title and label maps of each row; a map that is missing is an empty cell.
        width: of the pictures, px.
    """
    titles = ["image", "ground truth", *(title for title, _ in columns)]
    rows = []
    for one in shown:
        caption = f"{one.set_name}: {one.clip.clip_id}, frame {one.frame}"
        read = read_to_show(one.clip, one.frame, width)
        if read is None:
            rows.append(SheetRow(caption, [None] * len(titles)))
        else:
            maps = [column.get(one.key) for _, column in columns]
            rows.append(compared_row(read.image, caption=caption, truth=read.truth, predictions=maps))
    return png_bytes(contact_sheet(rows, titles))


def _key(set_name: str, clip_id: str, frame: int) -> str:
    return f"{set_name}/{clip_id}/{frame}"
