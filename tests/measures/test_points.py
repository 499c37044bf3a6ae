from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.errors import DataError
from eisen_ray.measures.points import prompt_point


def twin_point(mask: np.ndarray) -> tuple[int, int]:
    """The pixel whose nearest outside pixel, beyond the border too, is farthest; the first in reading order."""
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    inside = np.argwhere(mask)
    depth = [((outside - place) ** 2).sum(1).min() for place in inside]
    row, column = inside[int(np.argmax(depth))]
    return int(row), int(column)


@pytest.mark.parametrize("seed", range(10))
def test_equals_the_twin(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((14, 17)) > 0.25
    mask[3:9, 4:12] = True
    assert prompt_point(mask) == twin_point(mask)


def test_the_image_border_bounds_the_mask() -> None:
    mask = np.zeros((9, 9), bool)
    mask[:5, :5] = True
    assert prompt_point(mask) == (2, 2)


def test_a_ring_is_pointed_at_on_the_ring() -> None:
    mask = np.ones((11, 11), bool)
    mask[3:8, 3:8] = False
    assert mask[prompt_point(mask)]


def test_nothing_to_point_at() -> None:
    with pytest.raises(DataError, match="is empty"):
        prompt_point(np.zeros((3, 3), bool))
