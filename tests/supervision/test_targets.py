"""The label map against equations (7) to (11), pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.errors import DataError
from eisen_ray.supervision.targets import (
    explain_away,
    label_pairs,
    motion_connectivity,
    motion_loss_mask,
    split_by_motion,
    split_moving_from_static,
    target_labels,
    teacher_loss_mask,
)
from tests import reference as twin

SEEDS = range(8)


def random_maps(seed: int, height: int = 5, width: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Motion and teacher segments [1, H, W] that overlap in every possible way."""
    generator = torch.Generator().manual_seed(seed)
    motion = torch.randint(-2, 3, (1, height, width), generator=generator).clamp(min=0)
    teacher = torch.randint(-3, 4, (1, height, width), generator=generator).clamp(min=0)
    return motion, teacher


def on_rows_that_matter(labels: torch.Tensor, connectivity: np.ndarray, mask: np.ndarray) -> None:
    """Rows with a label: all pairs admitted, and the target is the label map's. Rows without: no positive target."""
    same, known = (pairs[0].numpy() for pairs in label_pairs(labels.flatten(1)))
    rows = (labels.flatten() > 0).numpy()
    assert (mask[rows] == 1).all()
    assert known[rows].all()
    np.testing.assert_array_equal(same[rows], connectivity[rows] == 1)
    assert not (connectivity[~rows] * mask[~rows]).any()
    assert not known[~rows].any()
    assert not same[~rows].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_eq07_eq08_eq09_match_their_twin(seed: int) -> None:
    segments = random_maps(seed)[0].flatten(1)
    moving = segments > 0
    expected_c, expected_d = twin.eq07_eq08_eq09(moving[0].numpy(), segments[0].numpy())
    connectivity = motion_connectivity(moving, segments)
    np.testing.assert_array_equal(connectivity[0].numpy(), expected_c == 1)
    np.testing.assert_array_equal(motion_loss_mask(moving)[0].numpy(), expected_d == 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_eq07_is_contained_in_eq09(seed: int) -> None:
    segments = random_maps(seed)[0].flatten(1)
    connectivity = motion_connectivity(segments > 0, segments)
    assert torch.equal(split_moving_from_static(connectivity, segments > 0), connectivity)
    everything = torch.ones_like(connectivity)
    apart = ~split_moving_from_static(everything, segments > 0)
    assert torch.equal(apart, (segments > 0)[:, :, None] != (segments > 0)[:, None, :])


@pytest.mark.parametrize("seed", SEEDS)
def test_eq10_eq11_match_their_twin(seed: int) -> None:
    motion, teacher = (x.flatten(1) for x in random_maps(seed))
    expected_c, expected_d = twin.eq10_eq11(motion[0].numpy(), teacher[0].numpy())
    connectivity = explain_away(motion_connectivity(motion > 0, motion), teacher)
    np.testing.assert_array_equal(connectivity[0].numpy(), expected_c == 1)
    np.testing.assert_array_equal(teacher_loss_mask(motion, teacher)[0].numpy(), expected_d == 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_eq07_eq08_eq09_are_the_label_map_of_motion(seed: int) -> None:
    motion, _ = random_maps(seed)
    flat = motion.flatten().numpy()
    on_rows_that_matter(target_labels(motion), *twin.eq07_eq08_eq09(flat > 0, flat))


@pytest.mark.parametrize("seed", SEEDS)
def test_eq10_eq11_are_the_label_map_of_both(seed: int) -> None:
    motion, teacher = random_maps(seed)
    labels = target_labels(motion, teacher, split_residual=False)
    on_rows_that_matter(labels, *twin.eq10_eq11(motion.flatten().numpy(), teacher.flatten().numpy()))


@pytest.mark.parametrize("seed", SEEDS)
def test_row_mask_equals_loss_mask_in_the_loss(seed: int) -> None:
    """Section 3.4 of the dossier: the masked row-wise KL with eqs. (8), (9) is that of labelled rows alone."""
    motion, teacher = random_maps(seed)
    labels = target_labels(motion, teacher, split_residual=False).flatten()
    connectivity, mask = twin.eq10_eq11(motion.flatten().numpy(), teacher.flatten().numpy())
    logits = torch.randn(len(labels), len(labels), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    by_pairs = masked_kl(logits, torch.from_numpy(connectivity), torch.from_numpy(mask))
    same, known = label_pairs(labels)
    by_labels = masked_kl(logits, same.long(), known.long())
    torch.testing.assert_close(by_labels, by_pairs)


def masked_kl(logits: torch.Tensor, connectivity: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Equation (6), row by row: KL of admitted positives against the softmax over admitted pairs."""
    total = torch.zeros((), dtype=logits.dtype)
    for row in range(len(logits)):
        positive = (connectivity[row] * mask[row]).bool()
        if positive.any():
            admitted = logits[row].masked_fill(mask[row] == 0, -torch.inf)
            target = 1 / positive.sum()
            total += (target * (target.log() - admitted.log_softmax(0)[positive])).sum()
    return total


def test_two_nodes_of_a_hidden_pair() -> None:
    """A known arm pushes an unknown cup: one motion segment becomes two labels, and the static rest stays 0."""
    motion = torch.zeros(1, 8, 12, dtype=torch.int64)
    motion[:, 2:6, 2:10] = 1
    teacher = torch.zeros_like(motion)
    teacher[:, 2:6, 1:6] = 4
    labels = target_labels(motion, teacher, residual_min_nodes=4)
    assert labels.unique().tolist() == [0, 4, 6]
    assert (labels[0, 2:6, 1:6] == 4).all()
    assert (labels[0, 2:6, 6:10] == 6).all()
    assert (labels == 0).sum() == 8 * 12 - 4 * 9


def test_residual_splits_into_parts_and_small_ones_are_dropped() -> None:
    motion = torch.zeros(1, 10, 20, dtype=torch.int64)
    motion[:, 2:8, :] = 1
    teacher = torch.zeros_like(motion)
    teacher[:, 2:8, 1:10] = 1  # leaves a rim of one column on the left and ten columns on the right
    labels = target_labels(motion, teacher, residual_min_nodes=20)
    assert (labels[0, 2:8, 0] == 0).all()
    assert len(labels[0, 2:8, 10:].unique()) == 1
    kept = target_labels(motion, teacher, residual_min_nodes=6)
    assert kept[0, 2, 0] != kept[0, 2, 10] != 0


def test_motion_that_no_teacher_touches_stays_whole() -> None:
    motion = torch.zeros(2, 10, 10, dtype=torch.int64)
    motion[:, 0, 0], motion[:, 9, 9], motion[1, 4:6, 4:6] = 1, 1, 2
    teacher = torch.zeros_like(motion)
    teacher[1, 4:6, 4:6] = 1
    labels = target_labels(motion, teacher, residual_min_nodes=20)
    assert torch.equal(labels[0], motion[0])
    assert labels[1, 0, 0] == labels[1, 9, 9] == 2
    assert (labels[1, 4:6, 4:6] == 1).all()


def test_teacher_outside_motion_can_be_left_out() -> None:
    motion = torch.zeros(1, 6, 6, dtype=torch.int64)
    motion[:, 0, :2] = 1
    teacher = torch.zeros_like(motion)
    teacher[:, :2, :2], teacher[:, 4:, 4:] = 1, 2
    assert set(target_labels(motion, teacher).unique().tolist()) == {0, 1, 2}
    touched = target_labels(motion, teacher, min_moving_share=0.01)
    assert torch.equal(touched, torch.where(teacher == 1, 1, 0))


def test_without_explaining_away_what_moves_stays_one_segment() -> None:
    motion = torch.tensor([[[1, 1, 1, 0, 0]]])
    teacher = torch.tensor([[[2, 2, 0, 0, 5]]])
    assert target_labels(motion, teacher, 0).tolist() == [[[2, 2, 6 + 1, 0, 5]]]
    assert target_labels(motion, teacher, 0, explaining_away=False).tolist() == [[[6, 6, 6, 0, 5]]]


def test_a_confident_segment_that_moves_in_part_keeps_the_larger_part() -> None:
    motion = torch.tensor([[[1, 1, 1, 0, 0, 0], [0, 0, 2, 0, 0, 0]]])
    teacher = torch.tensor([[[4, 4, 4, 4, 0, 5], [3, 3, 3, 5, 5, 5]]])
    kept = [[[4, 4, 4, 0, 0, 5], [3, 3, 0, 5, 5, 5]]]
    assert split_by_motion(motion, teacher).tolist() == kept
    still = torch.zeros_like(motion)
    assert torch.equal(split_by_motion(still, teacher), teacher)
    # Equation (7): no labelled pair of which exactly one end moves.
    labels = target_labels(motion, split_by_motion(motion, teacher), 0).flatten(1)
    connected, _ = label_pairs(labels)
    assert torch.equal(split_moving_from_static(connected, (motion > 0).flatten(1)), connected)


def test_without_teacher_the_motion_is_copied() -> None:
    motion = torch.ones(1, 4, 4, dtype=torch.int64)
    labels = target_labels(motion)
    assert torch.equal(labels, motion)
    assert labels.data_ptr() != motion.data_ptr()


def test_refuses_maps_of_different_size() -> None:
    with pytest.raises(DataError, match="expected"):
        target_labels(torch.zeros(1, 4, 4, dtype=torch.int64), torch.zeros(1, 4, 5, dtype=torch.int64))
