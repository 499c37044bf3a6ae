"""Scores against hand-counted maps and a matcher that tries every assignment."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from eisen_ray.errors import DataError
from eisen_ray.measures.mean_iou import MeanIou, image_iou, mean_best_iou, mean_iou, recall_at


def brute_force_ious(prediction: NDArray, truth: NDArray) -> float:
    """Largest total IoU over all one-to-one assignments of predicted ids, 0 too, to objects."""
    objects = [truth == i for i in np.unique(truth) if i != 0]
    segments = [prediction == i for i in np.unique(prediction)] + [np.zeros_like(truth, dtype=bool)] * len(objects)
    totals = (
        sum((a & b).sum() / (a | b).sum() for a, b in zip(objects, chosen, strict=True))
        for chosen in itertools.permutations(segments, len(objects))
    )
    return max(totals)


def test_hand_counted_image() -> None:
    truth = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [0, 0, 0, 0]])
    prediction = np.array([[5, 5, 5, 7], [5, 5, 7, 7], [0, 0, 0, 0]])
    score = image_iou(prediction, truth)
    assert score.object_ids.tolist() == [1, 2]
    assert score.ious.tolist() == pytest.approx([4 / 5, 3 / 4])
    assert mean_iou([score]) == pytest.approx((4 / 5 + 3 / 4) / 2)


def test_segments_that_match_nothing_cost_nothing() -> None:
    truth = np.array([[1, 1, 0, 0], [0, 0, 0, 0]])
    prediction = np.array([[3, 3, 4, 5], [6, 7, 8, 9]])
    assert mean_iou([image_iou(prediction, truth)]) == 1.0


def test_predicted_background_is_a_candidate() -> None:
    truth = np.array([[4, 4], [0, 0]])
    prediction = np.array([[0, 0], [1, 1]])
    assert mean_iou([image_iou(prediction, truth)]) == 1.0


def test_unmatched_objects_score_zero_but_keep_their_best_fit() -> None:
    truth = np.array([[1, 1, 1, 2], [1, 1, 1, 2]])
    score = image_iou(np.ones_like(truth), truth)
    assert score.ious.tolist() == [6 / 8, 0.0]
    assert score.best_ious.tolist() == [6 / 8, 2 / 8]
    assert mean_best_iou([score]) == pytest.approx(0.5)


def test_matching_maximises_the_total_not_the_first_object() -> None:
    truth = np.array([[1, 1, 1, 1, 2, 2, 2, 2]])
    prediction = np.array([[8, 9, 9, 9, 9, 9, 9, 9]])
    score = image_iou(prediction, truth)
    assert score.ious.tolist() == pytest.approx([1 / 4, 4 / 7])


@pytest.mark.parametrize("seed", range(12))
def test_total_equals_the_best_of_all_assignments(seed: int) -> None:
    random = np.random.default_rng(seed)
    num_objects, num_segments = random.integers(1, 5), random.integers(1, 5)
    truth = random.integers(0, num_objects + 1, (6, 7))
    prediction = random.integers(0, num_segments, (6, 7)) * 3
    assert image_iou(prediction, truth).ious.sum() == pytest.approx(brute_force_ious(prediction, truth))


def test_images_without_objects_do_not_count() -> None:
    empty = image_iou(np.ones((2, 2), int), np.zeros((2, 2), int))
    half = image_iou(np.array([[1, 1]]), np.array([[1, 0]]))
    assert math.isnan(mean_iou([empty]))
    assert mean_iou([empty, half]) == 0.5
    assert math.isnan(mean_iou([]))


def test_images_weigh_the_same_however_many_objects_they_have() -> None:
    two = image_iou(np.array([[1, 1, 2, 2]]), np.array([[1, 1, 2, 2]]))
    one = image_iou(np.array([[1, 1, 2, 2]]), np.array([[1, 1, 1, 1]]))
    assert mean_iou([two, one]) == pytest.approx((1 + 0.5) / 2)


def test_prediction_is_brought_to_the_size_of_the_truth() -> None:
    truth = np.kron(np.array([[0, 1], [2, 2]]), np.ones((4, 4), int))
    assert image_iou(np.array([[0, 1], [2, 2]]), truth).ious.tolist() == [1.0, 1.0]


def test_recall_counts_objects_from_the_threshold_on() -> None:
    score = image_iou(np.array([[1, 1, 2, 3]]), np.array([[1, 0, 2, 2]]))
    assert score.ious.tolist() == [0.5, 0.5]
    assert recall_at([score]) == 1.0
    assert recall_at([score], 0.51) == 0.0


def test_groups_split_one_common_matching() -> None:
    metric = MeanIou()
    metric.update(np.array([[1, 1, 2, 2]]), np.array([[9, 9, 3, 0]]), arm_id=9)
    metric.update(np.array([[0, 0, 0, 0]]), np.array([[0, 0, 0, 0]]))
    scores = metric.compute()
    assert scores["num_images"] == 1
    assert (scores["mean_iou"], scores["mean_iou_arm"], scores["mean_iou_objects"]) == (0.75, 1.0, 0.5)
    assert scores["recall_50_objects"] == 1.0


def test_groups_are_left_out_where_no_image_names_an_arm() -> None:
    metric = MeanIou()
    metric.update(np.array([[1, 0]]), np.array([[1, 0]]))
    assert set(metric.compute()) == {"num_images", "mean_iou", "best_iou", "recall_50"}


def test_empty_metric_is_nan() -> None:
    scores = MeanIou().compute()
    assert scores["num_images"] == 0
    assert math.isnan(scores["mean_iou"])


def test_scoring_refuses_other_than_label_maps() -> None:
    with pytest.raises(DataError, match="expected label maps"):
        image_iou(np.zeros((1, 4, 4), int), np.zeros((4, 4), int))
