from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.shapes.extrusion import LETTERS, cogwheel, extrude, star, triangulate
from tests.worlds.shapes.test_primitives import shift_of_volume, volume


def area(outline: np.ndarray) -> float:
    after = np.roll(outline, -1, axis=0)
    return abs(float(np.sum(outline[:, 0] * after[:, 1] - after[:, 0] * outline[:, 1]))) / 2


@pytest.mark.parametrize("outline", [*LETTERS.values(), star(5, 0.5, 0.2), cogwheel(9)])
def test_an_extruded_outline_is_a_closed_body(outline) -> None:
    points = np.asarray(outline, float)
    for way in (points, points[::-1]):
        body = extrude(way, 0.3)
        assert volume(body) == pytest.approx(0.3 * area(points))
        assert shift_of_volume(body) < 1e-9


def test_triangles_fill_a_concave_polygon() -> None:
    outline = star(6, 1.0, 0.3)
    triangles = triangulate(outline)
    assert triangles.shape == (10, 3)
    assert sum(area(outline[triangle]) for triangle in triangles) == pytest.approx(area(outline))
