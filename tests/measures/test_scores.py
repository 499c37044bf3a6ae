"""The scores of a set against their definitions, written out again for each."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eisen_ray.errors import DataError
from eisen_ray.measures.image_scores import ImageScores, score_image
from eisen_ray.measures.mean_iou import MeanIou
from eisen_ray.measures.scores import SIZES, Scores, evaluate_maps, summarize

NUM_IMAGES = 14


def maps(seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Predictions and truths: objects of all sizes, ids 1 to 5; 1 is the arm."""
    random = np.random.default_rng(seed)
    predictions, truths = [], []
    for _ in range(NUM_IMAGES):
        truth, prediction = np.zeros((2, 60, 80), int)
        for name in range(1, random.integers(1, 6) + 1):
            top, left = random.integers(0, 55), random.integers(0, 75)
            rows, columns = random.integers(2, 30, 2)
            truth[top : top + rows, left : left + columns] = name
            prediction[top : top + rows, left + 1 : left + columns] = name + 10
        prediction[random.integers(0, 60) :, :5] = 40
        predictions.append(prediction)
        truths.append(truth)
    return predictions, truths


def clip_ids() -> list[str]:
    return [f"clip {place // 3}" for place in range(NUM_IMAGES)]


@pytest.fixture(scope="module")
def scores() -> Scores:
    return evaluate_maps(*maps(), clip_ids=clip_ids(), arm_ids=[1] * NUM_IMAGES)


@pytest.fixture(scope="module")
def images() -> list[ImageScores]:
    return [
        score_image(prediction, truth, clip_id=clip_id, frame=place, arm_id=1)
        for place, (prediction, truth, clip_id) in enumerate(zip(*maps(), clip_ids(), strict=True))
    ]


def test_the_authors_scores_come_from_one_place(scores: Scores) -> None:
    metric = MeanIou()
    for prediction, truth in zip(*maps(), strict=True):
        metric.update(prediction, truth, arm_id=1)
    expected = metric.compute()
    for part, suffix in (("all", ""), ("arm", "_arm"), ("objects", "_objects")):
        for name in ("mean_iou", "best_iou", "recall_50"):
            assert scores.parts[part][name].value == pytest.approx(expected[f"{name}{suffix}"], abs=1e-12)


def test_per_image_means_and_pooled_means(scores: Scores, images: list[ImageScores]) -> None:
    assert scores["boundary_f"] == pytest.approx(np.mean([image.boundary_fs.mean() for image in images]))
    assert scores["mean_best_overlap"] == pytest.approx(np.mean([image.table.max(1).mean() for image in images]))
    assert scores["foreground_ari"] == pytest.approx(np.mean([image.foreground_ari for image in images]))
    prompted = np.concatenate([image.point_ious for image in images])
    assert scores["point_iou"] == pytest.approx(prompted.mean())
    recalls = [(prompted >= threshold / 100).mean() for threshold in range(50, 100, 5)]
    assert scores["point_recall"] == pytest.approx(np.mean(recalls))


def test_sequences_weigh_the_same_however_long(scores: Scores, images: list[ImageScores]) -> None:
    by_clip: dict[str, list[float]] = {}
    for image in images:
        by_clip.setdefault(image.clip_id, []).append(float(image.ious.mean()))
    assert [clip.clip_id for clip in scores.clips] == sorted(by_clip)
    assert [clip.num_images for clip in scores.clips] == [3, 3, 3, 3, 2]
    assert [clip.region_j for clip in scores.clips] == pytest.approx(
        [np.mean(by_clip[name]) for name in sorted(by_clip)]
    )
    assert scores["davis_j"] == pytest.approx(np.mean([np.mean(values) for values in by_clip.values()]))
    assert scores["davis_j"] != scores["mean_iou"]


def test_sizes_part_the_objects(scores: Scores) -> None:
    assert sum(scores.num_objects[name] for name in SIZES) == scores.num_objects["all"]
    assert scores.num_objects["arm"] + scores.num_objects["objects"] == scores.num_objects["all"]
    assert all(scores.num_objects[name] > 0 for name in SIZES)


def test_size_limits_are_cocos() -> None:
    # In 640x480: 32 x 32 px is medium, one less is small; 96 x 96 is large.
    areas = np.array([1023, 1024, 9215, 9216]) / (640 * 480)
    names = [next(name for name, (low, high) in SIZES.items() if low <= area < high) for area in areas]
    assert names == ["small", "medium", "medium", "large"]


def test_objects_of_another_part_do_not_count_against_a_segment() -> None:
    truth = np.zeros((20, 20), int)
    truth[:10], truth[15:] = 1, 2
    both = evaluate_maps([truth * 3], [truth], arm_ids=[1])
    assert both.parts["arm"]["f1"].value == both.parts["objects"]["f1"].value == 1.0


def test_objects_apart_from_the_arm() -> None:
    truth = np.array([[1, 1, 1, 2, 2, 3, 3]])
    predictions = [np.array([[4, 4, 4, 4, 4, 5, 5]]), 7 * truth, truth * 0]
    found = evaluate_maps(predictions, [truth, truth, truth], arm_ids=[1, 1, 1])
    assert found.parts["objects"]["apart_from_arm"].value == pytest.approx((0.5 + 1 + 1) / 3)
    assert all(("apart_from_arm" in measures) == (part == "objects") for part, measures in found.parts.items())
    assert all("apart_from_arm" not in measures for measures in evaluate_maps(predictions, [truth] * 3).parts.values())


def test_perfect_prediction_is_1_in_every_measure_of_every_part() -> None:
    _, truths = maps(2)
    found = evaluate_maps([truth * 7 for truth in truths], truths, arm_ids=[1] * NUM_IMAGES)
    for part in found.parts.values():
        for estimate in part.values():
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1.0, 1.0, 1.0))
    assert len(found.parts["all"]) == 13


def test_empty_predictions() -> None:
    _, truths = maps()
    found = evaluate_maps([np.zeros_like(truth) for truth in truths], truths)
    assert (found.num_segments, found.coverage) == (0.0, 0.0)
    for name in ("average_precision", "average_recall", "f1", "point_iou", "point_recall", "mean_best_overlap"):
        assert found[name] == 0.0


def test_no_objects_at_all_is_unknown_and_json() -> None:
    empty = np.zeros((4, 4), int)
    found = evaluate_maps([empty + 1, empty], [empty, empty])
    assert (found.num_images, found.num_objects["all"], found.clips) == (0, 0, ())
    assert all(math.isnan(estimate.value) for estimate in found.parts["all"].values())
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["parts"]["all"]["mean_iou"] == {"value": None, "low": None, "high": None}


def test_intervals_surround_the_values(scores: Scores) -> None:
    for name, estimate in scores.parts["all"].items():
        assert estimate.low <= estimate.value <= estimate.high, name
        assert estimate.low < estimate.high or name == "recall_50", name


def test_clips_are_the_unit_of_chance() -> None:
    predictions, truths = maps()
    # Every image four times: as clips of four, nothing is known better than before; as clips of one, it seems so.
    fourfold = [one for one in predictions for _ in range(4)], [one for one in truths for _ in range(4)]
    once = evaluate_maps(predictions, truths)
    together = evaluate_maps(*fourfold, clip_ids=[str(place // 4) for place in range(4 * NUM_IMAGES)])
    apart = evaluate_maps(*fourfold)

    def width(found: Scores) -> float:
        estimate = found.parts["all"]["mean_iou"]
        return estimate.high - estimate.low

    assert width(together) == pytest.approx(width(once), rel=0.1)
    assert width(apart) == pytest.approx(width(once) / 2, rel=0.25)


def test_order_and_seed(images: list[ImageScores]) -> None:
    assert summarize(images[::-1], seed=5).to_dict() == summarize(images, seed=5).to_dict()
    assert summarize(images, seed=6).to_dict() != summarize(images, seed=5).to_dict()


def test_equal_confidences_are_ordered_by_size_not_by_name() -> None:
    truth = np.zeros((10, 10), int)
    truth[:, :8] = 1
    for large, small in ((1, 2), (2, 1)):
        prediction = np.where(np.arange(10) < 7, large, small)[None].repeat(10, 0)
        found = evaluate_maps([prediction], [truth], confidences=[{1: 0.5, 2: 0.5}])
        assert found["average_precision"] == pytest.approx(0.8)  # IoU 7/8: right at 8 of 10 thresholds


def test_wrong_numbers_of_maps_are_refused() -> None:
    predictions, truths = maps()
    with pytest.raises(DataError, match="expected equal numbers"):
        evaluate_maps(predictions, truths[1:])
    with pytest.raises(DataError, match="expected equal numbers"):
        evaluate_maps(predictions, truths, clip_ids=["a"])
    with pytest.raises(DataError, match="No image was scored"):
        summarize([])
