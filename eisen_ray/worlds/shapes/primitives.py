"""Boxes, superquadrics, bodies of revolution and tubes: closed meshes with texture coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eisen_ray.worlds.shapes.parts import Part

Profile = Sequence[tuple[float, float]]
"""Points (radius, z) from bottom to top."""
Numbers = Sequence[float] | np.ndarray


def box(x: float, y: float, z: float) -> Part:
    """Box of full size (x, y, z) about the origin; every face has its own vertices, so its edges are sharp."""
    size = np.array([x, y, z], float)
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    uvs: list[np.ndarray] = []
    for axis in range(3):
        across, along = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1, 1):
            corner = np.zeros((4, 3))
            corner[:, axis] = sign
            corner[:, across] = [-1, 1, 1, -1]
            corner[:, along] = [-1, -1, 1, 1]
            order = [[0, 1, 2], [0, 2, 3]] if sign > 0 else [[0, 2, 1], [0, 3, 2]]
            faces.append(np.array(order) + 4 * len(vertices))
            vertices.append(corner)
            uvs.append((corner[:, [across, along]] + 1) / 2 * size[[across, along]] / size.max())
    return Part(np.concatenate(vertices) * size / 2, np.concatenate(faces), np.concatenate(uvs))


def superquadric(
    half: Numbers, roundness: tuple[float, float] = (1.0, 1.0), resolution: tuple[int, int] = (24, 14)
) -> Part:
    """Superquadric about the origin.

    Args:
        half: half extents along x, y, z.
        roundness: exponents along the meridian and the parallel: 1 round, near 0 boxy, 2 diamond.
        resolution: vertices around, and from pole to pole.
    """
    around, upward = resolution
    latitude, longitude = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, upward), np.linspace(-np.pi, np.pi, around + 1), indexing="ij"
    )
    rim = _signed_power(np.cos(latitude), roundness[0])
    x = half[0] * rim * _signed_power(np.cos(longitude), roundness[1])
    y = half[1] * rim * _signed_power(np.sin(longitude), roundness[1])
    z = half[2] * _signed_power(np.sin(latitude), roundness[0])
    u, v = (longitude + np.pi) / np.pi, latitude / np.pi + 0.5
    return _grid_part(np.stack([x, y, z], -1), np.stack([u, v], -1))


def ellipsoid(x: float, y: float, z: float, resolution: tuple[int, int] = (24, 14)) -> Part:
    """Ellipsoid of half extents (x, y, z) about the origin."""
    return superquadric((x, y, z), resolution=resolution)


def lathe(profile: Profile, around: int = 28) -> Part:
    """A profile revolved about z. A point given twice makes a crease: normals are not smoothed across it."""
    points = np.array([(max(radius, 1e-6), z) for radius, z in profile], float)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    angle = np.linspace(0, 2 * np.pi, around + 1)
    radius, z = points[:, :1], np.broadcast_to(points[:, 1:], (len(points), around + 1))
    u = np.broadcast_to(angle / np.pi, z.shape)
    v = np.broadcast_to((length / max(length[-1], 1e-9))[:, None], z.shape)
    return _grid_part(np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1), np.stack([u, v], -1))


def crease(points: Profile) -> list[tuple[float, float]]:
    """The profile with every inner point given twice."""
    return [points[0], *(point for inner in points[1:-1] for point in (inner, inner)), points[-1]]


def cylinder(radius: float, height: float, top: float | None = None, around: int = 28) -> Part:
    """Cylinder about z, centred on the origin; a frustum where `top`, the upper radius, is given."""
    upper = radius if top is None else top
    half = height / 2
    return lathe(crease([(0, -half), (radius, -half), (upper, half), (0, half)]), around)


def tube(path: Sequence[Numbers] | np.ndarray, radius: float | Numbers, around: int = 10) -> Part:
    """A circle swept along a path of points, with rounded ends.

    Args:
        path: [P, 3] points.
        radius: one for all points, or one for each.
        around: vertices around.
    """
    points = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), (len(points),))
    forward = np.gradient(points, axis=0)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True) + 1e-12
    sideways = np.cross(forward[0], [0.0, 0.0, 1.0] if abs(forward[0, 2]) < 0.9 else [1.0, 0.0, 0.0])
    angle = np.linspace(0, 2 * np.pi, around + 1)[:, None]
    rings = []
    for point, ahead, size in zip(points, forward, radii, strict=True):
        # The same frame carried along the path, so that the texture does not twist.
        sideways = sideways - ahead * (sideways @ ahead)
        sideways /= np.linalg.norm(sideways)
        rings.append(point + size * (np.cos(angle) * sideways + np.sin(angle) * np.cross(ahead, sideways)))
    ends = [points[0] - 0.75 * radii[0] * forward[0], points[-1] + 0.75 * radii[-1] * forward[-1]]
    first, last = (np.broadcast_to(end, rings[0].shape) for end in ends)
    v = np.concatenate([[0.0], np.linspace(0, 1, len(points)), [1.0]])[:, None] * 2
    u = np.broadcast_to(angle.T / (2 * np.pi), (len(v), around + 1))
    return _grid_part(np.stack([first, *rings, last]), np.stack([u, np.broadcast_to(v, u.shape)], -1))


def torus(radius: float, thickness: float) -> Part:
    """Ring in the xy plane: `radius` to the middle of its tube of radius `thickness`."""
    a, b = np.meshgrid(np.linspace(0, 2 * np.pi, 31), np.linspace(0, 2 * np.pi, 13), indexing="ij")
    rim = radius + thickness * np.cos(b)
    vertices = np.stack([rim * np.cos(a), rim * np.sin(a), thickness * np.sin(b)], -1)
    return _grid_part(vertices, np.stack([2 * a / np.pi, b / (2 * np.pi)], -1))


def without_slivers(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The faces that have an area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return faces[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12]


def _grid_part(vertices: np.ndarray, uvs: np.ndarray) -> Part:
    """A part from a grid [m, n, 3] of vertices, its faces outward."""
    rows, columns = vertices.shape[:2]
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    corner = (i * columns + j).ravel()
    right, below, across = corner + 1, corner + columns, corner + columns + 1
    faces = np.concatenate([np.stack([corner, right, across], 1), np.stack([corner, across, below], 1)])
    points = vertices.reshape(-1, 3)
    faces = without_slivers(points, faces)
    a, b, c = (points[faces[:, k]] for k in range(3))
    if np.einsum("ij,ij->i", a, np.cross(b, c)).sum() < 0:  # six times the signed volume
        faces = faces[:, ::-1]
    return Part(points, faces, uvs.reshape(-1, 2))


def _signed_power(values: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(values) * np.abs(values) ** exponent
