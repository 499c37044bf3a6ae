from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.errors import DataError
from eisen_ray.report.panels import (
    UNASSIGNED,
    colour_flow,
    colour_labels,
    colour_masks,
    colour_plateau,
    label_borders,
    label_palette,
    match_labels,
    overlay_labels,
    resize_labels,
)


def test_palette_is_stable_and_distinct() -> None:
    colours = label_palette(64)
    assert tuple(colours[0]) == UNASSIGNED
    np.testing.assert_array_equal(label_palette(9), colours[:9])
    assert len(np.unique(colours, axis=0)) == 64
    distances = np.linalg.norm(colours[:13, None].astype(float) - colours[None, :13], axis=-1)
    assert distances[~np.eye(13, dtype=bool)].min() > 60


@pytest.mark.parametrize("far", [5, 70_000])
def test_colour_depends_on_the_label_alone(far: int) -> None:
    picture = colour_labels(np.array([[0, 3], [far, 3]]))
    np.testing.assert_array_equal(picture, label_palette(far + 1)[[[0, 3], [far, 3]]])


def test_bad_label_maps_are_named() -> None:
    with pytest.raises(DataError, match="expected integers"):
        colour_labels(np.zeros((2, 2)))
    with pytest.raises(DataError, match="holds -1"):
        colour_labels(np.array([[-1]]))
    with pytest.raises(DataError, match="expected uint8"):
        overlay_labels(np.zeros((4, 4)), np.zeros((4, 4), dtype=int))


def test_borders_are_one_line_between_segments() -> None:
    labels = np.zeros((6, 6), dtype=int)
    labels[:, 3:] = 1
    lines = label_borders(labels)
    assert lines[:, 2].all()
    assert lines.sum() == 6
    assert label_borders(labels, 2).sum() == 12
    assert not label_borders(np.ones((4, 4), dtype=int)).any()


def test_overlay_dims_ground_and_tints_segments() -> None:
    image = np.full((8, 8, 3), 200, dtype=np.uint8)
    labels = np.array([[0, 1], [0, 2]])
    picture = overlay_labels(image, labels, opacity=1.0, border=0, dim_unassigned=0.5)
    assert picture.shape == (8, 8, 3)
    assert picture.dtype == np.uint8
    assert (picture[:, :4] == 100).all()
    np.testing.assert_array_equal(picture[0, 7], label_palette(2)[1])
    pale = overlay_labels(image, labels, opacity=1.0, border=0, pale={1})
    np.testing.assert_allclose(pale[0, 7], (label_palette(2)[1].astype(float) + 200) / 2, atol=1)
    np.testing.assert_array_equal(pale[7, 7], label_palette(3)[2])


def test_resize_labels_repeats_blocks_and_keeps_the_type() -> None:
    labels = np.array([[1, 2], [3, 4]], dtype=np.uint16)
    large = resize_labels(labels, 6, 4)
    assert large.dtype == np.uint16
    np.testing.assert_array_equal(large, np.repeat(np.repeat(labels, 3, 0), 2, 1))
    np.testing.assert_array_equal(resize_labels(large, 2, 2), labels)


def test_match_labels_takes_over_names_and_keeps_the_partition() -> None:
    reference = np.zeros((8, 8), dtype=int)
    reference[:4], reference[4:, :4] = 7, 1
    labels = np.full((8, 8), 5)
    labels[:4], labels[4:, :4] = 1, 2
    labels[7, 7] = 0
    renamed = match_labels(labels, reference)
    assert (renamed[:4] == 7).all()
    assert (renamed[4:, :4] == 1).all()
    assert renamed[4, 4] == 2  # the smallest label that neither map uses
    assert renamed[7, 7] == 0
    pairs = np.unique(np.stack([labels.ravel(), renamed.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_match_labels_is_one_to_one_and_takes_the_best() -> None:
    reference = np.zeros((4, 8), dtype=int)
    reference[:, :6] = 3
    labels = np.ones((4, 8), dtype=int)
    labels[:, 2:] = 2
    labels[:, 6:] = 0
    renamed = match_labels(labels, reference)
    assert (renamed[:, 2:6] == 3).all()
    assert (renamed[:, :2] == 1).all()
    np.testing.assert_array_equal(match_labels(labels, np.zeros((2, 2), dtype=int)), labels)


def test_flow_wheel_directions() -> None:
    flow = np.zeros((2, 1, 5), dtype=np.float32)
    flow[0, 0, :2] = (2.0, -2.0)
    flow[1, 0, 2] = 2.0
    flow[:, 0, 4] = np.nan
    right, left, down, still, unknown = colour_flow(flow, max_px=2.0)[0].astype(int)
    np.testing.assert_array_equal(right, (255, 0, 0))
    assert left[0] == 0
    assert left[2] > 200
    assert down[0] == 255
    assert down[1] > 150
    assert down[2] == 0
    np.testing.assert_array_equal(still, (255, 255, 255))
    np.testing.assert_array_equal(unknown, UNASSIGNED)
    beyond = colour_flow(flow, max_px=1.0)[0, 0]
    np.testing.assert_array_equal(beyond, (191, 0, 0))


def test_flow_scale_is_at_least_one_px_and_all_unknown_is_fine() -> None:
    assert (colour_flow(np.full((2, 2, 2), 1e-4)) > 250).all()
    np.testing.assert_array_equal(colour_flow(np.full((2, 1, 1), np.nan))[0, 0], UNASSIGNED)
    with pytest.raises(DataError, match=r"\[2, H, W\]"):
        colour_flow(np.zeros((4, 4, 2)))


def test_plateau_shows_regions_and_is_stable() -> None:
    plateau = np.zeros((4, 8, 6))
    plateau[:, :4, 1], plateau[:, 4:, 4] = 1.0, 1.0
    picture = colour_plateau(plateau)
    assert picture.shape == (4, 8, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 2
    np.testing.assert_array_equal(picture, colour_plateau(plateau.copy()))
    assert colour_plateau(plateau[..., 1:2]).shape == (4, 8, 3)
    with pytest.raises(DataError, match="plateau"):
        colour_plateau(plateau[0])


def test_masks_mix_by_weight() -> None:
    masks = np.zeros((2, 1, 4))
    masks[0, 0] = (1, 0, 1, 0.5)
    masks[1, 0] = (0, 1, 1, 0)
    picture = colour_masks(masks)[0].astype(float)
    colours = label_palette(3).astype(float)
    np.testing.assert_array_equal(picture[:2], colours[1:])
    np.testing.assert_allclose(picture[2], (colours[1] + colours[2]) / 2, atol=1)
    np.testing.assert_allclose(picture[3], (colours[1] + colours[0]) / 2, atol=1)
    with pytest.raises(DataError, match="Masks"):
        colour_masks(masks[0])
