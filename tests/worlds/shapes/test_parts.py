from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.shapes.parts import rotation, shape
from eisen_ray.worlds.shapes.primitives import box


def test_changes_leave_the_part_as_it_was() -> None:
    part = box(1, 2, 3)
    moved = part.at(1, 0, 0).painted(2).ghost()
    assert (part.slot, part.solid, moved.slot, moved.solid) == (0, True, 2, False)
    np.testing.assert_allclose(moved.vertices - part.vertices, np.broadcast_to([1, 0, 0], (24, 3)))


@pytest.mark.parametrize(("axis", "start", "end"), [("x", 1, 2), ("y", 2, 0), ("z", 0, 1)])
def test_a_quarter_turn_takes_one_axis_to_the_next(axis: str, start: int, end: int) -> None:
    np.testing.assert_allclose(rotation(axis, np.pi / 2) @ np.eye(3)[start], np.eye(3)[end], atol=1e-12)


def test_a_mirror_image_still_looks_outward() -> None:
    part = box(1, 1, 1).at(0, 2, 0)
    mirrored = part.mirrored_y()
    volume = [
        np.einsum("ij,ij->", p.vertices[p.faces[:, 0]], np.cross(p.vertices[p.faces[:, 1]], p.vertices[p.faces[:, 2]]))
        for p in (part, mirrored)
    ]
    np.testing.assert_allclose(volume, [6, 6])
    assert mirrored.vertices[:, 1].max() < 0


def test_seated_shapes_stand_centred_on_the_floor() -> None:
    tall = shape("tower", [box(1, 1, 4).at(3, 3, 3)], "any")
    low, high = tall.seated(longest=2.0).bounds()
    np.testing.assert_allclose([low, high], [[-0.25, -0.25, 0], [0.25, 0.25, 2]], atol=1e-12)
    low, high = tall.seated(longest=2.0, height=1.0).bounds()
    np.testing.assert_allclose(high[2], 1.0)
    low, high = tall.seated(longest=0.5, height=1.0).bounds()
    np.testing.assert_allclose(high[2], 0.5)
