"""Boundary F against a twin written from DAVIS's definition with loops, and its properties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eisen_ray.measures.boundary import boundary_f, mask_boundary


def twin_boundary(mask: np.ndarray) -> set[tuple[int, int]]:
    """Pixels that differ from the right, lower or lower right one; the last row and column look along themselves."""
    height, width = mask.shape
    found = set()
    for row in range(height):
        for column in range(width):
            right, below = min(column + 1, width - 1), min(row + 1, height - 1)
            others = (mask[row, right], mask[below, column], mask[below, right])
            if any(other != mask[row, column] for other in others):
                found.add((row, column))
    return found


def twin_f(prediction: np.ndarray, truth: np.ndarray, tolerance: float = 0.008) -> float:
    """As DAVIS: a boundary pixel is right if the other boundary, dilated by a disk, covers it."""
    found, wanted = twin_boundary(prediction), twin_boundary(truth)
    reach = math.ceil(tolerance * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))

    def covered(some: set, other: set) -> int:
        return sum(any((a - c) ** 2 + (b - d) ** 2 <= reach**2 for c, d in other) for a, b in some)

    if not found and wanted:
        precision, recall = 1.0, 0.0
    elif found and not wanted:
        precision, recall = 0.0, 1.0
    elif not found and not wanted:
        precision = recall = 1.0
    else:
        precision, recall = covered(found, wanted) / len(found), covered(wanted, found) / len(wanted)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blob(random: np.random.Generator, height: int = 21, width: int = 30) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    row, column, radius = random.uniform(0, height), random.uniform(0, width), random.uniform(1, 9)
    return (rows - row) ** 2 + 1.7 * (columns - column) ** 2 < radius**2


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tolerance", [0.008, 0.06])
def test_equals_the_twin(seed: int, tolerance: float) -> None:
    random = np.random.default_rng(seed)
    first, second = blob(random), blob(random) | blob(random)
    assert boundary_f(first, second, tolerance=tolerance) == pytest.approx(twin_f(first, second, tolerance), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_boundary_equals_the_twin(seed: int) -> None:
    mask = np.random.default_rng(seed).random((6, 7)) > 0.5
    assert set(map(tuple, np.argwhere(mask_boundary(mask)).tolist())) == twin_boundary(mask)


def test_the_reach_is_a_share_of_the_diagonal() -> None:
    # At DAVIS's 480x854 a boundary may be off by 8 pixels, not by 9.
    truth = np.zeros((480, 854), bool)
    truth[:, :400] = True
    for shift, expected in ((8, 1.0), (9, 0.0)):
        moved = np.zeros_like(truth)
        moved[:, : 400 + shift] = True
        assert boundary_f(moved, truth) == expected


def test_perfect_empty_and_opposite() -> None:
    mask, nothing = blob(np.random.default_rng(0)), np.zeros((21, 30), bool)
    assert boundary_f(mask, mask) == 1.0
    assert boundary_f(mask, ~mask) == 1.0
    assert boundary_f(nothing, mask) == 0.0
    assert boundary_f(mask, nothing) == 0.0
    assert boundary_f(nothing, nothing) == 1.0
    assert boundary_f(nothing, ~nothing) == 1.0


def test_ignored_pixels_belong_to_neither_mask() -> None:
    truth, prediction, ignore = (np.zeros((12, 12), bool) for _ in range(3))
    truth[2:6, 2:6] = prediction[2:6, 2:6] = True
    prediction[8:11, 8:11] = ignore[8:12, 8:12] = True
    assert boundary_f(prediction, truth) < 1.0
    assert boundary_f(prediction, truth, ignore) == 1.0
