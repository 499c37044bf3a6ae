"""From scored images to the scores of a data set: every measure, for all objects and for parts of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eisen_ray.errors import DataError
from eisen_ray.measures.detections import IOU_THRESHOLDS, Detections, detection_scores, judge_segments
from eisen_ray.measures.image_scores import ImageScores, score_image
from eisen_ray.measures.intervals import Estimate, clip_weights, estimate, weighted_mean

SIZES: dict[str, tuple[float, float]] = {
    "small": (0.0, 32**2 / (640 * 480)),
    "medium": (32**2 / (640 * 480), 96**2 / (640 * 480)),
    "large": (96**2 / (640 * 480), math.inf),
}
"""Sizes of objects: from which share of the image on and below which. [Decision 86]"""
GROUPS = ("arm", "objects")
"""Groups of objects, where some image names the robot's arm."""


@dataclass(frozen=True)
class ClipScores:
    """One clip or sequence, in the measures of DAVIS: means over its frames of the means over the objects there."""

    clip_id: str
    num_images: int
    region_j: float
    boundary_f: float


@dataclass(frozen=True)
class Scores:
    """The scores of a data set.

    Attributes:
        parts: by name (`all`, `arm`, `objects`, `small`, `medium`, `large`), each measure of that part of the objects.
        num_objects: by the same names.
        num_images: images with at least one object.
        num_segments: segments in an image, on average over all images.
        coverage: share of an image that segments cover, on average.
        clips: every clip that holds an object, in order of its id.
    """

    parts: dict[str, dict[str, Estimate]]
    num_objects: dict[str, int]
    num_images: int
    num_segments: float
    coverage: float
    clips: tuple[ClipScores, ...]

    def __getitem__(self, measure: str) -> float:
        """A measure's value over all objects."""
        return self.parts["all"][measure].value

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None for what is not known."""
        return {
            "parts": {
                part: {name: _plain(found._asdict()) for name, found in measures.items()}
                for part, measures in self.parts.items()
            },
            "num_objects": self.num_objects,
            **_plain({"num_images": self.num_images, "num_segments": self.num_segments, "coverage": self.coverage}),
            "clips": [_plain(vars(clip)) for clip in self.clips],
        }


Selection = Callable[[ImageScores], NDArray[np.bool_]]


def evaluate_maps(
    predictions: Sequence[NDArray],
    truths: Sequence[NDArray],
    *,
    clip_ids: Sequence[str] | None = None,
    arm_ids: Sequence[int | None] | None = None,
    ignores: Sequence[NDArray[np.bool_] | None] | None = None,
    confidences: Sequence[Mapping[int, float]] | None = None,
    seed: int = 0,
) -> Scores:
    """Score label maps, whatever made them.

    Args:
        predictions: integers [h, w], 0 = unassigned.
        truths: integers [H, W], 0 = not an object; as many.
        clip_ids: which clip each image is from; None: each is its own.
        arm_ids: the robot arm's id in each truth.
        ignores: bool [H, W], pixels that do not count.
        confidences: of each segment, by image; None: its share of the image.
        seed: of the resampling behind the intervals.

    Raises:
        DataError: other numbers of maps than of truths or names, or maps that cannot be compared.
    """
    columns = (clip_ids, arm_ids, ignores, confidences)
    lengths = [len(truths), *(len(column) for column in columns if column is not None)]
    if set(lengths) != {len(predictions)}:
        raise DataError(f"{len(predictions)} predictions with {lengths} truths and names; expected equal numbers.")
    images = [
        score_image(
            prediction,
            truths[place],
            clip_id=str(place) if clip_ids is None else clip_ids[place],
            frame=place,
            arm_id=None if arm_ids is None else arm_ids[place],
            ignore=None if ignores is None else ignores[place],
            confidences=None if confidences is None else confidences[place],
        )
        for place, prediction in enumerate(predictions)
    ]
    return summarize(images, seed=seed)


def summarize(images: Sequence[ImageScores], seed: int = 0) -> Scores:
    """Sum up scored images; their order does not matter.

    Raises:
        DataError: no images.
    """
    if not images:
        raise DataError("No image was scored; expected at least one with a mask.")
    images = sorted(images, key=lambda image: (image.clip_id, image.frame))
    names = sorted({image.clip_id for image in images})
    clip_of = np.searchsorted(names, [image.clip_id for image in images])
    by_clip = clip_weights(len(names), seed)
    weights = by_clip[:, clip_of]
    selections = _selections(images)
    clips = _clip_scores(images, names)
    parts = {name: _part(images, weights, select, SIZES.get(name)) for name, select in selections.items()}
    if "objects" in parts:
        chosen = [selections["objects"](image) for image in images]
        apart = _image_means(images, chosen, weights, lambda image: image.apart_from_arm)
        parts["objects"]["apart_from_arm"] = apart
    aris = np.array([image.foreground_ari for image in images])
    parts["all"]["foreground_ari"] = estimate(weighted_mean(aris, weights))
    for measure in ("region_j", "boundary_f"):
        values = np.array([getattr(clip, measure) for clip in clips])
        parts["all"][f"davis_{measure[-1]}"] = estimate(weighted_mean(values, by_clip))
    return Scores(
        parts=parts,
        num_objects={name: sum(int(select(image).sum()) for image in images) for name, select in selections.items()},
        num_images=sum(len(image.object_ids) > 0 for image in images),
        num_segments=float(np.mean([len(image.confidences) for image in images])),
        coverage=float(np.mean([image.segment_areas.sum() for image in images])),
        clips=tuple(clip for clip in clips if clip.num_images > 0),
    )


def _selections(images: Sequence[ImageScores]) -> dict[str, Selection]:
    """Which objects [O] of an image belong to each part."""

    def sized(low: float, high: float) -> Selection:
        return lambda image: (image.object_areas >= low) & (image.object_areas < high)

    selections: dict[str, Selection] = {"all": lambda image: np.ones(len(image.object_ids), dtype=bool)}
    if any(image.arm_id is not None for image in images):
        selections["arm"] = lambda image: image.image_iou.selected("arm")
        selections["objects"] = lambda image: image.image_iou.selected("objects")
    return selections | {name: sized(*limits) for name, limits in SIZES.items()}


def _part(
    images: Sequence[ImageScores],
    weights: NDArray[np.float64],
    select: Selection,
    limits: tuple[float, float] | None,
) -> dict[str, Estimate]:
    chosen = [select(image) for image in images]

    def image_means(score: Callable[[ImageScores], NDArray]) -> Estimate:
        return _image_means(images, chosen, weights, score)

    def object_mean(score: Callable[[ImageScores], NDArray]) -> Estimate:
        """Mean over all objects, wherever they are."""
        values = [score(image)[choice] for image, choice in zip(images, chosen, strict=True)]
        counts = weights @ np.array([len(value) for value in values], np.float64)
        sums = weights @ np.array([value.sum() for value in values])
        return estimate(np.where(counts > 0, sums / np.where(counts > 0, counts, 1), np.nan))

    judged = [_judged(image, choice, limits) for image, choice in zip(images, chosen, strict=True)]
    detected = detection_scores(judged, weights)
    return {
        "mean_iou": image_means(lambda image: image.ious),
        "best_iou": image_means(lambda image: image.best_ious),
        "recall_50": image_means(lambda image: image.ious >= 0.5),
        "boundary_f": image_means(lambda image: image.boundary_fs),
        "mean_best_overlap": image_means(lambda image: image.table.max(axis=1, initial=0.0)),
        "average_precision": estimate(detected.average_precision),
        "average_recall": estimate(detected.average_recall),
        "f1": estimate(detected.f1),
        "point_recall": object_mean(lambda image: (image.point_ious[:, None] >= IOU_THRESHOLDS).mean(axis=1)),
        "point_iou": object_mean(lambda image: image.point_ious),
    }


def _image_means(
    images: Sequence[ImageScores],
    chosen: Sequence[NDArray[np.bool_]],
    weights: NDArray[np.float64],
    score: Callable[[ImageScores], NDArray],
) -> Estimate:
    """Mean over the chosen objects of an image, then over images."""
    values = [score(image)[choice] for image, choice in zip(images, chosen, strict=True)]
    means = np.array([value.mean() if value.size else np.nan for value in values])
    return estimate(weighted_mean(means, weights))


def _judged(image: ImageScores, chosen: NDArray[np.bool_], limits: tuple[float, float] | None) -> Detections:
    """Segments against a part of the objects; a segment of another size that finds nothing is not held against it."""
    low, high = limits or (0.0, math.inf)
    other_size = (image.segment_areas < low) | (image.segment_areas >= high)
    # Of equally confident segments the larger one comes first, whatever their numbers.
    order = np.lexsort((np.arange(len(image.confidences)), -image.segment_areas, -image.confidences))
    return judge_segments(
        image.table[:, order],
        image.confidences[order],
        ignored_objects=~chosen,
        ignored_segments=other_size[order],
    )


def _clip_scores(images: Sequence[ImageScores], names: Sequence[str]) -> list[ClipScores]:
    found: dict[str, list[ImageScores]] = {name: [] for name in names}
    for image in images:
        if len(image.object_ids) > 0:
            found[image.clip_id].append(image)
    return [
        ClipScores(
            clip_id=name,
            num_images=len(of_clip),
            region_j=float(np.mean([image.ious.mean() for image in of_clip])) if of_clip else math.nan,
            boundary_f=float(np.mean([image.boundary_fs.mean() for image in of_clip])) if of_clip else math.nan,
        )
        for name, of_clip in found.items()
    ]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """NaN is no JSON: None stands for it."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}
