from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eisen_ray.worlds.recording import Film


def test_shapes_and_types(film: Film) -> None:
    assert (film.frames.shape, film.frames.dtype) == ((4, 64, 64, 3), np.uint8)
    assert (film.instances.shape, film.instances.dtype) == ((4, 64, 64), np.uint8)
    assert (film.flow.shape, film.flow.dtype) == ((3, 64, 64, 2), np.float32)
    assert (film.visible.shape, film.visible.dtype) == ((3, 64, 64), np.bool_)
    assert film.depth.shape == film.geoms.shape == (4, 64, 64)
    assert len(film.poses) == 4


def warped(film: Film, pair: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns to which the flow of a pair leads, and which pixels move and stay visible."""
    flow = film.flow[pair]
    y, x = np.mgrid[:64, :64]
    rows, columns = (np.clip(np.rint(at), 0, 63).astype(int) for at in (y + flow[..., 1], x + flow[..., 0]))
    return rows, columns, film.visible[pair] & (np.linalg.norm(flow, axis=-1) > 0.5)


def inside(labels: np.ndarray) -> np.ndarray:
    """Pixels whose eight neighbours have their label."""
    shifts = [np.roll(labels, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return np.all([shifted == labels for shifted in shifts], axis=0)


def test_the_flow_leads_to_the_same_instance(film: Film) -> None:
    """Inside an instance nearly all agree (its edge may miss by a pixel); in all, fewer do without the flow."""
    agree, stay, agree_inside, total = 0, 0, 0, 0
    for pair in range(3):
        rows, columns, moving = warped(film, pair)
        own, after = film.instances[pair], film.instances[pair + 1]
        same = after[rows, columns] == own
        agree += same[moving].sum()
        stay += (after == own)[moving].sum()
        agree_inside += same[moving & inside(own)].sum()
        total += (moving & inside(own)).sum()
    assert total > 50
    assert agree_inside / total > 0.98
    assert agree > stay


def test_the_flow_leads_to_the_same_colour(film: Film) -> None:
    """Shading changes a little when things turn: the warped error is well below the unwarped one."""
    with_flow, without = [], []
    for pair in range(3):
        rows, columns, moving = warped(film, pair)
        now, after = film.frames[pair].astype(float), film.frames[pair + 1].astype(float)
        with_flow.append(np.abs(after[rows, columns] - now)[moving])
        without.append(np.abs(after - now)[moving])
    assert np.concatenate(with_flow).mean() < 0.7 * np.concatenate(without).mean()


def test_unmoved_pixels_keep_their_label_and_have_no_flow(film: Film) -> None:
    for pair in range(3):
        background = (film.instances[pair] == 0) & (film.instances[pair + 1] == 0)
        assert background.any()
        assert not film.flow[pair][background].any()


def test_measures_of_an_instance() -> None:
    labels = np.zeros((3, 8, 8), np.uint8)
    labels[:, :4, :4] = 1
    labels[:, :2, 6:] = 2  # four pixels: too few to judge
    flow = np.zeros((2, 8, 8, 2), np.float32)
    flow[0, :4] = 3
    film = Film(np.zeros((3, 8, 8, 3), np.uint8), labels, flow, flow[..., 0] == 0, labels, labels, ())
    assert film.area(1) == 0.25
    assert [film.moving_share(number) for number in (1, 2, 3)] == [0.5, 0, 0]
    assert replace(film, flow=flow * 0.1).moving_share(1) == pytest.approx(0)
