from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from eisen_ray.errors import DataError
from eisen_ray.measures.overlap import count_overlap, iou_table, resize_labels


def test_counts_are_pixels() -> None:
    truth = np.array([[0, 4, 4], [0, 9, 4]])
    prediction = np.array([[0, 2, 2], [2, 2, 0]])
    found = count_overlap(prediction, truth)
    assert (found.object_ids.tolist(), found.segment_ids.tolist()) == ([4, 9], [0, 2])
    assert found.shared.tolist() == [[1, 2], [0, 1]]
    assert (found.object_areas.tolist(), found.segment_areas.tolist(), found.num_pixels) == ([3, 1], [2, 4], 6)
    assert found.ious.tolist() == [[1 / 4, 2 / 5], [0, 1 / 4]]


def test_ignored_pixels_count_nowhere() -> None:
    truth, prediction = np.array([[1, 1, 0, 2]]), np.array([[3, 3, 3, 5]])
    found = count_overlap(prediction, truth, np.array([[False, True, True, True]]))
    assert (found.object_ids.tolist(), found.segment_ids.tolist()) == ([1], [3])
    assert (found.shared.tolist(), found.num_pixels) == ([[1]], 1)
    nothing = count_overlap(prediction, truth, np.ones((1, 4), bool))
    assert (nothing.num_pixels, nothing.ious.shape) == (0, (0, 0))


def test_large_and_negative_ids_are_ids_too() -> None:
    small = count_overlap(np.array([[1, 2, 0]]), np.array([[3, 3, 5]]))
    large = count_overlap(np.array([[1 << 40, 1 << 41, 0]]), np.array([[-7, -7, 5]]))
    assert large.object_ids.tolist() == [-7, 5]
    assert large.shared.tolist() == small.shared[:, [0, 1, 2]].tolist()


@pytest.mark.parametrize(
    ("prediction", "truth", "ignore", "message"),
    [
        (np.zeros((1, 4, 4), int), np.zeros((4, 4), int), None, "expected label maps"),
        (np.zeros((0, 4), int), np.zeros((4, 4), int), None, "expected label maps"),
        (np.zeros((4, 4)), np.zeros((4, 4), int), None, "whole numbers"),
        (np.zeros((4, 4), int), np.zeros((4, 4), int), np.zeros((2, 4), bool), "Ignored pixels"),
        (np.zeros((4, 4), int), np.zeros((4, 4), int), np.zeros((4, 4), int), "Ignored pixels"),
    ],
)
def test_what_is_no_label_map_is_refused(prediction, truth, ignore, message) -> None:
    with pytest.raises(DataError, match=message):
        count_overlap(prediction, truth, ignore)


@pytest.mark.parametrize("sizes", [(128, 512), (52, 22), (26, 106), (33, 100), (124, 14), (7, 7)])
def test_resizing_equals_torchs_nearest(sizes: tuple[int, int]) -> None:
    old, new = sizes
    labels = np.arange(old * 3).reshape(old, 3)
    expected = F.interpolate(torch.from_numpy(labels)[None, None].double(), (new, 5), mode="nearest")[0, 0]
    np.testing.assert_array_equal(resize_labels(labels, new, 5), expected.numpy().astype(int))


def test_table_lists_ids_in_order_and_exact_ious() -> None:
    first_ids, second_ids, iou = iou_table(np.array([[0, 3, 3]]), np.array([[9, 9, 4]]))
    assert first_ids.tolist() == [0, 3]
    assert second_ids.tolist() == [4, 9]
    assert iou.tolist() == [[0.0, 0.5], [0.5, 1 / 3]]


@pytest.mark.parametrize("shapes", [((2, 2), (2, 3)), ((4,), (4,)), ((0, 2), (0, 2))])
def test_table_refuses_maps_that_do_not_fit(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(DataError, match="expected two equal shapes"):
        iou_table(*(np.zeros(shape, int) for shape in shapes))
