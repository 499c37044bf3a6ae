from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eisen_ray.errors import DataError
from eisen_ray.measures.boundary import boundary_f
from eisen_ray.measures.image_scores import ImageScores, score_image
from eisen_ray.measures.mean_iou import image_iou

TRUTH = np.array([[1, 1, 0, 2, 2], [1, 1, 0, 2, 2], [0, 0, 0, 0, 0]])
PREDICTION = np.array([[5, 5, 5, 8, 0], [5, 0, 5, 8, 0], [5, 5, 5, 0, 0]])


def equal(first: ImageScores, second: ImageScores) -> bool:
    return json.dumps(first.to_dict(), sort_keys=True) == json.dumps(second.to_dict(), sort_keys=True)


def random_maps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 4, (2, 4, 5))
    prediction, truth = (np.kron(one, np.ones((6, 6), int)) for one in coarse)
    return np.where(random.random(truth.shape) < 0.8, truth * 3, prediction), truth


def test_hand_counted() -> None:
    found = score_image(PREDICTION, TRUTH, clip_id="c", frame=4, arm_id=2)
    assert (found.clip_id, found.frame, found.arm_id) == ("c", 4, 2)
    assert found.object_ids.tolist() == [1, 2]
    assert found.object_areas.tolist() == [4 / 15, 4 / 15]
    # Object 1: 3 of its pixels in segment 5, which has 8. Object 2: 2 in segment 8, which has 2.
    assert found.ious.tolist() == [3 / 9, 2 / 4]
    assert found.table.tolist() == [[3 / 9, 0], [0, 2 / 4]]
    assert found.segment_areas.tolist() == found.confidences.tolist() == [8 / 15, 2 / 15]
    # The deepest pixels are the first of each object: one lies in segment 5, the other in segment 8.
    assert found.point_ious.tolist() == [3 / 9, 2 / 4]
    assert found.boundary_fs[0] == boundary_f(PREDICTION == 5, TRUTH == 1)


def test_objects_in_a_segment_that_is_mostly_the_arm_are_not_apart_from_it() -> None:
    truth = np.array([[1, 1, 1, 2, 2, 3, 3, 4, 4, 4]])
    prediction = np.array([[7, 7, 7, 7, 0, 8, 8, 7, 7, 9]])
    # 2 is half unassigned, 3 has a segment of its own, 4 shares most of itself with the arm.
    assert score_image(prediction, truth, arm_id=1).apart_from_arm.tolist() == [1, 1, 1, 0]
    prediction[0, 4] = 7
    assert score_image(prediction, truth, arm_id=1).apart_from_arm.tolist() == [1, 0, 1, 0]
    assert score_image(prediction, truth).apart_from_arm.tolist() == [1, 1, 1, 1]
    assert score_image(prediction, truth, arm_id=6).apart_from_arm.tolist() == [1, 1, 1, 1]
    equal = np.where(truth == 1, [[7, 7, 0, 0, 0, 0, 0, 0, 0, 0]], prediction)
    assert score_image(equal, truth, arm_id=1).apart_from_arm.tolist() == [1, 1, 1, 1], "as much of the arm is not more"


def test_the_authors_scores_are_those_of_image_iou() -> None:
    for seed in range(5):
        prediction, truth = random_maps(seed)
        found, expected = score_image(prediction, truth).image_iou, image_iou(prediction, truth)
        assert found.ious.tolist() == expected.ious.tolist()
        assert found.best_ious.tolist() == expected.best_ious.tolist()


def test_perfect_prediction_is_1_in_everything() -> None:
    _, truth = random_maps(3)
    found = score_image(truth * 11, truth)
    for values in (found.ious, found.best_ious, found.boundary_fs, found.point_ious, found.table.max(1)):
        assert values.tolist() == [1.0] * 3
    assert found.foreground_ari == 1.0


def test_unassigned_pixels_are_no_segment_and_answer_no_prompt() -> None:
    truth = np.array([[3, 3, 0, 0]])
    found = score_image(np.array([[0, 0, 1, 1]]), truth)
    # The authors let the unassigned pixels stand for an object; the other measures do not.
    assert found.ious.tolist() == found.best_ious.tolist() == [1.0]
    assert (found.point_ious.tolist(), found.table.tolist()) == ([0.0], [[0.0]])


def test_empty_prediction_and_empty_truth() -> None:
    nothing = score_image(np.zeros_like(TRUTH), TRUTH)
    assert (nothing.table.shape, nothing.point_ious.tolist()) == ((2, 0), [0.0, 0.0])
    assert sorted(nothing.ious.tolist()) == [0.0, 4 / 15]
    assert sorted(nothing.boundary_fs.tolist()) == [0.0, 0.0]
    no_object = score_image(PREDICTION, np.zeros_like(TRUTH))
    assert (len(no_object.ious), no_object.table.shape) == (0, (0, 2))
    assert math.isnan(no_object.foreground_ari)


@pytest.mark.parametrize("seed", range(3))
def test_names_of_segments_do_not_matter(seed: int) -> None:
    prediction, truth = random_maps(seed)
    names = np.array([0, *(np.random.default_rng(seed).permutation(20) + 1)])
    first, second = score_image(prediction, truth), score_image(names[prediction], truth)
    for name in ("ious", "best_ious", "boundary_fs", "point_ious"):
        assert getattr(first, name).tolist() == getattr(second, name).tolist()
    assert first.foreground_ari == second.foreground_ari
    assert sorted(first.segment_areas.tolist()) == sorted(second.segment_areas.tolist())


def test_what_is_ignored_may_be_anything() -> None:
    prediction, truth = random_maps(1)
    ignore = np.zeros(truth.shape, bool)
    ignore[5:15, 8:20] = True
    random = np.random.default_rng(0)
    other_prediction, other_truth = prediction.copy(), truth.copy()
    other_prediction[ignore] = random.integers(0, 9, ignore.sum())
    other_truth[ignore] = random.integers(0, 4, ignore.sum())
    first, second = (
        score_image(prediction, truth, ignore=ignore),
        score_image(other_prediction, other_truth, ignore=ignore),
    )
    assert equal(first, second)
    assert not equal(first, score_image(prediction, truth))


def test_an_object_that_is_ignored_wholly_is_not_there() -> None:
    found = score_image(PREDICTION, TRUTH, ignore=TRUTH == 2)
    assert found.object_ids.tolist() == [1]


def test_prediction_is_brought_to_the_size_of_the_truth() -> None:
    prediction, truth = random_maps(2)
    assert equal(
        score_image(prediction[::6, ::6], truth),
        score_image(np.kron(prediction[::6, ::6], np.ones((6, 6), int)), truth),
    )


def test_survives_json() -> None:
    for truth in (TRUTH, np.zeros_like(TRUTH)):
        found = score_image(PREDICTION, truth, clip_id="a/b", frame=3, arm_id=1)
        again = ImageScores.from_dict(json.loads(json.dumps(found.to_dict())))
        assert equal(found, again)
        assert again.table.shape == found.table.shape
    assert math.isnan(again.foreground_ari)  # of the image without objects
    with pytest.raises(DataError, match="expected"):
        ImageScores.from_dict({"clip_id": "c"})


def test_confidences_are_by_segment() -> None:
    found = score_image(PREDICTION, TRUTH, confidences={8: 0.9, 5: 0.1, 77: 1.0})
    assert found.confidences.tolist() == [0.1, 0.9]
    with pytest.raises(DataError, match=r"Segments \[8\] have no confidence"):
        score_image(PREDICTION, TRUTH, confidences={5: 0.1})
