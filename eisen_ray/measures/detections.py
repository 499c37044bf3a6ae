"""Segments as detections: average precision, average recall and F1 over IoU thresholds, as COCO defines them.

Class-agnostic: a segment may find any object. A segment is right at a threshold if it is matched to an object with at
least that IoU; each object is matched once, the most confident segment chooses first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""At which IoU a segment counts as right; scores are means over these (COCO)."""
RECALL_POINTS = np.linspace(0.0, 1.0, 101)
"""At which recall the precision is read (COCO)."""
MAX_SEGMENTS = 100
"""Segments of an image that count, the most confident ones (COCO)."""

_NO_OBJECT = -1


class Detections(NamedTuple):
    """The segments of one image, judged.

    Attributes:
        confidences: float64 [D], falling.
        right: bool [T, D], matched to an object that counts.
        wrong: bool [T, D], matched to nothing; a segment that is neither right nor wrong does not count.
        num_objects: objects that count.
    """

    confidences: NDArray[np.float64]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    num_objects: int


class DetectionScores(NamedTuple):
    """Means over the thresholds, each [B]; NaN without objects.

    Attributes:
        average_precision: AP, area under the precision-recall curve.
        average_recall: AR, share of the objects that are found.
        f1: of all segments, none left out for its low confidence.
    """

    average_precision: NDArray[np.float64]
    average_recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def judge_segments(
    ious: NDArray[np.float64],
    confidences: NDArray[np.float64],
    *,
    ignored_objects: NDArray[np.bool_] | None = None,
    ignored_segments: NDArray[np.bool_] | None = None,
    max_segments: int = MAX_SEGMENTS,
) -> Detections:
    """Match the segments of one image to its objects, at every threshold.

    Args:
        ious: [O, S], without the unassigned pixels.
        confidences: [S]; of equal ones, the first comes first.
        ignored_objects: [O], objects that need not be found; a segment matched to one does not count.
        ignored_segments: [S], segments that do not count when they find nothing.
        max_segments: how many segments count.
    """
    no_object = np.zeros(len(ious), dtype=bool) if ignored_objects is None else ignored_objects
    no_segment = np.zeros(len(confidences), dtype=bool) if ignored_segments is None else ignored_segments
    order = np.argsort(-confidences, kind="stable")[:max_segments]
    match = _match(ious[:, order], no_object)
    found = match != _NO_OBJECT
    # Index -1 reads the appended False: what is matched to nothing is not matched to an ignored object.
    is_free = np.append(no_object, False)[match]
    return Detections(
        confidences=confidences[order],
        right=found & ~is_free,
        wrong=~found & ~no_segment[order],
        num_objects=int((~no_object).sum()),
    )


def _match(ious: NDArray[np.float64], ignored: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Object of each segment at each threshold [T, S], `_NO_OBJECT` for none; segments choose in the given order."""
    match = np.full((len(IOU_THRESHOLDS), ious.shape[1]), _NO_OBJECT)
    taken = np.zeros((len(IOU_THRESHOLDS), len(ious)), dtype=bool)
    thresholds = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
    # Most segments fit nothing well enough for the lowest threshold.
    for segment in np.flatnonzero(ious.max(axis=0, initial=0.0) >= thresholds[0]):
        for level, threshold in enumerate(thresholds):
            fits = (ious[:, segment] >= threshold) & ~taken[level]
            # Objects that count are preferred, however well an ignored one fits.
            choice = fits & ~ignored if (fits & ~ignored).any() else fits
            if choice.any():
                # Of equally good ones the last, as in COCO.
                best = len(ious) - 1 - int(np.where(choice, ious[:, segment], -1.0)[::-1].argmax())
                match[level, segment], taken[level, best] = best, True
    return match


def detection_scores(images: Sequence[Detections], weights: NDArray[np.float64]) -> DetectionScores:
    """AP, AR and F1 of a set of images, once for every row of weights.

    Args:
        images: judged images.
        weights: [B, I], how often each image is in the set: ones for the set as it is, other whole numbers for a
            resampled one. Repeated images count as often as they are there, one after the other.
    """
    num_objects = weights @ np.array([image.num_objects for image in images], dtype=np.float64)
    image_of = np.repeat(np.arange(len(images)), [len(image.confidences) for image in images])
    order = np.argsort(-np.concatenate([image.confidences for image in images]), kind="stable")
    image_of = image_of[order]
    right = np.concatenate([image.right for image in images], axis=1)[:, order]
    wrong = np.concatenate([image.wrong for image in images], axis=1)[:, order]
    # Most segments are wrong at every threshold: counted once, they need no curve of their own for each.
    always_wrong = wrong.all(axis=0)
    differing = np.flatnonzero((right | wrong).any(axis=0) & ~always_wrong)
    right, wrong = right[:, differing], wrong[:, differing]
    scores = np.full((3, len(weights)), np.nan)
    for row in np.flatnonzero(num_objects > 0):
        times = weights[row, image_of]
        always_missed = np.cumsum(always_wrong * times)
        hits = np.cumsum(right * times[differing], axis=1)
        misses = np.cumsum(wrong * times[differing], axis=1) + always_missed[differing]
        totals = hits[:, -1:].sum(1), (wrong * times[differing]).sum(1) + always_missed[-1:].sum()
        average_precision = _area(hits / num_objects[row], hits / (hits + misses + np.spacing(1)))
        f1 = 2 * totals[0] / (totals[0] + totals[1] + num_objects[row])
        scores[:, row] = average_precision, (totals[0] / num_objects[row]).mean(), f1.mean()
    return DetectionScores(*scores)


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Mean over thresholds and recall points of the best precision at that recall or a higher one; both [T, D]."""
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.pad(envelope, ((0, 0), (0, 1)))  # recall that is never reached has precision 0
    places = np.stack([np.searchsorted(one, RECALL_POINTS, side="left") for one in recall])
    return float(np.take_along_axis(padded, places, axis=1).mean())
