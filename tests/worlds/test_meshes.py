from __future__ import annotations

import numpy as np

from eisen_ray.worlds.meshes import vertex_normals
from eisen_ray.worlds.shapes.primitives import box, ellipsoid


def test_a_box_keeps_its_edges_sharp() -> None:
    part = box(1, 2, 3)
    normals = vertex_normals(part.vertices, part.faces)
    np.testing.assert_allclose(np.sort(np.abs(normals), axis=1), np.tile([0, 0, 1], (24, 1)), atol=1e-9)
    assert (np.einsum("ij,ij->i", normals, part.vertices) > 0).all()


def test_a_ball_is_round_also_at_its_seam() -> None:
    part = ellipsoid(1, 1, 1, (32, 20))
    normals = vertex_normals(part.vertices, part.faces)
    cosine = np.einsum("ij,ij->i", normals, part.vertices)
    used = np.unique(part.faces)
    assert cosine[used].min() > 0.99
