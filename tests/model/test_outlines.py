from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.measures.mean_iou import image_iou
from eisen_ray.model.outlines import drop_faint, edge_shares, majority_on_grid, snap_to_edges


def scene(side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """A picture of two discs on a table with a little noise, and the truth: 1 and 2, the table 3."""
    y, x = np.mgrid[:side, :side]
    truth = np.full((side, side), 3)
    truth[(y - 30) ** 2 + (x - 30) ** 2 < 14**2] = 1
    truth[(y - 64) ** 2 + (x - 60) ** 2 < 19**2] = 2
    colours = np.array([[0, 0, 0], [200, 60, 50], [60, 90, 190], [120, 120, 110]])
    noise = np.random.default_rng(0).normal(0, 4, (side, side, 3))
    return (colours[truth] + noise).clip(0, 255).astype(np.uint8), truth


def shifted(truth: np.ndarray, down: int, right: int) -> np.ndarray:
    """The truth on 4x4 px nodes, a little beside its place."""
    return np.roll(truth, (down, right), axis=(0, 1))[::4, ::4]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, 0), (-2, 3), (3, 3)])
def test_outlines_move_to_where_the_picture_has_edges(down: int, right: int) -> None:
    picture, truth = scene()
    labels = shifted(truth, down, right)
    found = snap_to_edges(labels, picture, 0.08)
    assert found.shape == truth.shape
    assert found.dtype == np.int64
    before, after = image_iou(labels, truth), image_iou(found, truth)
    assert before.ious.min() < 0.9
    assert after.ious.min() > 0.97


def test_no_outline_moves_further_than_it_may() -> None:
    picture, truth = scene()
    labels = shifted(truth, 8, 0)
    near, far = (image_iou(snap_to_edges(labels, picture, reach), truth).ious[0] for reach in (0.02, 0.12))
    assert near < 0.75
    assert far > 0.97


def test_a_reach_of_nothing_changes_nothing() -> None:
    picture, truth = scene()
    labels = shifted(truth, 3, 3)
    assert np.array_equal(snap_to_edges(labels, picture, 0), labels)


def test_no_segment_vanishes_and_none_is_made() -> None:
    rng = np.random.default_rng(1)
    for side in (33, 64, 100):
        labels = rng.integers(0, 9, (12, 16))
        picture = rng.integers(0, 256, (side, side + 7, 3), dtype=np.uint8)
        found = snap_to_edges(labels, picture, 0.5)
        assert np.unique(found).tolist() == np.unique(labels).tolist()


def test_a_gap_between_segments_closes_and_open_ground_stays() -> None:
    picture, truth = scene()
    labels = np.where(truth == 3, 0, truth)
    labels[:, 28:30] = 0  # through the first disc
    labels[:, 30:46][labels[:, 30:46] == 1] = 4
    found = snap_to_edges(labels, picture, 0.05)
    assert (found[truth != 3] == 0).mean() < 0.01
    assert (found[truth == 3] == 0).mean() > 0.99


@pytest.mark.parametrize("labels", [np.zeros((4, 4), np.int64), np.full((4, 4), 7)])
def test_one_label_fills_the_picture(labels: np.ndarray) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert (snap_to_edges(labels, picture, 0.2) == labels[0, 0]).all()


def test_a_node_takes_the_label_that_most_of_its_pixels_have() -> None:
    labels = np.array([[5, 5, 2, 0], [5, 9, 2, 0], [7, 7, 7, 7], [1, 7, 0, 0]])
    assert majority_on_grid(labels, 2, 2).tolist() == [[5, 0], [7, 0]]
    assert np.array_equal(majority_on_grid(labels.repeat(4, 0).repeat(4, 1), 4, 4), labels)


def test_an_outline_stands_on_edges_as_far_as_the_picture_changes_across_it() -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[4:8, 4:8] = 3  # faint, but the only edges that there are
    labels = np.zeros((20, 20), np.int64)
    labels[4:8, 4:8] = 1
    labels[4:8, 8:12] = 3  # its left side is the square's right side
    labels[12:16, 12:16] = 4
    assert edge_shares(labels, picture).tolist() == [12 / 40, 1, 0, 4 / 16, 0]


def test_faint_texture_makes_no_edges() -> None:
    picture, truth = scene()
    table = truth.copy()
    table[70:90, 5:25] = 4  # nothing but noise around it
    shares = edge_shares(table, picture)
    assert shares[[1, 2]].min() > 0.95
    assert shares[4] < 0.15
    # Seen in half the light, edges are where they were.
    assert np.abs(edge_shares(table, picture // 2) - shares).max() < 0.1


def test_faint_segments_are_dropped_and_a_share_of_nothing_drops_none() -> None:
    picture, truth = scene()
    table = truth.copy()
    table[70:90, 5:25] = 4
    kept = drop_faint(table, picture, 0.6)
    assert np.array_equal(kept, np.where(table == 4, 0, table))
    assert np.array_equal(drop_faint(table, picture, 0), table)
    shares = edge_shares(table, picture)
    assert (drop_faint(table, picture, shares[4]) == table).all()


def test_what_fills_the_picture_has_no_outline() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert edge_shares(np.full((8, 8), 2), picture).tolist() == [0, 0, 0]
