from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.shapes.parts import Part
from eisen_ray.worlds.shapes.primitives import box, cylinder, ellipsoid, superquadric, torus, tube


def volume(part: Part) -> float:
    a, b, c = (part.vertices[part.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def shift_of_volume(part: Part) -> float:
    """A closed surface has the same volume wherever the origin is."""
    return abs(volume(part.at(3, -2, 1)) - volume(part))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (box(1, 2, 3), 6.0),
        (ellipsoid(1, 2, 3, (96, 64)), 8 * np.pi),
        (cylinder(1, 2, around=96), 2 * np.pi),
        (cylinder(2, 3, top=1, around=96), np.pi * 7),
        (torus(1, 0.25), 2 * np.pi**2 * 0.0625),
        (tube([(0, 0, 0), (0, 0, 10)], 0.5, around=96), np.pi * 2.5 + 2 * np.pi * 0.25 * 0.375 / 3),
        (superquadric((1, 1, 1), (2, 2), (24, 13)), 4 / 3),
    ],
    ids=["box", "ellipsoid", "cylinder", "frustum", "torus", "tube", "octahedron"],
)
def test_closed_outward_and_of_the_right_size(part: Part, expected: float) -> None:
    assert volume(part) == pytest.approx(expected, rel=0.06)
    assert shift_of_volume(part) < 1e-6 * expected
    assert len(part.uvs) == len(part.vertices)


def test_a_tube_may_turn_a_corner() -> None:
    bent = tube([(0, 0, 0), (1, 0, 0), (1, 1, 0)], [0.1, 0.2, 0.1])
    assert volume(bent) > 0
    assert np.isfinite(bent.vertices).all()
