"""Flat outlines given a thickness: stars, gears, letters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eisen_ray.worlds.shapes.parts import Part

Outline = Sequence[Sequence[float]] | np.ndarray
"""Corners [N, 2] of a simple polygon, either way around."""

LETTERS: dict[str, Outline] = {
    "T": [(-0.5, 0.5), (-0.5, 0.25), (-0.13, 0.25), (-0.13, -0.5), (0.13, -0.5), (0.13, 0.25), (0.5, 0.25), (0.5, 0.5)],
    "L": [(-0.4, 0.5), (-0.4, -0.5), (0.4, -0.5), (0.4, -0.22), (-0.12, -0.22), (-0.12, 0.5)],
    "U": [
        (-0.45, 0.5), (-0.45, -0.5), (0.45, -0.5), (0.45, 0.5), (0.18, 0.5), (0.18, -0.22), (-0.18, -0.22),
        (-0.18, 0.5),
    ],
    "H": [
        (-0.45, 0.5), (-0.45, -0.5), (-0.2, -0.5), (-0.2, -0.12), (0.2, -0.12), (0.2, -0.5), (0.45, -0.5), (0.45, 0.5),
        (0.2, 0.5), (0.2, 0.12), (-0.2, 0.12), (-0.2, 0.5),
    ],
    "E": [
        (-0.4, 0.5), (-0.4, -0.5), (0.4, -0.5), (0.4, -0.28), (-0.15, -0.28), (-0.15, -0.1), (0.3, -0.1), (0.3, 0.1),
        (-0.15, 0.1), (-0.15, 0.28), (0.4, 0.28), (0.4, 0.5),
    ],
    "Z": [
        (-0.45, 0.5), (-0.45, 0.28), (0.1, 0.28), (-0.45, -0.3), (-0.45, -0.5), (0.45, -0.5), (0.45, -0.28),
        (-0.1, -0.28), (0.45, 0.3), (0.45, 0.5),
    ],
    "F": [
        (-0.35, 0.5), (-0.35, -0.5), (-0.1, -0.5), (-0.1, -0.1), (0.25, -0.1), (0.25, 0.1), (-0.1, 0.1), (-0.1, 0.27),
        (0.4, 0.27), (0.4, 0.5),
    ],
}  # fmt: skip


def extrude(outline: Outline, height: float) -> Part:
    """The outline from z = 0 to z = height; every side has its own vertices, so its edges are sharp."""
    points = np.asarray(outline, float)
    points = points if _doubled_area(points) > 0 else points[::-1]
    count, extent = len(points), float(np.ptp(points, axis=0).max())
    top, bottom = np.c_[points, np.full(count, height)], np.c_[points, np.zeros(count)]
    lids = triangulate(points)
    vertices, uvs, faces = [top, bottom], [points / extent] * 2, [lids, lids[:, ::-1] + count]
    length = 0.0
    for i in range(count):
        j = (i + 1) % count
        end = length + float(np.linalg.norm(points[j] - points[i]))
        vertices.append(np.array([bottom[i], bottom[j], top[j], top[i]]))
        uvs.append(np.array([[length, 0], [end, 0], [end, height], [length, height]]) / extent)
        faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + 2 * count + 4 * i)
        length = end
    return Part(np.concatenate(vertices), np.concatenate(faces), np.concatenate(uvs))


def star(points: int, outer: float, inner: float, phase: float = 0.0) -> np.ndarray:
    """Outline of a star, [2 * points, 2]."""
    angle = np.arange(2 * points) * np.pi / points + phase
    radius = np.where(np.arange(2 * points) % 2 == 0, outer, inner)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def cogwheel(teeth: int) -> np.ndarray:
    """Outline of a gear of radius 0.5, [4 * teeth, 2]."""
    angle = 2 * np.pi * (np.arange(teeth)[:, None] + np.array([0, 0.25, 0.5, 0.75])).ravel() / teeth
    radius = np.tile([0.38, 0.5, 0.5, 0.38], teeth)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def triangulate(points: np.ndarray) -> np.ndarray:
    """Triangles [N - 2, 3] of a simple polygon whose corners go counter-clockwise: ears are cut off one by one."""
    left = list(range(len(points)))
    triangles = []
    while len(left) > 3:
        for k in range(len(left)):
            ear = [left[k - 1], left[k], left[(k + 1) % len(left)]]
            if _is_ear(points, ear, left):
                triangles.append(ear)
                left.pop(k)
                break
        else:
            break
    return np.array([*triangles, left[:3]])


def _is_ear(points: np.ndarray, ear: list[int], left: list[int]) -> bool:
    a, b, c = points[ear]
    if _turn(a, b, c) <= 1e-12:
        return False
    others = [points[k] for k in left if k not in ear]
    return not any(min(_turn(a, b, p), _turn(b, c, p), _turn(c, a, p)) >= -1e-12 for p in others)


def _turn(o: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    return float((a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]))


def _doubled_area(points: np.ndarray) -> float:
    after = np.roll(points, -1, axis=0)
    return float(np.sum(points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]))
