"""AP, AR and F1 against pycocotools, on random scenes of label maps with ties, ignored objects and resampled sets."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from eisen_ray.measures.detections import Detections, detection_scores, judge_segments
from eisen_ray.measures.image_scores import ImageScores, score_image

Scene = tuple[np.ndarray, np.ndarray, dict[int, float]]


def scene(random: np.random.Generator, height: int = 24, width: int = 32) -> Scene:
    """Prediction, truth and confidences: rectangles, and segments that are shifted, split and missing ones."""
    truth, prediction = np.zeros((2, height, width), int)
    for name in range(1, random.integers(0, 7) + 1):
        top, left = random.integers(0, height - 4), random.integers(0, width - 4)
        rows, columns = random.integers(2, 11, 2)
        truth[top : top + rows, left : left + columns] = name
        row, column = random.integers(-1, 2, 2)
        prediction[max(top + row, 0) : top + row + rows, max(left + column, 0) : left + column + columns] = 7 * name
    for name in range(100, 100 + random.integers(0, 5)):
        top, left = random.integers(0, height - 4), random.integers(0, width - 4)
        prediction[top : top + 4, left : left + 4] = name
    # Few values, so that many are equal, within an image and between images.
    confidences = {int(segment): float(random.integers(1, 5)) / 4 for segment in np.unique(prediction)}
    return prediction, truth, confidences


def encode(mask: np.ndarray) -> dict:
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))


def coco_scores(scenes: list[Scene], low: float = 0, high: float = 1e10) -> tuple[float, float]:
    """AP and AR of pycocotools. Equal confidences go in order of falling area, as ours do."""
    truths, found = [], []
    for image, (prediction, truth, confidences) in enumerate(scenes, start=1):
        for name in np.unique(truth[truth > 0]):
            mask = truth == name
            box = {"image_id": image, "category_id": 1, "iscrowd": 0, "area": int(mask.sum()), "bbox": [0, 0, 1, 1]}
            truths.append({**box, "id": len(truths) + 1, "segmentation": encode(mask)})
        names = np.unique(prediction[prediction > 0])
        for name in sorted(names, key=lambda name: (-int((prediction == name).sum()), name)):
            mask = {"image_id": image, "category_id": 1, "segmentation": encode(prediction == name)}
            found.append({**mask, "score": confidences[int(name)]})
    images = [{"id": image, "height": 24, "width": 32} for image in range(1, len(scenes) + 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": images, "annotations": truths, "categories": [{"id": 1, "name": "object"}]}
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(found), "segm")
        judge.params.areaRng, judge.params.areaRngLbl = [[low, high]], ["asked"]
        judge.params.maxDets = [100]
        judge.evaluate()
        judge.accumulate()
    return float(judge.eval["precision"].mean()), float(judge.eval["recall"].mean())


def scored(scenes: list[Scene]) -> list[ImageScores]:
    return [score_image(prediction, truth, confidences=sure) for prediction, truth, sure in scenes]


def judged(image: ImageScores, low: float = 0, high: float = 1e10) -> Detections:
    """As `scores` does it: larger segments first among equals."""
    pixels = 24 * 32
    order = np.lexsort((-image.segment_areas, -image.confidences))
    objects, segments = image.object_areas * pixels, image.segment_areas[order] * pixels
    return judge_segments(
        image.table[:, order],
        image.confidences[order],
        ignored_objects=(objects < low) | (objects > high),
        ignored_segments=(segments < low) | (segments > high),
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("low", "high"), [(0, 1e10), (0, 20.5), (20.5, 45.5), (45.5, 1e10)])
def test_ap_and_ar_equal_pycocotools(seed: int, low: float, high: float) -> None:
    random = np.random.default_rng(seed)
    scenes = [scene(random) for _ in range(12)]
    found = detection_scores([judged(image, low, high) for image in scored(scenes)], np.ones((1, 12)))
    average_precision, average_recall = coco_scores(scenes, low, high)
    assert found.average_precision[0] == pytest.approx(average_precision, abs=1e-9)
    assert found.average_recall[0] == pytest.approx(average_recall, abs=1e-9)


def test_weights_are_repeated_images() -> None:
    random = np.random.default_rng(1)
    # All confidences different: repeated images would otherwise interleave equal ones.
    scenes = [(*scene(random)[:2], dict(enumerate(random.permutation(200) + i / 10))) for i in range(5)]
    weights = np.array([[3, 0, 1, 2, 0], [0, 0, 0, 0, 4.0]])
    found = detection_scores([judged(image) for image in scored(scenes)], weights)
    for row, times in enumerate(weights.astype(int)):
        repeated = [one for one, count in zip(scenes, times, strict=True) for _ in range(count)]
        average_precision, average_recall = coco_scores(repeated)
        assert found.average_precision[row] == pytest.approx(average_precision, abs=1e-9)
        assert found.average_recall[row] == pytest.approx(average_recall, abs=1e-9)


def one_image(ious: list[list[float]], confidences: list[float], **ignored: np.ndarray) -> tuple[float, float, float]:
    found = detection_scores([judge_segments(np.array(ious), np.array(confidences), **ignored)], np.ones((1, 1)))
    return float(found.average_precision[0]), float(found.average_recall[0]), float(found.f1[0])


def test_f1_is_the_harmonic_mean_of_precision_and_recall_at_each_threshold() -> None:
    # Right at 0.5 .. 0.7 (five of ten thresholds): precision 1/3, recall 1/2.
    expected = 5 * 2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2) / 10
    assert one_image([[0.72, 0, 0.1], [0.2, 0, 0.3]], [0.1, 0.9, 0.5])[2] == pytest.approx(expected)


def test_perfect_and_missing() -> None:
    assert one_image([[1.0, 0.0], [0.0, 1.0]], [0.2, 0.7]) == pytest.approx((1, 1, 1))
    assert one_image([[0.4, 0.0]], [0.2, 0.7]) == (0, 0, 0)
    nothing = judge_segments(np.zeros((2, 0)), np.zeros(0))
    assert [float(each[0]) for each in detection_scores([nothing], np.ones((1, 1)))] == [0, 0, 0]


def test_without_objects_all_is_unknown() -> None:
    found = judge_segments(np.zeros((0, 2)), np.array([0.5, 0.6]))
    assert all(math.isnan(each[0]) for each in detection_scores([found], np.ones((1, 1))))
    alone = detection_scores([found, judge_segments(np.ones((1, 1)), np.array([0.1]))], np.ones((1, 2)))
    # The image without objects counts: its two more confident segments are wrong.
    assert alone.average_precision[0] == pytest.approx(1 / 3)


def test_segments_on_ignored_objects_do_not_count() -> None:
    ignored = np.array([False, True])
    found = one_image([[0.9, 0.0], [0.0, 0.9]], [0.5, 0.9], ignored_objects=ignored)
    assert found == pytest.approx((0.9, 0.9, 0.9), abs=1e-6)
    assert one_image([[0.9, 0.0]], [0.5, 0.9], ignored_segments=np.array([False, True]))[2] == pytest.approx(0.9)


def test_only_the_most_confident_count() -> None:
    found = judge_segments(np.array([[0.0, 0.9]]), np.array([0.8, 0.3]), max_segments=1)
    assert (found.confidences.tolist(), found.right.any(), found.wrong.all()) == ([0.8], False, True)
