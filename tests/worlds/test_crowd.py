from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.crowd import Places, floor_radius, image_areas
from eisen_ray.worlds.geometry import look_at
from eisen_ray.worlds.shapes.parts import shape
from eisen_ray.worlds.shapes.primitives import box

CAMERA = look_at([0.0, -3, 1], np.zeros(3), fovy=50)


@pytest.mark.parametrize(("gap", "free"), [(0.0, True), (0.2, False), (-0.2, True)])
def test_neighbours_keep_their_distance(gap: float, free: bool) -> None:
    places = Places(CAMERA, 0.05, gap)
    assert places.is_free(0, 0, 1)
    places.take(0, 0, 0.5)
    assert places.is_free(1.1, 0, 0.5) is free
    assert not places.is_free(0.2, 0, 0.5)


def test_foot_and_top_are_in_view() -> None:
    places = Places(CAMERA, 0.05, 0)
    assert places.is_in_view(0, 0, 0.5, nearest=1)
    assert not places.is_in_view(0, 0, 3.0, nearest=1), "its top is cut"
    assert not places.is_in_view(2, 0, 0.5, nearest=1), "beside the image"
    assert not places.is_in_view(0, 0, 0.5, nearest=4), "too near"
    assert not places.is_in_view(0, -4, 0.5, nearest=1), "behind the camera"


def test_radius_and_areas() -> None:
    assert floor_radius(shape("box", [box(3, 4, 1)], "any"), 0.8) == pytest.approx(2.0)
    table = np.array([0, 1, 1, 2, 0])  # the last entry is for -1
    geoms = np.array([[0, 1], [2, -1]])
    np.testing.assert_allclose(image_areas(table, geoms, 3), [0.5, 0, 0])
