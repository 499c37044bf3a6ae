"""Scores of label maps against annotated objects, in the authors' protocol (Section 4.2, Tables 1 and 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from eisen_ray.measures.overlap import count_overlap

Group = Literal["all", "arm", "objects"]
"""Which annotated objects count: every one, only the robot's arm, or all but the arm."""

UNMATCHED = -1
"""Index of an object that no segment was assigned to."""


class ImageIou(NamedTuple):
    """How well each annotated object of one image was found.

    Attributes:
        object_ids: int64 [O], ascending, without 0.
        ious: float64 [O], IoU with the segment assigned to the object; 0 if there was none left.
        best_ious: float64 [O], IoU with the segment that fits best, whichever other objects it also fits.
        arm_id: the robot arm's object id, or None.
    """

    object_ids: NDArray[np.int64]
    ious: NDArray[np.float64]
    best_ious: NDArray[np.float64]
    arm_id: int | None = None

    def selected(self, group: Group) -> NDArray[np.bool_]:
        """[O], which objects belong to the group; without an arm all are `objects`."""
        if group == "all":
            return np.ones(len(self.object_ids), dtype=bool)
        is_arm = np.zeros(len(self.object_ids), dtype=bool) if self.arm_id is None else self.object_ids == self.arm_id
        return is_arm if group == "arm" else ~is_arm


def match_segments(iou: NDArray[np.float64]) -> NDArray[np.int64]:
    """One-to-one assignment of segments to objects that maximises the total IoU (Hungarian).

    Args:
        iou: [O, S].

    Returns:
        [O], the segment's index, or `UNMATCHED` when there are fewer segments than objects.
    """
    objects, segments = linear_sum_assignment(iou, maximize=True)
    match = np.full(iou.shape[0], UNMATCHED, dtype=np.int64)
    match[objects] = segments
    return match


def image_iou(prediction: NDArray, truth: NDArray, arm_id: int | None = None) -> ImageIou:
    """Score one image.

    The prediction is brought to the size of the truth by nearest neighbour. Objects are all ids of the truth
    but 0; candidates are all predicted ids, 0 too. Segments that match nothing cost nothing.

    Args:
        prediction: integer label map [h, w].
        truth: integer label map [H, W], 0 = not an object.
        arm_id: id of the robot's arm in `truth`, if there is one.

    Raises:
        DataError: a map is not two-dimensional, or empty.
    """
    overlap = count_overlap(prediction, truth)
    iou = overlap.ious
    return ImageIou(overlap.object_ids, matched_ious(iou, match_segments(iou)), iou.max(axis=1, initial=0.0), arm_id)


def matched_ious(iou: NDArray[np.float64], match: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU of each object with the segment that the matching gives it, [O, S] -> [O]; 0 where none was left."""
    matched = np.zeros(len(iou))
    found = match != UNMATCHED
    matched[found] = iou[found, match[found]]
    return matched


def mean_per_image(images: Iterable[ImageIou], score: Callable[[ImageIou], NDArray], group: Group = "all") -> float:
    """Mean over images of the mean over a group's objects.

    Args:
        images: scored images; those without an object of the group do not count.
        score: gives each object's value [O].
        group: which objects count.

    Returns:
        The mean, NaN when no image counts.
    """
    values = [score(image)[image.selected(group)] for image in images]
    means = [float(value.mean()) for value in values if value.size > 0]
    return sum(means) / len(means) if means else math.nan


def mean_iou(images: Iterable[ImageIou], group: Group = "all") -> float:
    """The paper's mIoU: matched IoU, averaged per image, then over images; NaN without objects."""
    return mean_per_image(images, lambda image: image.ious, group)


def mean_best_iou(images: Iterable[ImageIou], group: Group = "all") -> float:
    """Like `mean_iou`, with each object's best segment whether or not another object has it too."""
    return mean_per_image(images, lambda image: image.best_ious, group)


def recall_at(images: Iterable[ImageIou], threshold: float = 0.5, group: Group = "all") -> float:
    """Share of objects whose matched IoU is at least `threshold`, per image, then over images."""
    return mean_per_image(images, lambda image: image.ious >= threshold, group)


class MeanIou:
    """Collects scored images and sums them up; images may be added in any order and on any worker."""

    def __init__(self, images: Iterable[ImageIou] = ()) -> None:
        self.images = list(images)

    def update(self, prediction: NDArray, truth: NDArray, arm_id: int | None = None) -> ImageIou:
        """Score one image as `image_iou` does, keep the score and return it."""
        score = image_iou(prediction, truth, arm_id)
        self.images.append(score)
        return score

    def compute(self) -> dict[str, float]:
        """All scores by name; those of `arm` and `objects` only if some image names an arm.

        `num_images` counts the images with at least one object, those that enter the means.
        """
        counted = [image for image in self.images if len(image.object_ids) > 0]
        groups: tuple[Group, ...] = ("all",)
        if any(image.arm_id is not None for image in counted):
            groups = ("all", "arm", "objects")
        scores = {"num_images": float(len(counted))}
        for group in groups:
            suffix = "" if group == "all" else f"_{group}"
            scores[f"mean_iou{suffix}"] = mean_iou(counted, group)
            scores[f"best_iou{suffix}"] = mean_best_iou(counted, group)
            scores[f"recall_50{suffix}"] = recall_at(counted, 0.5, group)
        return scores
