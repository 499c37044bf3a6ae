from __future__ import annotations

import numpy as np
import torch

from eisen_ray.baselines.instances import boxes_of, instances_of, painted


def test_objects_of_a_label_map() -> None:
    labels = torch.zeros(4, 6, dtype=torch.int64)
    labels[1:3, 1:3], labels[0, 5] = 3, 8
    found = instances_of(labels, 8, 12)
    assert found.boxes.tolist() == [[2, 2, 6, 6], [10, 0, 12, 2]]
    assert found.masks.flatten(1).sum(1).tolist() == [16, 4]
    assert len(instances_of(labels, 8, 12, min_pixels=5).boxes) == 1


def test_no_objects() -> None:
    found = instances_of(torch.zeros(4, 4, dtype=torch.int64), 8, 8)
    assert found.masks.shape == (0, 8, 8)
    assert found.boxes.shape == (0, 4)
    assert boxes_of(found.masks).dtype == torch.float32
    assert painted(found.masks, torch.zeros(0)).confidences == {}


def test_the_surer_mask_lies_on_top() -> None:
    masks = torch.zeros(3, 2, 4, dtype=torch.bool)
    masks[0, :, :3], masks[1, :, 2:], masks[2, 0, 3] = True, True, True
    found = painted(masks, torch.tensor([0.5, 0.75, 0.25]))
    assert found.labels.tolist() == [[2, 2, 1, 1]] * 2
    assert found.confidences == {1: 0.75, 2: 0.5}, "the third is hidden"
    assert found.labels.dtype == np.int32
