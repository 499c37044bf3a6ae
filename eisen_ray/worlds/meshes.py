"""Normals of a mesh, so that round things look round and boxes do not."""

from __future__ import annotations

import numpy as np

SMOOTH_COSINE = 0.6
"""Vertices at one place share a normal up to an angle of about 53 degrees between them."""


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals [V, 3], weighted by area; vertices at one place (seams of the texture) get the same normal."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    per_face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], per_face)
    normals = _unit(normals)
    tolerance = np.ptp(vertices, axis=0).max() * 1e-5 + 1e-12
    _, place, count = np.unique(
        np.round(vertices / tolerance).astype(np.int64), axis=0, return_inverse=True, return_counts=True
    )
    place = place.ravel()
    shared = np.flatnonzero(count[place] > 1)
    shared = shared[np.argsort(place[shared], kind="stable")]
    joined = normals.copy()
    for group in np.split(shared, np.flatnonzero(np.diff(place[shared])) + 1):
        if len(group):
            is_smooth = normals[group] @ normals[group].T > SMOOTH_COSINE
            joined[group] = _unit(is_smooth.astype(float) @ normals[group])
    return joined


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-20)
