"""How segments and objects share pixels: the table from which nearly every measure follows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eisen_ray.errors import DataError

_MAX_COUNTED_ID = 1 << 20
"""Ids below this are found by counting, others by sorting, which is slower."""


class Overlap(NamedTuple):
    """What the objects of one image share with the segments predicted for it, in pixels that count.

    Attributes:
        object_ids: int64 [O], ascending, without 0.
        segment_ids: int64 [S], ascending; holds 0, the unassigned pixels, where there are any.
        shared: int64 [O, S], pixels in both.
        object_areas: int64 [O], pixels.
        segment_areas: int64 [S], pixels.
        num_pixels: pixels that count: all of the image but the ignored ones.
    """

    object_ids: NDArray[np.int64]
    segment_ids: NDArray[np.int64]
    shared: NDArray[np.int64]
    object_areas: NDArray[np.int64]
    segment_areas: NDArray[np.int64]
    num_pixels: int

    @property
    def ious(self) -> NDArray[np.float64]:
        """Intersection over union [O, S]."""
        return self.shared / (self.object_areas[:, None] + self.segment_areas - self.shared)


def count_overlap(prediction: NDArray, truth: NDArray, ignore: NDArray[np.bool_] | None = None) -> Overlap:
    """Count the pixels that objects and segments share.

    Args:
        prediction: integer label map [h, w]; brought to the size of the truth by nearest neighbour.
        truth: integer label map [H, W], 0 = not an object.
        ignore: bool [H, W], pixels that do not count; None = all count.

    Raises:
        DataError: a map is not two-dimensional, or empty, or `ignore` is of another size than the truth.
    """
    if prediction.ndim != 2 or truth.ndim != 2 or prediction.size == 0 or truth.size == 0:
        raise DataError(f"Prediction {prediction.shape} and truth {truth.shape}; expected label maps [H, W].")
    prediction = resize_labels(prediction, *truth.shape)
    if ignore is not None:
        if ignore.shape != truth.shape or ignore.dtype != np.bool_:
            raise DataError(f"Ignored pixels {ignore.shape} {ignore.dtype}; expected bool {truth.shape}.")
        # As one row: places no longer matter.
        prediction, truth = prediction[~ignore][None], truth[~ignore][None]
    ids, segment_ids, shared = _shared_pixels(truth, prediction)
    is_object = ids != 0
    return Overlap(
        object_ids=ids[is_object].astype(np.int64),
        segment_ids=segment_ids.astype(np.int64),
        shared=shared[is_object],
        object_areas=shared.sum(1)[is_object],
        segment_areas=shared.sum(0),
        num_pixels=truth.size,
    )


def resize_labels(labels: NDArray, height: int, width: int) -> NDArray:
    """Label map [h, w] on another grid by nearest neighbour: pixel i reads floor(i * h / height).

    In float32, as torch's `interpolate` does: with the sizes 22 and 52 or the like, exact arithmetic would read
    another pixel here and there, and scores would not be the authors'. [Decision 24]
    """
    if labels.shape == (height, width):
        return labels
    rows, columns = (
        np.minimum(np.arange(new, dtype=np.float32) * (np.float32(old) / np.float32(new)), old - 1).astype(np.int64)
        for new, old in zip((height, width), labels.shape, strict=True)
    )
    return labels[rows[:, None], columns]


def iou_table(first: NDArray, second: NDArray) -> tuple[NDArray, NDArray, NDArray[np.float64]]:
    """IoU of every segment of one label map with every segment of another.

    Args:
        first: integers [H, W].
        second: integers [H, W].

    Returns:
        The ids of `first` [F] and of `second` [S], ascending and including 0 where it occurs, and IoU [F, S].

    Raises:
        DataError: the maps differ in size or are empty.
    """
    if first.shape != second.shape or first.ndim != 2 or first.size == 0:
        raise DataError(f"Label maps of shapes {first.shape} and {second.shape}; expected two equal shapes [H, W].")
    first_ids, second_ids, shared = _shared_pixels(first, second)
    union = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
    return first_ids, second_ids, shared / union


def _shared_pixels(first: NDArray, second: NDArray) -> tuple[NDArray, NDArray, NDArray[np.int64]]:
    first_ids, first_index = _numbered(first.ravel())
    second_ids, second_index = _numbered(second.ravel())
    shape = (len(first_ids), len(second_ids))
    pairs = first_index * shape[1] + second_index
    return first_ids, second_ids, np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)


def _numbered(labels: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """Ascending ids, and for every place the index of its id."""
    if labels.dtype.kind not in "iub":
        raise DataError(f"A label map holds values of type {labels.dtype}; expected whole numbers.")
    if labels.size == 0 or labels.min() < 0 or labels.max() >= _MAX_COUNTED_ID:
        ids, index = np.unique(labels, return_inverse=True)
        return ids, index.ravel().astype(np.int64)
    counts = np.bincount(labels)
    ids = np.flatnonzero(counts)
    places = np.zeros(len(counts), np.int64)
    places[ids] = np.arange(len(ids))
    return ids, places[labels.astype(np.int64)]
