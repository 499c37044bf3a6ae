"""Everything that is measured on one image: small, plain, and enough to sum up any set of images later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eisen_ray.errors import DataError
from eisen_ray.measures.boundary import boundary_f
from eisen_ray.measures.mean_iou import UNMATCHED, ImageIou, match_segments, matched_ious
from eisen_ray.measures.overlap import Overlap, count_overlap, resize_labels
from eisen_ray.measures.points import prompt_point
from eisen_ray.measures.rand_index import foreground_ari


@dataclass(frozen=True)
class ImageScores:
    """One scored image. Areas are shares of the pixels that count; O objects, S segments, unassigned pixels not one."""

    clip_id: str
    """The clip or sequence that the image is from: the unit of the confidence intervals."""
    frame: int
    """Number of the frame in its clip."""
    arm_id: int | None
    """The robot arm's object id, or None."""
    object_ids: NDArray[np.int64]
    """[O], ascending."""
    object_areas: NDArray[np.float64]
    """[O]."""
    ious: NDArray[np.float64]
    """[O], IoU with the segment assigned to the object, the unassigned pixels being one to choose (`ImageIou`)."""
    best_ious: NDArray[np.float64]
    """[O], IoU with the best-fitting segment, the unassigned pixels being one."""
    boundary_fs: NDArray[np.float64]
    """[O], boundary F of the assigned segment; 0 without one."""
    point_ious: NDArray[np.float64]
    """[O], IoU with the segment under the object's prompt point; 0 where that is unassigned."""
    apart_from_arm: NDArray[np.float64]
    """[O], 0 where the segment that covers most of an object covers more of the robot's arm than of it, else 1."""
    segment_areas: NDArray[np.float64]
    """[S]."""
    confidences: NDArray[np.float64]
    """[S]."""
    table: NDArray[np.float64]
    """[O, S], IoU."""
    foreground_ari: float
    """FG-ARI; NaN without objects."""

    @property
    def image_iou(self) -> ImageIou:
        """The part that the authors' mIoU needs."""
        return ImageIou(self.object_ids, self.ious, self.best_ious, self.arm_id)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types; None for what is not known."""
        values = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in vars(self).items()}
        return {**values, "foreground_ari": None if math.isnan(self.foreground_ari) else self.foreground_ari}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImageScores:
        """The inverse of `to_dict`.

        Raises:
            DataError: fields are missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise DataError(f"Scores of an image have {sorted(values)}; expected {sorted(names)}.")
        found: dict[str, Any] = {
            key: np.array(value, np.int64 if key == "object_ids" else np.float64) if isinstance(value, list) else value
            for key, value in values.items()
        }
        found["table"] = found["table"].reshape(len(found["object_ids"]), len(found["confidences"]))
        found["foreground_ari"] = math.nan if values["foreground_ari"] is None else values["foreground_ari"]
        return cls(**found)


def score_image(
    prediction: NDArray,
    truth: NDArray,
    *,
    clip_id: str = "",
    frame: int = 0,
    arm_id: int | None = None,
    ignore: NDArray[np.bool_] | None = None,
    confidences: Mapping[int, float] | None = None,
) -> ImageScores:
    """Measure one predicted label map.

    Args:
        prediction: integers [h, w], 0 = unassigned; brought to the size of the truth by nearest neighbour.
        truth: integers [H, W], 0 = not an object.
        clip_id: the clip or sequence; images without a name count as one clip.
        frame: the frame's number.
        arm_id: id of the robot's arm in `truth`.
        ignore: bool [H, W], pixels that do not count.
        confidences: of each predicted id; None: a segment's share of the image.

    Raises:
        DataError: the maps cannot be compared, or a segment has no confidence.
    """
    overlap = count_overlap(prediction, truth, ignore)
    prediction = resize_labels(prediction, *truth.shape)
    ious = overlap.ious
    match = match_segments(ious)
    is_segment = overlap.segment_ids != 0
    ids = overlap.segment_ids[is_segment].tolist()
    segment_areas = overlap.segment_areas[is_segment] / max(overlap.num_pixels, 1)
    missing = [] if confidences is None else [segment for segment in ids if segment not in confidences]
    if missing:
        raise DataError(f"Segments {missing[:5]} have no confidence; expected one for each of {len(ids)} segments.")
    boundaries, prompted = [], []
    for place, object_id in enumerate(overlap.object_ids.tolist()):
        mask = truth == object_id if ignore is None else (truth == object_id) & ~ignore
        if match[place] == UNMATCHED:
            boundaries.append(0.0)
        else:
            boundaries.append(boundary_f(prediction == overlap.segment_ids[match[place]], mask, ignore))
        under = int(prediction[prompt_point(mask)])
        prompted.append(float(ious[place, np.searchsorted(overlap.segment_ids, under)]) if under else 0.0)
    return ImageScores(
        clip_id=clip_id,
        frame=frame,
        arm_id=arm_id,
        object_ids=overlap.object_ids,
        object_areas=overlap.object_areas / max(overlap.num_pixels, 1),
        ious=matched_ious(ious, match),
        best_ious=ious.max(axis=1, initial=0.0),
        boundary_fs=np.array(boundaries, np.float64),
        point_ious=np.array(prompted, np.float64),
        apart_from_arm=_apart_from(arm_id, overlap),
        segment_areas=segment_areas,
        confidences=segment_areas if confidences is None else np.array([confidences[i] for i in ids], np.float64),
        table=ious[:, is_segment],
        foreground_ari=foreground_ari(overlap.shared),
    )


def _apart_from(arm_id: int | None, overlap: Overlap) -> NDArray[np.float64]:
    apart = np.ones(len(overlap.object_ids))
    arm = overlap.shared[overlap.object_ids == arm_id] if arm_id is not None else overlap.shared[:0]
    if len(arm):
        place = overlap.shared.argmax(axis=1)
        in_common = overlap.segment_ids[place] != 0
        apart[in_common & (arm[0, place] > overlap.shared.max(axis=1))] = 0
    return apart
